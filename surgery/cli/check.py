"""``surgery check``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from surgery.cli import options as opt


class Device(StrEnum):
    """Where a node may run."""

    BPU = "bpu"
    CPU = "cpu"
    FOLDED = "folded"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Sort(StrEnum):
    """The orders in which nodes are listed."""

    GRAPH = "graph"
    NAME = "name"
    OP = "op"
    DEVICE = "device"
    MACS = "macs"


class Advice(StrEnum):
    """What advice is given on."""

    EFFICIENCY = "efficiency"


Only = Annotated[list[Device] | None, Option("--only", help="List the nodes of this device; repeatable.")]
Order = Annotated[Sort, Option("--sort", help="List every node in this order.")]
Advise = Annotated[
    Advice | None,
    Option(help="What every convolution makes of the march, and what its channels would cost in other groups."),
]
Removal = Annotated[
    list[str] | None,
    Option(metavar="TYPE|auto", help="Say what remove_node_type would take off the ends, and what stays; repeatable."),
]
Html = Annotated[Path | None, Option(metavar="F.html", help="Write a page whose table of nodes filters and sorts.")]


def check(
    models: opt.Models,
    march: opt.Marches,
    assume: opt.Assume = None,
    run_on_bpu: opt.RunOnBpu = None,
    input_shape: opt.InputShapes = None,
    witness: opt.Witness = None,
    log: opt.Log = None,
    only: Only = None,
    sort: Order = Sort.GRAPH,
    advise: Advise = None,
    preview_removal: Removal = None,
    html: Html = None,
    json: opt.Json = None,
    fail_on: opt.FailOn = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Say where every node would run, which limits it breaks, and which pass cures it.

    Lists every node with -v, --only or --sort. Needs no weights. Exits 1 when the toolchain would refuse the model, or
    a node is on the CPU or unknown.
    """
    from functools import partial

    from surgery import api
    from surgery.cli import parse
    from surgery.cli.jobs import jobs, need_one
    from surgery.cli.output import Output
    from surgery.cli.witness import asked
    from surgery.report.view.nodes import Listing
    from surgery.report.view.placed import check_page

    content = partial(check_page, listing=Listing(frozenset(only or ()), sort))
    taken, finds = (*models, log), frozenset(fail_on or ())
    out = Output(json, (), taken, finds, quiet, verbose, html, content)
    todo, shapes = jobs(models, march, assume), parse.shapes(input_shape or ())
    need_one(todo, log)
    options: dict[str, Any] = {"assume": assume, "run_on_bpu": run_on_bpu or (), "input_shape": shapes, "log": log}
    options |= {"advise": advise, "preview_removal": preview_removal or ()}
    with asked(witness) as toolchain:
        for job in todo:
            with out.attempt(job):
                source = job.model if toolchain is None else job.path
                out.add(api.check(source, march=job.march, witness=toolchain, **options))
    out.finish()
