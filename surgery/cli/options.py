"""The options that verbs share, each declared once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from typer import Argument, Option


class Finding(StrEnum):
    """The findings of :class:`surgery.report.Finding` that ``--fail-on`` offers."""

    REFUSED = "refused"
    CPU = "cpu"
    UNKNOWN = "unknown"
    UNVERIFIED = "unverified"


_CHIP, _DATA, _OUT = "Chip", "Input data", "Output"

Models = Annotated[list[Path], Argument(metavar="MODEL", help="ONNX files, or folders of them.", show_default=False)]
Model = Annotated[Path, Argument(metavar="MODEL", help="An ONNX file.", show_default=False)]
Marches = Annotated[
    list[str],
    Option("--march", "-m", help="March, board (X3, X5, S100 …) or march file; repeatable.", rich_help_panel=_CHIP),
]
March = Annotated[
    str, Option("--march", "-m", help="March, board (X3, X5, S100 …) or march file.", rich_help_panel=_CHIP)
]
MaybeMarch = Annotated[
    str | None, Option("--march", "-m", help="March, board (X3, X5, S100 …) or march file.", rich_help_panel=_CHIP)
]
Assume = Annotated[
    str | None, Option(metavar="MARCH", help="Borrow limits that are unknown from this one.", rich_help_panel=_CHIP)
]
RunOnBpu = Annotated[
    list[str] | None,
    Option(
        metavar="GLOB",
        help="Nodes or operators that the toolchain is asked to run on the BPU; repeatable.",
        rich_help_panel=_CHIP,
    ),
]
Inputs = Annotated[
    str | None, Option(metavar="F.npz|FOLDER", help="Values to run the models on.", rich_help_panel=_DATA)
]
Samples = Annotated[int, Option(metavar="N", min=1, help="How many samples to run.", rich_help_panel=_DATA)]
Seed = Annotated[int, Option(metavar="N", min=0, help="Seed of values that are made up.", rich_help_panel=_DATA)]
InputShapes = Annotated[
    list[str] | None,
    Option("--input-shape", metavar="NAME=1x3x8x8", help="Sizes at which an input is static.", rich_help_panel=_DATA),
]
InputRanges = Annotated[
    list[str] | None,
    Option("--input-range", metavar="NAME=LO:HI", help="Range of made-up values of an input.", rich_help_panel=_DATA),
]
Pipeline = Annotated[
    Path | None, Option("--pipeline", "-p", metavar="F.yaml", help="Pipeline file; without it the default one.")
]
Before = Annotated[
    Path | None, Option("--pipeline", "-p", metavar="F.yaml", help="Run the passes before it in this pipeline first.")
]
Set = Annotated[list[str] | None, Option("--set", metavar="PASS.FIELD=VALUE", help="Change an option of a pass.")]
Add = Annotated[list[str] | None, Option("--add", metavar="PASS", help="Append a pass to the pipeline.")]
Skip = Annotated[list[str] | None, Option("--skip", metavar="PASS", help="Leave a pass out of the pipeline.")]
WhatIf = Annotated[
    str | None,
    Option(
        "--what-if",
        metavar="KEY=VALUE,…",
        help="Estimate it deployed otherwise, too: channels=16,int16[=GLOB+…],cores=2,batch=4,align=width:4+….",
        rich_help_panel=_CHIP,
    ),
]
Witness = Annotated[
    str | None,
    Option(metavar="[DIR]", help="Ask the vendor's own toolchain, too; looked for without DIR.", rich_help_panel=_CHIP),
]
Log = Annotated[
    Path | None,
    Option(metavar="VENDOR.log", help="Take verdicts from what the vendor's checker printed.", rich_help_panel=_CHIP),
]
WitnessLevel = Annotated[str, Option(metavar="O0..O3", help="Level at which it compiles.", rich_help_panel=_CHIP)]
WitnessLimit = Annotated[
    float, Option(min=1, metavar="SECONDS", help="How long it may compile a model.", rich_help_panel=_CHIP)
]
Json = Annotated[
    str | None, Option("--json", metavar="F|-", help="Write the JSON document; - is stdout.", rich_help_panel=_OUT)
]
Reports = Annotated[
    list[Path] | None,
    Option("--report", metavar="R.html|R.md|R.json", help="Write a report; repeatable.", rich_help_panel=_OUT),
]
Open = Annotated[bool, Option("--open", help="Show the HTML report in a browser.", rich_help_panel=_OUT)]
Quiet = Annotated[bool, Option("--quiet", "-q", help="Only the closing lines, and errors.", rich_help_panel=_OUT)]
Verbose = Annotated[bool, Option("--verbose", "-v", help="Every row, progress, tracebacks.", rich_help_panel=_OUT)]
FailOn = Annotated[
    list[Finding] | None,
    Option(help="Exit 1 for these findings only; repeatable. Any finding otherwise.", rich_help_panel=_OUT),
]
