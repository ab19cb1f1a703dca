"""``surgery diff``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from surgery.cli import options as opt


def diff(
    reference: Annotated[Path, Argument(metavar="A", help="The model to measure against.", show_default=False)],
    candidate: Annotated[Path, Argument(metavar="B", help="The model to measure.", show_default=False)],
    taps: Annotated[bool, Option(help="Compare internal values of one name, too.")] = True,
    inputs: opt.Inputs = None,
    samples: opt.Samples = 4,
    seed: opt.Seed = 0,
    input_shape: opt.InputShapes = None,
    input_range: opt.InputRanges = None,
    march: opt.MaybeMarch = None,
    int8: Annotated[bool, Option("--int8", help="Simulate the integers of the march on both.")] = False,
    calibration: Annotated[str, Option(metavar="max|percentile|kl", help="How their scales are found.")] = "max",
    witness: opt.Witness = None,
    json: opt.Json = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Measure how far the numbers of two models are apart, value by value.

    Exits 1 when a value differs by more than rounding.
    """
    from surgery import api
    from surgery.cli import parse
    from surgery.cli.output import Output
    from surgery.cli.progress import progress
    from surgery.cli.witness import asked

    out = Output(json, taken=(reference, candidate), quiet=quiet, verbose=verbose)
    with progress(quiet=quiet, verbose=verbose) as bar, asked(witness) as toolchain:
        bar.start("diff")
        document = api.diff(
            reference,
            candidate,
            taps=taps,
            inputs=inputs,
            samples=samples,
            seed=seed,
            input_shape=parse.shapes(input_shape or ()),
            input_range=parse.ranges(input_range or ()),
            progress=bar.count,
            witness=toolchain,
            march=march,
            int8=int8,
            calibration=calibration,
        )
    out.add(document)
    out.finish()
