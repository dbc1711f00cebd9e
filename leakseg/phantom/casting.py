"""All cement of a case: each vertebra's in turn, then what bridges two of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from leakseg.errors import AnatomyError
from leakseg.findings import LeakSubtype
from leakseg.phantom.plan import FillPlan, ImplantPlan, LeakPlan
from leakseg.phantom.raster import Window
from leakseg.phantom.sculpt import Block, add_leak, on_block, sculpt
from leakseg.phantom.site import Ground

_ROOM_MM, _FLOW_ROOM_MM, _CAVAL_ROOM_MM = 24.0, 36.0, 52.0
_FRONT_MM, _CAVAL_FRONT_MM = 10.0, 30.0


def cast(ground: Ground, plan: ImplantPlan, step_mm: float, rng: np.random.Generator) -> list[Block]:
    """Draw the cement of a plan, vertebra by vertebra in its order.

    Raises
    ------
    AnatomyError
        Where a level is not whole in the masks or cannot take its fill, or a leak fits nowhere in many draws.
    """
    treated = [fill.level for fill in plan.fills]
    blocks: list[Block] = []
    for fill in plan.fills:
        own = tuple(leak for leak in plan.leaks if leak.level == fill.level)
        alone = tuple(leak for leak in own if not leak.bridges)
        window = _window(ground, fill, own)
        blocks.append(sculpt(ground, fill, alone, step_mm, rng, window, treated, blocks))
    for leak in plan.leaks:
        if leak.bridges:
            blocks = _bridge(blocks, leak, rng)
    return blocks


def _bridge(blocks: list[Block], leak: LeakPlan, rng: np.random.Generator) -> list[Block]:
    """The blocks with a leak through the disc between two of them."""
    wanted = {True: 1, False: -1}
    steps = (1, -1) if leak.below is None else (wanted[leak.below],)
    for step in steps:
        pair = [block for block in blocks if block.fill.level.number == leak.level.number + step]
        if not pair:
            continue
        own = next(block for block in blocks if block.fill.level == leak.level)
        rest = [block for block in blocks if block is not own and block is not pair[0]]
        settled = leak if leak.below is not None else replace(leak, below=step > 0)
        grown, far = add_leak(own, settled, rng, (), on_block(own, rest), pair[0])
        assert far is not None
        return [grown if block is own else far if block is pair[0] else block for block in blocks]
    raise AnatomyError(f"A leak from {leak.level} that bridges two levels needs cement in the neighbour too.")


def _window(ground: Ground, fill: FillPlan, leaks: tuple[LeakPlan, ...]) -> Window:
    """The part of the scan round the vertebra in which its cement and leaks may lie."""
    frame = ground.survey.vertebrae.get(fill.level)
    if frame is None:
        raise AnatomyError(f"{fill.level} is not seen whole in these masks: no cement can be put into it.")
    flows = any(leak.form == "flow" for leak in leaks)
    caval = any(leak.subtype is LeakSubtype.CAVAL for leak in leaks)
    room = _CAVAL_ROOM_MM if caval else _FLOW_ROOM_MM if flows else _ROOM_MM
    front = _CAVAL_FRONT_MM if caval else _FRONT_MM
    wide = frame.half_width_mm + 18.0
    corners = [
        ground.survey.line.to_patient(np.asarray(s), np.asarray(u), np.asarray(frame.middle_v_mm + v))
        for s in (frame.bottom_mm - room, frame.middle_mm, frame.top_mm + room)
        for u in (frame.front_u_mm - front, frame.wall_u_mm + 45.0)
        for v in (-wide, wide)
    ]
    index = ground.grid.to_index(np.array(corners))
    start = np.clip(np.floor(index.min(axis=0)), 0, np.array(ground.grid.shape) - 1).astype(int)
    stop = np.clip(np.ceil(index.max(axis=0)) + 1, start + 1, ground.grid.shape).astype(int)
    return (slice(start[0], stop[0]), slice(start[1], stop[1]), slice(start[2], stop[2]))
