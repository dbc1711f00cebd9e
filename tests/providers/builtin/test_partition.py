"""The geodesic partition and the canal's path, on grids whose answer is known by hand."""

from __future__ import annotations

import numpy as np

from leakseg.providers.builtin.centreline import viterbi
from leakseg.providers.builtin.partition import geodesic_partition
from leakseg.providers.builtin.tidy import tidy_labels


def test_a_bar_is_shared_at_its_middle() -> None:
    seeds = np.zeros((3, 3, 11), np.uint8)
    seeds[:, :, 0], seeds[:, :, 10] = 1, 2
    labels, arrival = geodesic_partition(seeds, np.ones(seeds.shape, np.uint8), 100)
    assert (labels[:, :, :5] == 1).all()
    assert (labels[:, :, 6:] == 2).all()
    assert arrival[1, 1, 4] == 4 * 3


def test_a_dear_joint_moves_the_border_to_itself() -> None:
    seeds = np.zeros((1, 1, 12), np.uint8)
    seeds[..., 0], seeds[..., 11] = 1, 2
    cost = np.ones(seeds.shape, np.uint8)
    cost[..., 3] = 20
    labels, _ = geodesic_partition(seeds, cost, 1000)
    assert (labels[..., :3] == 1).all()
    assert (labels[..., 4:] == 2).all()


def test_no_way_leads_through_barred_voxels_nor_beyond_the_reach() -> None:
    seeds = np.zeros((1, 1, 9), np.uint8)
    seeds[..., 0] = 1
    cost = np.ones(seeds.shape, np.uint8)
    labels, _ = geodesic_partition(seeds, cost, 12)
    assert labels.sum() == 5
    cost[..., 2] = 0
    labels, _ = geodesic_partition(seeds, cost, 100)
    assert labels.sum() == 2


def test_viterbi_follows_a_bright_slanted_line() -> None:
    reward = np.full((20, 30, 9), -1.0, np.float32)
    for z in range(3, 17):
        reward[z, 4 + z, 4] = 2
    path = viterbi(reward, blocked=np.zeros(reward.shape, bool))
    assert path.tolist() == [[z, 4 + z, 4] for z in range(3, 17)]


def test_tidy_drops_stray_pieces_and_fills_marrow() -> None:
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[5:15, 5:15, 5:15] = 3
    labels[8:12, 8:12, 8:12] = 0
    labels[0, 0, 0] = 3
    none = np.zeros(labels.shape, bool)
    tidy = tidy_labels(labels, none, none)
    assert tidy[0, 0, 0] == 0
    assert (tidy[5:15, 5:15, 5:15] == 3).all()
    assert (tidy > 0).sum() == 1000


def test_cement_counts_as_bone_only_where_bone_encloses_it() -> None:
    labels = np.zeros((30, 30, 30), np.uint8)
    labels[5:25, 5:25, 5:25] = 1
    cement = np.zeros(labels.shape, bool)
    cement[13:17, 13:17, 13:17] = True  # in a pore
    cement[5:25, 23:27, 12:18] = True  # at the surface, a channel open to one side
    labels[cement] = 0
    tidy = tidy_labels(labels, np.zeros(labels.shape, bool), cement)
    assert (tidy[13:17, 13:17, 13:17] == 1).all()
    assert not tidy[5:25, 25:27, 12:18].any()
