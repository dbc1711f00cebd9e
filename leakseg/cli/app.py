"""The commands and their options; what each does stands in a module of its own, imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leakseg import __version__
from leakseg.cli.cohort import cohort
from leakseg.cli.compare import compare
from leakseg.cli.fetch import fetch
from leakseg.cli.listen import listen
from leakseg.cli.options import Json, LabelScheme, Masks, MaskSpecs, Out, Recipe, Scans
from leakseg.cli.surgery import surgery

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
phantom = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Digital phantoms with known leaks.")
show = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Criteria, schema, plugins, recipe, labels.")
app.add_typer(phantom, name="phantom")
app.add_typer(show, name="show")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"leakseg {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Find, classify and measure bone-cement leaks in spinal CT. Research only: not for diagnosis."""


@app.command()
def run(
    scans: Scans,
    out: Out,
    masks: MaskSpecs = None,
    label_scheme: LabelScheme = None,
    anchor: Annotated[
        list[str] | None,
        typer.Option("--anchor", metavar="[CASE:]LEVEL@Z", help="Pin one level by the height Z (mm) of its body."),
    ] = None,
    totalsegmentator_command: Annotated[
        str | None,
        typer.Option("--totalsegmentator-command", metavar="COMMAND", help="TotalSegmentator, where not on PATH."),
    ] = None,
    totalsegmentator_device: Annotated[
        str | None, typer.Option("--totalsegmentator-device", metavar="DEVICE", help="gpu, gpu:1, cpu or mps.")
    ] = None,
    totalsegmentator_fast: Annotated[
        bool | None,
        typer.Option("--totalsegmentator-fast/--totalsegmentator-full", help="Its 3 mm model, or its full one."),
    ] = None,
    pipeline: Recipe = None,
    classifier: Annotated[
        str | None, typer.Option("--classifier", metavar="NAME|MODULE:CLASS", help="A leak classifier.")
    ] = None,
    write: Annotated[
        str | None,
        typer.Option("--write", metavar="LIST", help="json,csv,nifti,seg,sr,html,png or some of them; default: all."),
    ] = None,
    all_series: Annotated[
        bool | None,
        typer.Option("--all-series/--best-series", help="Every series fit for analysis, or the best of each study."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", min=0, help="Processes; default: as many as cores.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="ADDRESS", help="A running Dask cluster, instead of local processes."),
    ] = None,
    shard: Annotated[str | None, typer.Option("--shard", metavar="I/N", help="Only every N-th case.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume/--no-resume", help="Skip cases done with the same input, recipe and version.")
    ] = True,
    as_json: Json = False,
) -> int:
    """Analyse every CT study found under SCANS."""
    from leakseg.cli.run import run_scans

    choices = {
        "masks": masks or None,
        "label_scheme": label_scheme,
        "classifier": classifier,
        "write": [name.strip() for name in write.split(",")] if write is not None else None,
        "all_series": all_series,
        "workers": workers,
        "scheduler": scheduler,
        "totalsegmentator": {
            "command": totalsegmentator_command,
            "device": totalsegmentator_device,
            "fast": totalsegmentator_fast,
        },
    }
    return run_scans(
        tuple(scans), out, choices, recipe=pipeline, anchors=anchor or [], shard=shard, resume=resume, as_json=as_json
    )


@app.command("inspect")
def inspect_scans(scans: Scans, as_json: Json = False) -> int:
    """List studies and series: which would be analysed, which not, and why."""
    from leakseg.cli.inspect import inspect

    return inspect(scans, as_json=as_json)


@app.command()
def amend(
    case: Annotated[Path, typer.Argument(metavar="CASE", help="The folder of a finished case: OUT/<case_id>.")],
    edits: Annotated[
        Path, typer.Option("--edits", metavar="FILE.toml", help="What to correct; the case's page prints one.")
    ],
    as_json: Json = False,
) -> int:
    """Write a case again with a reader's corrections: levels, types, leaks struck out, comments."""
    from leakseg.cli.amend import amend as amend_one

    return amend_one(case, edits, as_json=as_json)


@app.command()
def merge(
    outs: Annotated[list[Path], typer.Argument(metavar="OUT...", help="Results of the parts.")],
    out: Out,
    as_json: Json = False,
) -> int:
    """Join the outputs of a run split with --shard."""
    from leakseg.cli.run import merge_outs

    return merge_outs(tuple(outs), out, as_json=as_json)


@phantom.command("make")
def phantom_make(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for scans/, masks/ and truth/.")],
    count: Annotated[int | None, typer.Option("--count", metavar="N", min=1, help="How many cases.")] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", metavar="S", min=0, help="The same seed gives the same bytes; default: the recipe's, else 1."
        ),
    ] = None,
    leaks: Annotated[
        str | None,
        typer.Option("--leaks", metavar="TYPES", help="Leak types, comma-separated; none: treated, no leak."),
    ] = None,
    levels: Annotated[str | None, typer.Option("--levels", metavar="L1,L2", help="Levels to treat.")] = None,
    recipe: Annotated[Path | None, typer.Option("--recipe", metavar="FILE.toml", help="A phantom recipe.")] = None,
    fraction: Annotated[
        float | None,
        typer.Option("--fraction", metavar="F", help="A share of each of the recipe's counts, such as 0.2."),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", metavar="N", min=0, help="Processes; 0: as many as cores. The same bytes.")
    ] = 1,
    as_json: Json = False,
) -> int:
    """Make digital phantoms with known leaks: DICOM scans, masks and truth."""
    from leakseg.cli.phantom import make

    return make(
        out,
        count=count,
        seed=seed,
        leaks=leaks,
        levels=levels,
        recipe=recipe,
        fraction=fraction,
        workers=workers,
        as_json=as_json,
    )


@phantom.command("implant")
def phantom_implant(
    scan: Annotated[Path, typer.Argument(metavar="SCAN", help="One real scan that has no cement.")],
    masks: Masks,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="Folder for scans/, masks/ and truth/.")],
    label_scheme: LabelScheme = None,
    types: Annotated[
        str | None, typer.Option("--leaks", metavar="TYPES", help="Leak types, comma-separated; none: no leak.")
    ] = None,
    levels: Annotated[str | None, typer.Option("--levels", metavar="L1,L2", help="Levels to treat.")] = None,
    sides: Annotated[str | None, typer.Option("--sides", metavar="SIDES", help="left,right,midline,bilateral.")] = None,
    count: Annotated[int | None, typer.Option("--count", metavar="N", min=1, help="How many cases.")] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="S", min=0, help="The same seed gives the same bytes.")] = 1,
    mask_fault: Annotated[
        str | None, typer.Option("--mask-fault", metavar="NAME", help="How the masks written err, such as wide.")
    ] = None,
    group: Annotated[
        str | None, typer.Option("--group", metavar="NAME", help="The cases' group in an evaluation, and in their ids.")
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option("--recipe", metavar="FILE.toml", help="A phantom recipe: its distractors and streaks are put in."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Put known cement into a real scan, with truth."""
    from leakseg.cli.phantom import implant
    from leakseg.cli.run import check_scans

    check_scans([scan])
    return implant(
        scan,
        masks=masks,
        out=out,
        label_scheme=label_scheme,
        types=types,
        levels=levels,
        sides=sides,
        count=count,
        seed=seed,
        mask_fault=mask_fault,
        group=group,
        recipe=recipe,
        as_json=as_json,
    )


@app.command()
def evaluate(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="Results of a run, or anybody's leaks.")],
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="Known leaks: id, type, level and a labelmap.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="Folder for tables, plots and the page.")],
    against: Annotated[
        list[Path] | None,
        typer.Option("--against", metavar="RESULTS", help="Other results on the same cases (may be repeated)."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Score results against truth: tables, confusion matrix, intervals, plots."""
    from leakseg.cli.evaluate import evaluate_results

    return evaluate_results(results, truth, out, against or [], as_json=as_json)


phantom.command("surgery")(surgery)
app.command()(compare)
app.command()(cohort)
app.command()(listen)
app.command()(fetch)


@show.command("criteria")
def show_criteria(pipeline: Recipe = None, as_json: Json = False) -> None:
    """Every threshold with its value, unit and source."""
    from leakseg.cli import show as pages

    pages.criteria(pipeline, as_json=as_json)


@show.command("schema")
def show_schema(as_json: Json = False) -> None:
    """JSON Schema of report.json."""
    from leakseg.cli import show as pages

    pages.schema(as_json=as_json)


@show.command("plugins")
def show_plugins(as_json: Json = False) -> None:
    """Leak classifiers that can be chosen."""
    from leakseg.cli import show as pages

    pages.plugins(as_json=as_json)


@show.command("config")
def show_config(pipeline: Recipe = None, as_json: Json = False) -> None:
    """A complete recipe as TOML, to start one's own from."""
    from leakseg.cli import show as pages

    pages.config(pipeline, as_json=as_json)


@show.command("features")
def show_features(
    case: Annotated[Path, typer.Argument(metavar="CASE", help="The folder of a finished case.")], as_json: Json = False
) -> None:
    """What classifiers see of a case's candidates, as a CSV table."""
    from leakseg.cli import show as pages

    pages.features(case, as_json=as_json)


@show.command("labels")
def show_labels(
    scheme: Annotated[str | None, typer.Argument(help="One scheme; default: all.")] = None, as_json: Json = False
) -> None:
    """Label schemes: which number means which structure."""
    from leakseg.cli import show as pages

    pages.labels(scheme, as_json=as_json)
