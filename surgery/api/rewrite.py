"""The main job: rewrite, verify, estimate, report."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from surgery.api.given import (
    Data,
    Given,
    Log,
    Ranges,
    Shapes,
    Steps,
    asking,
    at,
    overlaid,
    pipeline_of,
    sourced,
    with_log,
)
from surgery.drift.figures import figures, values
from surgery.errors import InputError
from surgery.ir import Model
from surgery.pipeline import Pipeline as Passes
from surgery.pipeline.cures import cures
from surgery.pipeline.run import run as run_pipeline
from surgery.report.run import RunDocument, run_document
from surgery.report.write import write_text
from surgery.target import load_target
from surgery.versions import versions

if TYPE_CHECKING:
    from surgery.drift.figures import Said
    from surgery.host import HostCode
    from surgery.ir.model import Source
    from surgery.pipeline.result import RunResult
    from surgery.report.base import Span
    from surgery.training.example import Example
    from surgery.witnessed import Asked

Evaluator: TypeAlias = "Callable[[Any], Said | Mapping[str, Said]]"
"""Called with what runs a model; returns a metric, or metrics by name: numbers, or a number or truth per sample [N]."""


@dataclass(frozen=True)
class Run:
    """What :func:`run` returns.

    Attributes:
        result: all that the pipeline knows.
        report: the document; its ``to_html``, ``to_markdown`` and ``to_json`` take a path.
    """

    result: RunResult
    report: RunDocument

    @property
    def model(self) -> Model:
        """The rewritten model."""
        return self.result.model

    @property
    def speedup(self) -> Span | None:
        """Latency before over after; None, with ``report.speedup_reason``, where it cannot be stated."""
        return self.report.speedup

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the rewritten model; InputError, with nothing written, when a budget is exceeded.

        The scales of a model that was quantised go beside it, as ``<model>.scales.json``, and which channels of the
        original's weights are in it as ``<model>.plan.json``.
        """
        if self.report.exceeded:
            raise InputError(f"over budget: {'; '.join(self.report.exceeded)}", hint="nothing was written")
        self.model.save(path)
        if self.report.scales:
            beside = {"kind": "surgery.scales/1", "scales": [scale.model_dump() for scale in self.report.scales]}
            write_text(json.dumps(beside, indent=1) + "\n", Path(path).with_suffix(".scales.json"))
        if self.result.plan is not None:
            write_text(self.result.plan.to_json(), Path(path).with_suffix(".plan.json"))

    def host_code(self, name: str | None = None) -> HostCode:
        """Python, C++ and manifest of what moved off the model; its ``save`` takes a folder.

        ``name`` is what the files are called after, by default the original's; checked against the graphs that moved.
        Raises NoEmitter for an operator that is not printed.
        """
        from surgery.host import host_code

        path = self.result.original.path
        return host_code(self.result, name or (path.stem if path else "model"))


@dataclass(frozen=True)
class Pipeline(Passes):
    """Passes in order, from a file or in Python; its ``run`` returns what :func:`run` returns."""

    def run(self, model: Given, *, march: str, **options: Any) -> Run:  # type: ignore[override]  # with a report
        """Run this pipeline; the options are those of :func:`run`."""
        return run(model, march=march, pipeline=self, **options)


def run(
    model: Given,
    *,
    march: str,
    pipeline: Steps = None,
    add: Sequence[str] = (),
    skip: Sequence[str] = (),
    set_: Mapping[str, str] | None = None,
    verify: str = "each",
    inputs: Data = None,
    samples: int = 4,
    seed: int = 0,
    input_shape: Shapes = None,
    input_range: Ranges = None,
    budget: Mapping[str, float] | None = None,
    protect: str | None = None,
    eval_: Evaluator | None = None,
    assume: str | None = None,
    run_on_bpu: Sequence[str] = (),
    keep_input_initializers: bool = False,
    rank4_inputs: bool = False,
    progress: Callable[[str], None] | None = None,
    witness: Asked | None = None,
    witness_level: str = "O2",
    witness_limit: float = 600.0,
    log: Log = None,
    example: Example | None = None,
) -> Run:
    """Rewrite ``model`` for ``march``, and prove how far the numbers moved.

    Args:
        model: what to rewrite.
        march: name, board or march file.
        pipeline: a pipeline or the path of its file; the default one of the march when None.
        add: names of passes to append to it.
        skip: names of passes to leave out of it.
        set_: options to change, as ``{"PASS.FIELD": YAML text}``.
        verify: ``each`` pass, once at the ``end``, or ``off``.
        inputs: npz file, folder, or arrays by name; made up from ``seed`` when None.
        samples: how many to run.
        seed: of made-up values.
        input_shape: sizes of dynamic inputs, by name: the model is made static at them (by ``freeze-shapes``, in front
            of the pipeline unless it is in it; skip it to have the model only run at them).
        input_range: lowest and highest made-up value, by name of the input.
        budget: bounds that approximate rewrites may use up, by metric.
        protect: regular expression of node names that nothing may touch.
        eval_: called with something that has ``run(feeds) -> outputs``, before and after; returns a number, an array
            [N] with a number or truth for each sample, or such by metric.
        assume: march whose limits stand in for unknown ones.
        run_on_bpu: what the toolchain is asked to run on the BPU: names of nodes or operators, with wildcards.
        keep_input_initializers: leave initializers that are also inputs among the inputs.
        rank4_inputs: let inputs and outputs of floats of rank 1 to 3 be of rank 4.
        progress: called with the name of each pass before it runs.
        witness: compile before and after with the vendor's own toolchain: its folder, ``"auto"``, or an open one.
        witness_level: at which of its levels, O0 to O3.
        witness_limit: seconds that it may compile a model.
        log: what the vendor's checker or converter printed about this model: passes act on its verdicts.
        example: what a PyTorch module is exported with (:func:`surgery.training.export`, which has more options).

    Raises:
        SurgeryError: something given cannot be used; the message says what and what to do.
    """
    model, target = sourced(model, example), load_target(march, assume)
    target = asking(target, run_on_bpu, Model.load(model)) if run_on_bpu else target
    if witness is not None:
        from surgery.witnessed import need_answerable

        need_answerable(witness, target.name, witness_level)
    options = {**({"normalise-rank.inputs": "true"} if rank4_inputs else {}), **(set_ or {})}
    chosen = pipeline_of(pipeline, target.name).freezing(input_shape or {})
    chosen = chosen.skipping(skip).adding(add).with_options(options)
    corrected = overlaid(Model.load(model), target, log, chosen) if log is not None else None
    target = corrected.target if corrected else target
    result = run_pipeline(
        model,
        march=target,
        pipeline=chosen,
        keep_input_initializers=keep_input_initializers,
        verify=verify,
        inputs=inputs,
        samples=samples,
        seed=seed,
        input_shapes=input_shape,
        input_ranges=input_range,
        budget=budget,
        protect=protect,
        evaluate=_metrics(eval_),
        progress=progress,
    )
    settings = {"verify": verify, "samples": samples, "seed": seed, "assume": assume, "protect": protect}
    settings |= {"run_on_bpu": list(run_on_bpu)} if run_on_bpu else {}
    settings |= {} if log is None else {"log": str(log)}
    left = cures(result.model, result.after.placement)
    document = run_document(result, evaluator=_name(eval_), cures=left, replay=_replay(result, settings))
    document = with_log(at(document, input_shape), corrected).model_copy(update={"run_on_bpu": target.run_on_bpu})
    done = Run(result, document)
    if witness is None:
        return done
    if progress is not None:
        progress(f"compiling before and after at {witness_level}")
    return _witnessed(model, done, witness, witness_level, witness_limit, protect)


def _replay(result: RunResult, settings: Mapping[str, object]) -> dict[str, object]:
    """All that it takes to do the run again."""
    inputs = result.inputs.description if result.inputs else None
    return {**settings, "inputs": inputs, "pipeline": result.pipeline.to_dict(), "versions": versions()}


def _witnessed(model: Source, done: Run, witness: Asked, level: str, limit: float, protect: str | None) -> Run:
    """The run with what the vendor's toolchain makes of the model before and after."""
    from surgery.witnessed import opened, rerun, run_witnessed

    again = rerun(model, done.result, march=done.result.target, protect=protect)
    with opened(witness) as asked:
        found = run_witnessed(model, done.result, asked, level, limit, again)
    return replace(done, report=done.report.model_copy(update={"witness": found}))


def _metrics(evaluate: Evaluator | None) -> Callable[[Any], Mapping[str, float]] | None:
    if evaluate is None:
        return None

    return lambda runner: values(figures(evaluate(runner)))


def _name(evaluate: Evaluator | None) -> str:
    return "" if evaluate is None else f"{evaluate.__module__}:{getattr(evaluate, '__qualname__', evaluate)}"
