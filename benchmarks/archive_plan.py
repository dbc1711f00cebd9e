"""A region's archive on paper: what a year's studies need, from a run that was made.

    leakseg run SCANS -o OUT --workers 0
    python benchmarks/archive_plan.py SCANS OUT --studies 1000000

Seconds a case come from OUT/run.json, sizes from the two folders. Prices are yours to give.
"""

import argparse
import json
from pathlib import Path

from leakseg.config import AnalysisConfig
from leakseg.readers import take_inventory

GB, TB = 1e9, 1e12
HOURS_A_YEAR = 365 * 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--studies", type=int, default=1_000_000, help="a year")
    parser.add_argument("--use", type=float, default=0.7, help="share of the time that a core is at work")
    parser.add_argument("--peak", type=float, default=3.0, help="the busiest hour against the mean")
    parser.add_argument("--core-hour", type=float, default=0.05, help="price of a core for an hour")
    parser.add_argument("--tb-month", type=float, default=20.0, help="price of a terabyte for a month")
    parser.add_argument("--engine-ms", type=float, default=20.0, help="of the parent's time a case: engine_overhead.py")
    args = parser.parse_args()
    document = json.loads((args.out / "run.json").read_text(encoding="utf-8"))
    done = {case["case_id"]: case["seconds"] for case in document["cases"] if case["status"] in {"done", "skipped"}}
    cases = take_inventory([args.scans], AnalysisConfig().criteria.reading).cases()
    read = [path.stat().st_size for case in cases if case.source.case_id in done for path in case.source.files]
    written = [path.stat().st_size for name in done for path in (args.out / name).rglob("*") if path.is_file()]
    seconds, inward, outward = (sum(values) / len(done) for values in (done.values(), read, written))
    core_hours = args.studies * seconds / 3600
    cores = core_hours / HOURS_A_YEAR / args.use
    kept = args.studies * outward / TB
    rows = [
        ("measured: seconds a case on one core", f"{seconds:.1f}"),
        ("measured: MB read a case", f"{inward / 1e6:.0f}"),
        ("measured: MB written a case", f"{outward / 1e6:.1f}"),
        ("cases a core-hour", f"{3600 / seconds:.0f}"),
        ("core-hours a year", f"{core_hours:,.0f}"),
        (f"cores, at work {args.use:.0%} of the time", f"{cores:.0f}"),
        (f"cores for the busiest hour ({args.peak:g} x)", f"{cores * args.peak:.0f}"),
        ("read, TB a year", f"{args.studies * inward / TB:.0f}"),
        ("network, mean / busiest hour, Gbit/s", _rates(args.studies * inward, args.peak)),
        ("written, TB a year", f"{kept:.1f}"),
        ("files written a year, million", f"{args.studies * len(written) / len(done) / 1e6:.0f}"),
        ("engine's own time, hours a year", f"{args.studies * args.engine_ms / 3.6e6:.1f}"),
        ("cost of cores a year", f"{core_hours / args.use * args.core_hour:,.0f}"),
        ("cost of keeping a year's results for a year", f"{kept * args.tb_month * 12:,.0f}"),
    ]
    print(f"{args.studies:,} studies a year, from {len(done)} case(s)")
    for name, value in rows:
        print(f"  {name:46} {value:>14}")


def _rates(bytes_a_year: float, peak: float) -> str:
    mean = bytes_a_year * 8 / (HOURS_A_YEAR * 3600) / GB
    return f"{mean:.2f} / {mean * peak:.2f}"


if __name__ == "__main__":
    main()
