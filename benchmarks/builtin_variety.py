"""The built-in masks on real scans changed as other patients and other scanners differ.

    python benchmarks/builtin_variety.py [WORD ...]
    python benchmarks/builtin_variety.py --random FIRST COUNT

Each scan of ../shared/data that has masks is warped, crushed, filled, cut or blurred together with its masks, and
drawn again. Prints one line a change: whether every whole vertebra got its name, whether the names were told as sure,
and Dice; ``SURE AND WRONG`` is the failure that must not be. With words: only changes whose title holds one of them.
With ``--random``: several changes at once, chosen by so many seeds from the first on.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
from builtin_masks import LUMBAR, SURE, TRUNK, dice, draw
from changed_scans import Case, changes, lumbar, trunk
from random_changes import at_random

from leakseg.anatomy import VertebraLevel

WHOLE_SHARE = 0.8
"""A vertebra counts where this share of it is left in view."""


def judge(title: str, case: Case, full: dict[int, float]) -> tuple[bool, bool, bool]:
    """Prints a line; whether all was right, told as sure, and some level sure and wrong."""
    hu = np.rint(np.clip(case.hu, -1024, 3071))
    drawn, seconds = draw(case.grid, hu)
    if drawn is None:
        print(f"{title:80s} refused")
        return False, False, False
    masks = drawn.masks
    words, shares = [], []
    right, wrong = True, False
    for number, usual in sorted(full.items()):
        part = case.levels == number
        if part.sum() < WHOLE_SHARE * usual:
            continue
        best = int(np.bincount(masks.vertebrae[part], minlength=40)[1:].argmax()) + 1
        share = dice(masks.vertebrae == best, part)
        good = best == number and share > 0.6
        shares.append(share)
        sure = (masks.label_confidence.get(VertebraLevel.from_number(best)) or 0) >= SURE if share else False
        right &= good
        wrong |= sure and not good
        if not good:
            words.append(f"{VertebraLevel.from_number(number)} as {VertebraLevel.from_number(best)} {share:.2f}")
    told = min(value for value in masks.label_confidence.values() if value is not None) >= SURE
    told &= not any(note.severity != "info" for note in drawn.notes)
    rows = case.canal.any(axis=(1, 2))
    canal = "" if masks.canal is None else f"canal {dice(masks.canal[rows], case.canal[rows]):.3f}"
    state = ("right" if right else "wrong") + (" and sure" if told else ", doubted")
    if wrong:
        state += "  SURE AND WRONG" + ("" if told else " (level)")
    numbers = f"{np.mean(shares):.3f} / {min(shares):.3f}" if shares else "none whole"
    print(f"{title:80s} {state:18s} {numbers}  {canal}  {seconds:4.1f} s  {'; '.join(words)}", flush=True)
    return right, told, wrong


def changed(name: str, case: Case, levels: list[str], words: list[str]) -> Iterator[tuple[str, Case]]:
    """Titles and changed scans, as the command line asks for them; ``levels`` from caudal to cranial."""
    if words[:1] == ["--random"]:
        first, count = map(int, words[1:])
        for seed in range(first, first + count):
            title, other = at_random(case, seed, levels)
            yield f"{name}, {title}", other
        return
    for title, change in changes(levels):
        text = f"{name}, {title}"
        if not words or any(word in text for word in words):
            yield text, change(case)


def main() -> None:
    for name, case, names in (("verse005", lumbar(), LUMBAR), ("trunk", trunk(), TRUNK)):
        full = {int(n): float((case.levels == n).sum()) for n in np.unique(case.levels) if n}
        cases = changed(name, case, list(names.values())[::-1], sys.argv[1:])
        results = [judge(text, other, full) for text, other in cases]
        found = np.array(results).reshape(-1, 3).sum(axis=0)
        print(f"{name}: of {len(results)} right {found[0]}, told as sure {found[1]}, with a wrong one sure {found[2]}")


if __name__ == "__main__":
    main()
