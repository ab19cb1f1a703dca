"""The Python interface: the verbs of the command line as functions, their flags as parameters.

Every function takes a model as a path, the bytes of a file, a ModelProto or a :class:`surgery.Model`, and never
changes it. Documents are the ones that ``--json`` writes.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from surgery.cost import NoCoefficients, estimate
from surgery.drift.inputs import make_inputs
from surgery.drift.taps import diff as measure
from surgery.errors import InputError
from surgery.ir import Model
from surgery.pipeline import Pipeline as Passes
from surgery.pipeline import registry
from surgery.pipeline.bisect import Bisector
from surgery.pipeline.cures import cures
from surgery.pipeline.explain import explain as why
from surgery.pipeline.run import run as run_pipeline
from surgery.pipeline.view import folded, frozen, place_as_seen
from surgery.report.catalogue import MarchesDocument, PassesDocument, march_entry, pass_entry
from surgery.report.check import CheckDocument, check_document
from surgery.report.cost import CostDocument, cost_document, no_estimate
from surgery.report.diff import DiffDocument, diff_document
from surgery.report.run import RunDocument, run_document
from surgery.report.todo import with_todo
from surgery.report.trace import BisectDocument, ExplainDocument, bisect_document, explain_document
from surgery.report.write import write_text
from surgery.target import load_target, march_names

if TYPE_CHECKING:
    from surgery.ir.model import Source
    from surgery.overlaid import Overlay
    from surgery.pipeline.result import RunResult
    from surgery.report.base import Span
    from surgery.report.calibration import CalibrationDocument
    from surgery.target import Target
    from surgery.witnessed import Asked

Steps: TypeAlias = "Passes | str | os.PathLike[str] | None"
Data: TypeAlias = "str | os.PathLike[str] | Mapping[str, Any] | None"
Log: TypeAlias = "str | os.PathLike[str] | None"
Shapes: TypeAlias = "Mapping[str, Sequence[int]] | None"
Ranges: TypeAlias = "Mapping[str, tuple[float, float]] | None"
D = TypeVar("D", CheckDocument, CostDocument, RunDocument, ExplainDocument, BisectDocument)
L = TypeVar("L", CostDocument, RunDocument, ExplainDocument)
Evaluator: TypeAlias = "Callable[[Any], float | Mapping[str, float]]"


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


@dataclass(frozen=True)
class Pipeline(Passes):
    """Passes in order, from a file or in Python; its ``run`` returns what :func:`run` returns."""

    def run(self, model: Source, *, march: str, **options: Any) -> Run:  # type: ignore[override]  # with a report
        """Run this pipeline; the options are those of :func:`run`."""
        return run(model, march=march, pipeline=self, **options)


def check(
    model: Source,
    *,
    march: str,
    assume: str | None = None,
    run_on_bpu: Sequence[str] = (),
    input_shape: Shapes = None,
    witness: Asked | None = None,
    log: Log = None,
) -> CheckDocument:
    """Where every node would run on ``march``, which limits it breaks, and which pass cures it. Needs no weights.

    ``run_on_bpu`` names what the toolchain is asked to run on the BPU, nodes or operators, with wildcards.
    ``input_shape`` has it looked at with its inputs at these sizes. ``witness`` asks the vendor's own toolchain, too:
    its folder, ``"auto"``, or an open one (:class:`surgery.toolchain.Witness`). ``log``
    is what its checker or converter printed, whose verdicts stand in for predicted ones.
    """
    if run_on_bpu and witness is not None:
        raise InputError("the vendor's checker cannot be asked for nodes on the BPU", hint="surgery run --witness can")
    loaded = _loaded(model, input_shape)
    target = _asking(load_target(march, assume), run_on_bpu, loaded)
    corrected = _overlay(loaded, target, log)
    target = corrected.target if corrected else target
    twin = folded(loaded)
    placement = place_as_seen(loaded, target, twin)
    document = _at(check_document(loaded, placement, cures(twin, placement)), input_shape)
    document = with_todo(corrected.mark(document) if corrected else document)
    if witness is None:
        return document
    from surgery.witnessed import check_witnessed, opened

    with opened(witness) as asked:
        found = check_witnessed(model, loaded, document, asked, input_shape)
    return document.model_copy(update={"witness": found})


def cost(
    model: Source,
    *,
    march: str,
    assume: str | None = None,
    run_on_bpu: Sequence[str] = (),
    input_shape: Shapes = None,
    log: Log = None,
) -> CostDocument:
    """The predicted time of ``model`` on ``march``, node by node and in total. Needs no weights.

    ``run_on_bpu`` names what the toolchain is asked to run on the BPU; ``input_shape`` has the model looked at with its
    inputs at these sizes, ``log`` with the devices of the vendor's log.
    """
    loaded = _loaded(model, input_shape)
    target = _asking(load_target(march, assume), run_on_bpu, loaded)
    corrected = _overlay(loaded, target, log)
    target = corrected.target if corrected else target
    try:
        document = cost_document(loaded, target.name, estimate(place_as_seen(loaded, target)))
    except NoCoefficients as error:
        document = no_estimate(loaded, target.name, error.what)
    return _with(_at(document, input_shape), corrected).model_copy(update={"run_on_bpu": target.run_on_bpu})


def calibrate(files: Sequence[Path], *, march: str, output: Path | None = None) -> CalibrationDocument:
    """The coefficients of ``march`` refined by measured times (CSV: model, bpu_ms or latency_ms).

    ``output`` becomes a march file to give to ``march`` from then on, with its coefficients beside it.

    Raises:
        InputError: a file that is no such table, or measurements that identify no coefficient.
        NoCoefficients: the march has none to refine.
    """
    from surgery.calibrated import calibrated

    return calibrated(files, load_target(march), output)


def run(
    model: Source,
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
        eval_: called with something that has ``run(feeds) -> outputs``, before and after; returns a number or
            numbers by metric.
        assume: march whose limits stand in for unknown ones.
        run_on_bpu: what the toolchain is asked to run on the BPU: names of nodes or operators, with wildcards.
        keep_input_initializers: leave initializers that are also inputs among the inputs.
        rank4_inputs: let inputs and outputs of floats of rank 1 to 3 be of rank 4.
        progress: called with the name of each pass before it runs.
        witness: compile before and after with the vendor's own toolchain: its folder, ``"auto"``, or an open one.
        witness_level: at which of its levels, O0 to O3.
        witness_limit: seconds that it may compile a model.
        log: what the vendor's checker or converter printed about this model: passes act on its verdicts.

    Raises:
        SurgeryError: something given cannot be used; the message says what and what to do.
    """
    target = load_target(march, assume)
    target = _asking(target, run_on_bpu, Model.load(model)) if run_on_bpu else target
    name = target.name
    if witness is not None:
        from surgery.witnessed import need_answerable, opened, rerun, run_witnessed

        need_answerable(witness, name, witness_level)
    chosen = _pipeline(pipeline, name).freezing(input_shape or {})
    options = {**({"normalise-rank.inputs": "true"} if rank4_inputs else {}), **(set_ or {})}
    chosen = chosen.skipping(skip).adding(add).with_options(options)
    corrected = _overlay(Model.load(model), target, log, chosen) if log is not None else None
    target = corrected.target if corrected else target
    settings = {"verify": verify, "samples": samples, "seed": seed, "assume": assume, "protect": protect}
    settings |= {"run_on_bpu": list(run_on_bpu)} if run_on_bpu else {}
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
    replay = {
        **settings,
        "inputs": result.inputs.description if result.inputs else None,
        "pipeline": result.pipeline.to_dict(),
        "versions": versions(),
        **({} if log is None else {"log": str(log)}),
    }
    left = cures(result.model, result.after.placement)
    document = _at(run_document(result, evaluator=_name(eval_), cures=left, replay=replay), input_shape)
    document = _with(document, corrected).model_copy(update={"run_on_bpu": target.run_on_bpu})
    if witness is None:
        return Run(result, document)
    if progress is not None:
        progress(f"compiling before and after at {witness_level}")
    again = rerun(model, result, march=target, protect=protect)
    with opened(witness) as asked:
        found = run_witnessed(model, result, asked, witness_level, witness_limit, again)
    return Run(result, document.model_copy(update={"witness": found}))


def diff(
    reference: Source,
    candidate: Source,
    *,
    taps: bool = True,
    inputs: Data = None,
    samples: int = 4,
    seed: int = 0,
    input_shape: Shapes = None,
    input_range: Ranges = None,
    progress: Callable[[int, int], None] | None = None,
    witness: Asked | None = None,
    march: str | None = None,
) -> DiffDocument:
    """How far the numbers of ``candidate`` are from those of ``reference``, value by value.

    ``taps`` compares internal values of one name, too; ``progress`` is called with batches done and to do.
    ``witness`` (a folder, ``"auto"``, or an open one) has the vendor's toolchain quantise both for ``march``, and
    compares their fake-quant and int8 outputs with the reference.
    """
    left, right = Model.load(reference), Model.load(candidate)
    data = make_inputs(left, samples=samples, seed=seed, given=inputs, shapes=input_shape, ranges=input_range)
    document = diff_document(left, right, measure(left, right, data, taps=taps, progress=progress), data.description)
    if witness is None:
        return document
    if march is None:
        raise InputError("a witness quantises for a march", where="--witness", hint="name one: --march X5")
    from surgery.witnessed import diff_witnessed, opened

    with opened(witness) as asked:
        found = diff_witnessed(left, right, data.samples, asked, load_target(march).name)
    return document.model_copy(update={"witness": found})


def explain(
    model: Source,
    pass_: str,
    *,
    march: str | None = None,
    node: str | None = None,
    pipeline: Steps = None,
    assume: str | None = None,
    input_shape: Shapes = None,
    log: Log = None,
) -> ExplainDocument:
    """Why the rules of the pass ``pass_`` fire or refuse on ``model``, or on one ``node`` of it.

    With a ``pipeline``, the passes before it run first; with an ``input_shape`` it is looked at with its inputs at
    these sizes, with a ``log`` with the devices of the vendor's. Needs no weights but those that a rule looks at.
    """
    loaded, target = Model.load(model), None if march is None else load_target(march, assume)
    chosen = (Passes(()) if pipeline is None else _pipeline(pipeline, None)).freezing(input_shape or {})
    corrected = _overlay(loaded, target, log, chosen)
    target = corrected.target if corrected else target
    found = why(loaded, pass_, target, node=node, pipeline=chosen)
    return _with(_at(explain_document(loaded, pass_, target, found), input_shape), corrected)


def bisect(
    model: Source,
    *,
    march: str | None = None,
    pipeline: Steps = None,
    inputs: Data = None,
    samples: int = 4,
    seed: int = 0,
    input_shape: Shapes = None,
    input_range: Ranges = None,
    assume: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> BisectDocument:
    """The first pass of ``pipeline``, and its first match, that breaks the numbers of ``model``."""
    loaded, target = Model.load(model), None if march is None else load_target(march, assume)
    chosen = _pipeline(pipeline, target.name if target else None).freezing(input_shape or {})
    frozen_at = chosen.frozen(loaded.graph)
    shapes = {**(input_shape or {}), **(frozen_at or {})}
    data = make_inputs(
        loaded,
        samples=samples,
        seed=seed,
        given=inputs,
        shapes=shapes,
        ranges=input_range,
        frozen=frozen_at is not None,
    )
    guilty = Bisector(loaded, chosen.settled(data.sizes), target, data, progress).first()
    document = bisect_document(loaded, target, [step.id for step in chosen.steps], data.description, guilty)
    return _at(document, input_shape)


def passes(names: Sequence[str] | None = None) -> PassesDocument:
    """The passes that are installed, or those named; InputError with the nearest names for one that is not."""
    default = {step.id for step in Passes.default().steps}
    kinds = map(registry.load, names or registry.names())
    return PassesDocument(passes=tuple(pass_entry(kind, default=kind.name in default) for kind in kinds))


def marches(names: Sequence[str] | None = None) -> MarchesDocument:
    """The marches that are shipped, or those named."""
    return MarchesDocument(marches=tuple(march_entry(load_target(name)) for name in names or march_names()))


def versions() -> dict[str, str]:
    """Versions of this tool and of what decides its numbers."""
    libraries = ("surgery", "onnx", "onnxruntime", "numpy", "onnx-graphsurgeon")
    return {"python": platform.python_version(), **{name: version(name) for name in libraries}}


def _at(document: D, shapes: Shapes) -> D:
    """The document of a model that was looked at with its inputs at ``shapes``."""
    stated = {name: tuple(shape) for name, shape in (shapes or {}).items()}
    return document.model_copy(update={"input_shape": stated})


def _asking(target: Target, globs: Sequence[str], model: Model) -> Target:
    return target.asking(globs, model.nodes()) if globs else target


def _overlay(model: Model, target: Target | None, log: Log, pipeline: Passes | None = None) -> Overlay | None:
    """What ``log`` says of ``model``, at the sizes that ``pipeline`` gives its inputs; None without a log."""
    if log is None:
        return None
    from surgery.overlaid import need_march_for, overlay, overlay_at

    if target is None:
        raise need_march_for(log)
    return overlay(model, target, log) if pipeline is None else overlay_at(model, pipeline, target, log)


def _with(document: L, corrected: Overlay | None) -> L:
    return document if corrected is None else document.model_copy(update={"log": corrected.part})


def _loaded(model: Source, shapes: Shapes) -> Model:
    loaded = Model.load(model)
    return frozen(loaded, shapes) if shapes else loaded


def _pipeline(given: Steps, march: str | None) -> Passes:
    if isinstance(given, Passes):
        return given
    return Passes.default(march) if given is None else Passes.from_yaml(given)


def _metrics(evaluate: Evaluator | None) -> Callable[[Any], Mapping[str, float]] | None:
    if evaluate is None:
        return None

    def measured(runner: Any) -> Mapping[str, float]:
        found = evaluate(runner)
        return found if isinstance(found, Mapping) else {"score": float(found)}

    return measured


def _name(evaluate: Evaluator | None) -> str:
    return "" if evaluate is None else f"{evaluate.__module__}:{getattr(evaluate, '__qualname__', evaluate)}"
