"""Bone shared out among seeds by geodesic distance (bucket queue), a wave at a time.

References
----------
Dial 1969, doi 10.1145/363269.363610; chamfer weights 3-4-5: Borgefors 1986, doi 10.1016/S0734-189X(86)80047-0
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

UNREACHED = np.int32(2**30)


def geodesic_partition(
    seeds: NDArray[np.uint8], cost: NDArray[np.uint8], largest: int
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Give every voxel to the seed from which the cheapest way through the mask leads to it.

    Parameters
    ----------
    seeds
        ``(k, j, i)`` label of each seed voxel, 0 elsewhere.
    cost
        Same shape: price of a step into the voxel, 0 where no way leads.
    largest
        Ways dearer than this are not followed; a straight step of price 1 costs 3.

    Returns
    -------
    labels, arrival
        Label (0: not reached) and price of the way.
    """
    price = np.pad(cost, 1)
    label = np.where(price > 0, np.pad(seeds, 1), 0).ravel()
    arrival = np.where(label > 0, 0, UNREACHED).astype(np.int32)
    shape = price.shape
    steps = (shape[1] * shape[2], shape[2], 1)
    moves = [
        (dz * steps[0] + dy * steps[1] + dx, 2 + abs(dz) + abs(dy) + abs(dx))
        for dz in (-1, 0, 1)
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
        if dz or dy or dx
    ]
    flat = price.ravel().astype(np.int32)
    buckets: dict[int, list[NDArray[np.int64]]] = {0: [np.flatnonzero(label)]}
    for now in range(largest + 1):
        if now not in buckets:
            continue
        front = np.concatenate(buckets.pop(now))
        front = np.sort(front[arrival[front] == now])  # each once: a voxel comes into a bucket as its price falls
        for offset, weight in moves:
            beside = front + offset
            step = flat[beside]
            then = now + weight * step
            better = (step > 0) & (then < arrival[beside])
            beside, then = beside[better], then[better]
            arrival[beside] = then
            label[beside] = label[front[better]]
            for later in np.flatnonzero(np.bincount(then - now)).tolist():
                buckets.setdefault(now + later, []).append(beside[then == now + later])
    arrival[arrival > largest] = UNREACHED
    label[arrival == UNREACHED] = 0
    inner = (slice(1, -1),) * 3
    return label.reshape(shape)[inner].astype(np.uint8), arrival.reshape(shape)[inner]
