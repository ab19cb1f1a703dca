"""``surgery config``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Option

from surgery.cli import options as opt

_INPUTS = "Inputs"


def config(
    model: opt.Model,
    march: opt.March,
    output: Annotated[Path, Option("--output", "-o", metavar="CONF.yaml", help="Where to write it.")],
    input_shape: opt.InputShapes = None,
    input_type: Annotated[
        list[str] | None,
        Option(
            metavar="NAME=nv12", help="What the application feeds; feature maps unless named.", rich_help_panel=_INPUTS
        ),
    ] = None,
    trained_on: Annotated[
        list[str] | None,
        Option(metavar="NAME=rgb", help="Format the network was trained on; rgb for images.", rich_help_panel=_INPUTS),
    ] = None,
    mean: Annotated[
        list[str] | None,
        Option(metavar="NAME='123.6 116.2 103.5'", help="Subtracted per channel.", rich_help_panel=_INPUTS),
    ] = None,
    scale: Annotated[
        list[str] | None,
        Option(metavar="NAME='0.017 0.017 0.017'", help="Multiplied per channel then.", rich_help_panel=_INPUTS),
    ] = None,
    cal_data: Annotated[
        list[str] | None,
        Option(metavar="FOLDER", help="Calibration data, one folder per input.", rich_help_panel=_INPUTS),
    ] = None,
    remove: Annotated[
        list[str] | None, Option(metavar="TYPE|auto", help="Node types to take off the edges, outermost first.")
    ] = None,
    json: opt.Json = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Write the YAML that hb_mapper or hb_compile converts a model by.

    Exits 1 when the tool will refuse the model itself.
    """
    from surgery import api
    from surgery.cli import parse
    from surgery.cli.output import Output

    out = Output(json, taken=(model, output), quiet=quiet, verbose=verbose)
    document = api.config(
        model,
        march=march,
        output=output,
        input_shape=parse.shapes(input_shape or ()),
        input_type=parse.texts("--input-type", input_type or (), "NAME=nv12"),
        trained_on=parse.texts("--trained-on", trained_on or (), "NAME=rgb"),
        mean=parse.texts("--mean", mean or (), "NAME='123.6 116.2 103.5'"),
        scale=parse.texts("--scale", scale or (), "NAME='0.017 0.017 0.017'"),
        cal_data=cal_data or (),
        remove=remove or (),
    )
    out.add(document)
    out.finish()
