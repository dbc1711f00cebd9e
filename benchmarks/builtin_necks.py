"""Names of the built-in masks on made necks, drawn by the tests' own drawer: no real one is at hand.

    python benchmarks/builtin_necks.py [COUNT [SEED]]

Sizes, discs, marrow, noise, slices, bend and field of view vary; in a fifth of those with ribs in view a vertebra is
missing, in a tenth each the first rib is, or there is a cervical one. Prints one line a neck and the sums; with COUNT
0 one whole spine, with skull, ribs and sacrum.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np

from leakseg.errors import AnatomyError
from leakseg.providers.builtin import segment

DRAWER = Path(__file__).resolve().parents[1] / "tests/providers/builtin/conftest.py"
SURE = 0.7


def drawer() -> Any:
    spec = importlib.util.spec_from_file_location("made_necks", DRAWER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["made_necks"] = module
    spec.loader.exec_module(module)
    return module


def recipe(rng: np.random.Generator) -> dict[str, Any]:
    odd = rng.random()
    low = float(rng.choice([-190.0, -150.0, -115.0, -80.0]))
    return {
        "low_mm": low,
        "high_mm": float(rng.choice([110.0, 95.0, 85.0, 70.0, 38.0])),
        "half_mm": float(rng.choice([60.0, 85.0, 100.0])),
        "scale": float(rng.uniform(0.85, 1.12)),
        "slice_mm": int(rng.choice([1, 1, 2, 3])),
        "lordosis_mm": float(rng.uniform(-6, 14)),
        "tilt_deg": float(rng.uniform(-15, 15)),
        "disc_mm": float(rng.uniform(3, 6)),
        "noise_hu": float(rng.uniform(10, 60)),
        "spongy_hu": float(rng.uniform(120, 320)),
        "missing": (f"C{rng.integers(3, 8)}",) if odd < 0.2 and low < -120 else (),
        "first_ribbed": "T2" if 0.2 < odd < 0.3 else "C7" if 0.3 < odd < 0.4 else "T1",
        "seed": int(rng.integers(1 << 30)),
    }


def main(count: int = 24, seed: int = 1) -> None:
    necks = drawer()
    sums = dict.fromkeys(("bodies", "right", "sure", "sure and wrong", "refused"), 0)
    spine = {"low_mm": -690.0, "slice_mm": 2, "lordosis_mm": 4.0}
    for number in range(max(count, 1)):
        fields = recipe(np.random.default_rng([seed, number])) if count else spine
        made = necks.draw_neck(necks.Neck(**fields))
        short = {name: value if not isinstance(value, float) else round(value, 2) for name, value in fields.items()}
        try:
            drawn = segment(made.volume)
        except AnatomyError:
            sums["refused"] += 1
            print(number, "refused", short)
            continue
        told = made.names_at_bodies(drawn.masks)
        confidence = {str(level): value or 0.0 for level, value in drawn.masks.label_confidence.items()}
        sure = {name for name, found in told.items() if confidence.get(found, 0.0) >= SURE}
        wrong = {name: found for name, found in told.items() if found != name}
        sums["bodies"] += len(told)
        sums["right"] += len(told) - len(wrong)
        sums["sure"] += len(sure)
        sums["sure and wrong"] += len(sure & set(wrong))
        print(number, f"{len(told)} bodies, {len(sure)} sure, wrong {wrong}, sure and wrong {sure & set(wrong)}", short)
    print(sums)


if __name__ == "__main__":
    main(*(int(value) for value in sys.argv[1:]))
