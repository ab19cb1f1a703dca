"""``surgery run``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from surgery.cli import options as opt

if TYPE_CHECKING:
    from surgery.api import Run
    from surgery.report import RunDocument


class Verify(StrEnum):
    """When the numbers are verified."""

    EACH = "each"
    END = "end"
    OFF = "off"


Out = Annotated[Path | None, Option("--output", "-o", metavar="OUT", help="File, or folder for several models.")]
InPlace = Annotated[bool, Option("--in-place", help="Replace the model itself.")]
DryRun = Annotated[bool, Option("--dry-run", help="Write no model.")]
Protect = Annotated[str | None, Option(metavar="REGEX", help="Touch no node of such a name.")]
When = Annotated[Verify, Option(help="Verify after each pass, once at the end, or not at all.")]
Budget = Annotated[list[str] | None, Option(metavar="METRIC=BOUND", help="What approximate rewrites may use up.")]
Eval = Annotated[str | None, Option("--eval", metavar="MODULE:FUNCTION", help="Measure before and after.")]
ConfigOut = Annotated[
    Path | None, Option("--config-out", metavar="CONF.yaml", help="Write the YAML that converts the result, too.")
]
Rank4 = Annotated[bool, Option("--rank4-inputs", help="Let inputs and outputs of rank 1 to 3 be of rank 4.")]
Host = Annotated[Path | None, Option("--host-code", metavar="DIR", help="Write what moved to the host, as code.")]
Keep = Annotated[bool, Option("--keep-input-initializers", help="Leave initializers among the inputs.")]


def run(
    models: opt.Models,
    march: opt.Marches,
    out: Out = None,
    in_place: InPlace = False,
    dry_run: DryRun = False,
    report: opt.Reports = None,
    config_out: ConfigOut = None,
    pipeline: opt.Pipeline = None,
    add: opt.Add = None,
    skip: opt.Skip = None,
    set_: opt.Set = None,
    protect: Protect = None,
    verify: When = Verify.EACH,
    budget: Budget = None,
    eval_: Eval = None,
    keep_input_initializers: Keep = False,
    rank4_inputs: Rank4 = False,
    host_code: Host = None,
    assume: opt.Assume = None,
    run_on_bpu: opt.RunOnBpu = None,
    witness: opt.Witness = None,
    witness_level: opt.WitnessLevel = "O2",
    witness_limit: opt.WitnessLimit = 600.0,
    log: opt.Log = None,
    inputs: opt.Inputs = None,
    samples: opt.Samples = 4,
    seed: opt.Seed = 0,
    input_shape: opt.InputShapes = None,
    input_range: opt.InputRanges = None,
    json: opt.Json = None,
    fail_on: opt.FailOn = None,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> None:
    """Rewrite models so that they fit the chip, prove how far the numbers moved, and report the gain.

    Exits 1 when something is left: refused by the toolchain, a node on the CPU or unknown, not fully verified.
    """
    from surgery import api
    from surgery.cli import parse
    from surgery.cli.evaluator import load_evaluator
    from surgery.cli.jobs import jobs, need_one
    from surgery.cli.output import Output
    from surgery.cli.places import need_config, places
    from surgery.cli.progress import progress
    from surgery.cli.witness import asked
    from surgery.host import check_folder
    from surgery.report.write import write_text

    todo = jobs(models, march, assume)
    need_one(todo, log)
    need_one(todo, host_code, "--host-code")
    if host_code is not None:
        check_folder(host_code)
    files = places(todo, out, in_place=in_place, dry_run=dry_run)
    need_config(config_out, todo, files)
    output = Output(
        json, tuple(report or ()), (*models, *files, log, config_out), frozenset(fail_on or ()), quiet, verbose
    )
    settings: dict[str, Any] = {
        "pipeline": pipeline,
        "add": add or (),
        "skip": skip or (),
        "set_": parse.settings(set_ or ()),
        "verify": verify.value,
        "budget": parse.budget(budget or ()),
        "protect": protect,
        "eval_": load_evaluator(eval_) if eval_ else None,
        "keep_input_initializers": keep_input_initializers,
        "rank4_inputs": rank4_inputs,
        "assume": assume,
        "run_on_bpu": run_on_bpu or (),
        "inputs": inputs,
        "samples": samples,
        "seed": seed,
        "input_shape": parse.shapes(input_shape or ()),
        "input_range": parse.ranges(input_range or ()),
        "witness_level": witness_level,
        "witness_limit": witness_limit,
        "log": log,
    }
    with progress(quiet=quiet, verbose=verbose) as bar, asked(witness) as toolchain:
        for job, file in zip(todo, files, strict=True):
            bar.start(job.name)
            with output.attempt(job):
                done = api.run(job.path, march=job.march, progress=bar.step, witness=toolchain, **settings)
                drafted = _drafted(done, file, job.march, config_out, settings["input_shape"])
                output.add(_saved(done, file, host_code))
                if config_out is not None and drafted is not None:
                    write_text(drafted, config_out)
    output.finish()


def _drafted(
    done: Run, file: Path | None, march: str, config: Path | None, shapes: Mapping[str, Sequence[int]]
) -> str | None:
    """The YAML for the result, which is not written yet; None where none is wanted."""
    if config is None or file is None or done.report.exceeded:
        return None
    from surgery.configured import Wanted, drafted

    result = done.model.copy()
    result.path = file
    return drafted(result, march, config, Wanted(shapes))[0]


def _saved(done: Run, file: Path | None, host: Path | None) -> RunDocument:
    if file is None or done.report.exceeded:
        return done.report
    code = None if host is None else done.host_code(file.stem)
    done.save(file)
    written = code.save(host) if code is not None and host is not None else ()
    return done.report.model_copy(update={"output": str(file), "host_code": tuple(map(str, written))})
