"""``surgery tradeoff``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from surgery.cli import options as opt
from surgery.cli.run import Budget, Protect, Verify, When

_SEARCH, _MEASURE = "Search", "Measure"

SpaceFile = Annotated[Path, Option(metavar="S.yaml", help="What may be varied.", show_default=False)]
Trials = Annotated[int, Option(min=1, metavar="N", help="Variants at most.", rich_help_panel=_SEARCH)]
Workers = Annotated[int, Option(min=1, metavar="N", help="Processes of this machine.", rich_help_panel=_SEARCH)]
Scheduler = Annotated[
    str | None, Option(metavar="tcp://HOST:PORT", help="Take the workers of Dask.", rich_help_panel=_SEARCH)
]
Storage = Annotated[
    Path | None, Option(metavar="FILE", help="Keep what is done; go on where it was.", rich_help_panel=_SEARCH)
]
MaxLatency = Annotated[
    float | None, Option(metavar="MS", help="Measure nothing predicted slower.", rich_help_panel=_SEARCH)
]
Eval = Annotated[
    str | None,
    Option(
        "--eval",
        metavar="MODULE:FUNCTION|top-k|mean-iou|regression|detection|agreement",
        help="The measure; agreement with the original otherwise.",
        rich_help_panel=_MEASURE,
    ),
]
Labels = Annotated[
    Path | None, Option(metavar="F.npy|F.npz", help="Labels of a ready measure.", rich_help_panel=_MEASURE)
]
Decode = Annotated[
    str | None,
    Option(metavar="MODULE:FUNCTION", help="What outputs detect, for detection.", rich_help_panel=_MEASURE),
]
Metric = Annotated[
    str | None, Option(metavar="NAME", help="What is traded for time; the first otherwise.", rich_help_panel=_MEASURE)
]
Least = Annotated[bool, Option("--least", help="Less of the metric is better.", rich_help_panel=_MEASURE)]
Int8 = Annotated[
    bool, Option("--int8", help="Simulate the integers of the march, and trade these.", rich_help_panel=_MEASURE)
]
Calibration = Annotated[
    str, Option(metavar="max|percentile|kl", help="How their scales are found.", rich_help_panel=_MEASURE)
]


def tradeoff(
    model: opt.Model,
    space: SpaceFile,
    march: opt.March,
    eval_: Eval = None,
    labels: Labels = None,
    decode: Decode = None,
    metric: Metric = None,
    least: Least = False,
    int8: Int8 = False,
    calibration: Calibration = "max",
    trials: Trials = 64,
    max_latency_ms: MaxLatency = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    storage: Storage = None,
    add: opt.Add = None,
    budget: Budget = None,
    protect: Protect = None,
    verify: When = Verify.EACH,
    assume: opt.Assume = None,
    witness: opt.Witness = None,
    witness_level: opt.WitnessLevel = "O2",
    witness_limit: opt.WitnessLimit = 600.0,
    inputs: opt.Inputs = None,
    samples: opt.Samples = 32,
    seed: opt.Seed = 0,
    input_shape: opt.InputShapes = None,
    input_range: opt.InputRanges = None,
    report: opt.Reports = None,
    open_: opt.Open = False,
    json: opt.Json = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Try variants of a pipeline, and report which are the best in accuracy and predicted time.

    Exits 1 when a variant failed, or none can be shipped.
    """
    from surgery import api
    from surgery.cli import parse
    from surgery.cli.output import Output
    from surgery.cli.progress import progress
    from surgery.cli.witness import asked

    taken = (model, space, labels, storage, Path(inputs) if inputs else None)
    out = Output(json, tuple(report or ()), taken=taken, quiet=quiet, verbose=verbose, browse=open_)
    with progress(quiet=quiet, verbose=verbose) as bar, asked(witness) as toolchain:
        bar.start("tradeoff")
        document = api.tradeoff(
            model,
            march=march,
            space=space,
            add=add or (),
            eval_=_measure(eval_),
            labels=labels,
            decode=None if decode is None else _named(decode, "--decode"),
            metric=metric,
            least=least,
            int8=int8,
            calibration=calibration,
            max_latency_ms=max_latency_ms,
            trials=trials,
            workers=workers,
            scheduler=scheduler,
            storage=storage,
            inputs=inputs,
            samples=samples,
            seed=seed,
            input_shape=parse.shapes(input_shape or ()),
            input_range=parse.ranges(input_range or ()),
            budget=parse.budget(budget or ()),
            protect=protect,
            verify=verify.value,
            assume=assume,
            witness=toolchain,
            witness_level=witness_level,
            witness_limit=witness_limit,
            progress=bar.count,
        )
    out.add(document)
    out.finish()


def _measure(text: str | None) -> Callable[[Any], Any] | str | None:
    """A ready measure's name, or the user's own function, which has to be there."""
    return text if text is None or ":" not in text else _named(text, "--eval")


def _named(text: str, option: str) -> Callable[[Any], Any]:
    from surgery.cli.evaluator import Named, load_evaluator

    load_evaluator(text, option)
    return Named(text)
