"""Seconds that one phantom case takes, scan, masks and truth written: 200 slices of 256 x 256 on one core.

    python benchmarks/phantom_speed.py [CASES]

Process start-up and imports are left out; processor time is told beside the wall's, for machines that are shared.
"""

import cProfile
import pstats
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from leakseg.anatomy import VertebraLevel
from leakseg.phantom.folders import write_made
from leakseg.phantom.jobs import make_cohort
from leakseg.phantom.recipe import DrawRecipe, PhantomRecipe, ScannerRecipe, SpineRecipe

LEVELS = tuple(VertebraLevel(name) for name in ("T11", "T12", "L1", "L2", "L3"))
RECIPE = PhantomRecipe(
    seed=1,
    spine=SpineRecipe(
        levels=LEVELS,
        curvature="natural",
        ribs=True,
        size_spread=0.05,
        fracture_share=0.5,
        endplate_sclerosis_hu=(0, 200),
    ),
    scanner=ScannerRecipe(slice_mm=0.9, pixel_mm=0.7, field_mm=(179.2, 179.2), margin_mm=6.0),
    draw=DrawRecipe(levels=(VertebraLevel.T12, VertebraLevel.L1, VertebraLevel.L2)),
)


def main(cases: int) -> None:
    recipe = replace(RECIPE, draw=replace(RECIPE.draw, count=cases + 1))
    profile = cProfile.Profile() if "--profile" in sys.argv else None
    with tempfile.TemporaryDirectory() as folder:
        wall = used = 0.0
        made = iter(make_cohort(recipe))
        for number in range(cases + 1):
            start = time.perf_counter(), time.process_time()
            if profile and number:
                profile.enable()
            one = next(made)
            write_made(one, Path(folder))
            if profile and number:
                profile.disable()
            if number:  # the first one imports
                wall, used = wall + time.perf_counter() - start[0], used + time.process_time() - start[1]
                print(f"{one.case_id}: {one.phantom.volume.grid.shape} {time.process_time() - start[1]:.1f} s")
    print(f"seconds per case: {used / cases:.2f} processor, {wall / cases:.2f} wall, over {cases} cases")
    if profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(28)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
