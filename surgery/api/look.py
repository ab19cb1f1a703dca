"""Looking at a model: where it runs, what it costs, why a pass does what it does; and what there is to look with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from surgery.api.given import (
    Given,
    Log,
    Shapes,
    Steps,
    asking,
    at,
    loaded_at,
    overlaid,
    pipeline_of,
    sourced,
    sourced_all,
    target_of,
    with_log,
)
from surgery.cost import NoCoefficients, estimate
from surgery.cost import what_if as read_what_if
from surgery.errors import InputError, unknown
from surgery.ir import Model
from surgery.ir.collector import undisturbed
from surgery.pipeline import Pipeline, registry
from surgery.pipeline.cures import cures
from surgery.pipeline.explain import explain as why
from surgery.pipeline.view import fold, place_as_seen, place_folded, work_of
from surgery.report.catalogue import MarchesDocument, PassesDocument, march_entry, pass_entry
from surgery.report.check import CheckDocument, check_document
from surgery.report.convolutions import convolution_part
from surgery.report.cost import CostDocument, cost_document, no_estimate
from surgery.report.cost_diff import CostDiffDocument, Costed, cost_diff_document
from surgery.report.removal import removal_part
from surgery.report.todo import with_todo
from surgery.report.trace import ExplainDocument, explain_document
from surgery.report.what_if import what_if_part
from surgery.target import load_target, march_names

if TYPE_CHECKING:
    from surgery.cost import WhatIf
    from surgery.training.example import Example
    from surgery.witnessed import Asked

ADVICE = ("efficiency",)
"""What :func:`check` gives advice on where it is asked to."""


def check(
    model: Given,
    *,
    march: str,
    assume: str | None = None,
    run_on_bpu: Sequence[str] = (),
    input_shape: Shapes = None,
    witness: Asked | None = None,
    log: Log = None,
    advise: str | None = None,
    preview_removal: Sequence[str] = (),
    example: Example | None = None,
) -> CheckDocument:
    """Where every node would run on ``march``, which limits it breaks, and which pass cures it. Needs no weights.

    ``run_on_bpu`` names what the toolchain is asked to run on the BPU, nodes or operators, with wildcards.
    ``input_shape`` has it looked at with its inputs at these sizes. ``witness`` asks the vendor's own toolchain, too:
    its folder, ``"auto"``, or an open one (:class:`surgery.toolchain.Witness`). ``log``
    is what its checker or converter printed, whose verdicts stand in for predicted ones. ``advise`` is ``"efficiency"``
    to learn what every convolution makes of the march, and what its channels would cost in other groups.
    ``preview_removal`` lists node types, or ``auto``, to learn what ``remove_node_type`` would take off the ends.
    ``example`` is what a PyTorch module is exported with (:func:`surgery.training.export`).
    """
    if advise is not None and advise not in ADVICE:
        raise unknown("advice", advise, ADVICE)
    if run_on_bpu and witness is not None:
        raise InputError("the vendor's checker cannot be asked for nodes on the BPU", hint="surgery run --witness can")
    model = sourced(model, example)
    with undisturbed():
        loaded = loaded_at(model, input_shape)
        target = asking(load_target(march, assume), run_on_bpu, loaded)
        corrected = overlaid(loaded, target, log)
        target = corrected.target if corrected else target
        before = work_of(loaded)
        fold(loaded)
        placement = place_folded(loaded, target, before)
        document = at(check_document(loaded, placement, cures(loaded, placement)), input_shape)
        document = with_todo(corrected.mark(document) if corrected else document)
    if advise == "efficiency":
        document = document.model_copy(update={"efficiency": convolution_part(placement, loaded.opset)})
    if preview_removal:
        document = document.model_copy(update={"removal": removal_part(placement, preview_removal)})
    if witness is None:
        return document
    from surgery.witnessed import check_witnessed, opened

    with opened(witness) as asked:
        found = check_witnessed(model, loaded_at(model, input_shape), document, asked, input_shape)
    return document.model_copy(update={"witness": found})


def cost(
    model: Given,
    *,
    march: str,
    assume: str | None = None,
    run_on_bpu: Sequence[str] = (),
    input_shape: Shapes = None,
    log: Log = None,
    what_if: WhatIf | str | Mapping[str, Any] | None = None,
    example: Example | None = None,
) -> CostDocument:
    """The predicted time of ``model`` on ``march``, node by node and in total. Needs no weights.

    ``run_on_bpu`` names what the toolchain is asked to run on the BPU; ``input_shape`` has the model looked at with its
    inputs at these sizes, ``log`` with the devices of the vendor's log. ``what_if`` is estimated beside it:
    ``"channels=16,int16,cores=2,batch=4,align=width:4"`` or values by key (:class:`surgery.cost.WhatIf`).
    ``example`` is what a PyTorch module is exported with (:func:`surgery.training.export`).
    """
    options: dict[str, Any] = {"assume": assume, "run_on_bpu": run_on_bpu, "input_shape": input_shape, "log": log}
    options["example"] = example
    return costed(model, march=march, what_if=what_if, **options).document


def cost_diff(
    before: Given,
    after: Given,
    *,
    march: str,
    assume: str | None = None,
    run_on_bpu: Sequence[str] = (),
    input_shape: Shapes = None,
    example: Example | None = None,
) -> CostDiffDocument:
    """The predicted times of two models on ``march``, in total and layer by layer; the options are of :func:`cost`.

    ``example`` is for either of them that is a PyTorch module, or both.
    """
    options: dict[str, Any] = {"assume": assume, "run_on_bpu": run_on_bpu, "input_shape": input_shape}
    models = sourced_all((before, after), example)
    return cost_diff_document(*(costed(model, march=march, **options) for model in models))


def costed(
    model: Given,
    *,
    march: str,
    assume: str | None = None,
    run_on_bpu: Sequence[str] = (),
    input_shape: Shapes = None,
    log: Log = None,
    what_if: WhatIf | str | Mapping[str, Any] | None = None,
    example: Example | None = None,
) -> Costed:
    """What :func:`cost` returns, and the estimate behind it."""
    asked = None if what_if is None else read_what_if(what_if)
    loaded = loaded_at(sourced(model, example), input_shape)
    target = asking(load_target(march, assume), run_on_bpu, loaded)
    corrected = overlaid(loaded, target, log)
    target = corrected.target if corrected else target
    found = None
    try:
        placement = place_as_seen(loaded, target)
        found = estimate(placement)
        document = cost_document(loaded, placement, found)
        if asked is not None:
            other = what_if_part(asked, found, estimate(placement, asked))
            document = document.model_copy(update={"what_if": other})
    except NoCoefficients as error:
        document = no_estimate(loaded, target.name, error.what)
    document = with_log(at(document, input_shape), corrected).model_copy(update={"run_on_bpu": target.run_on_bpu})
    return Costed(document, found)


def explain(
    model: Given,
    pass_: str,
    *,
    march: str | None = None,
    node: str | None = None,
    pipeline: Steps = None,
    assume: str | None = None,
    run_on_bpu: Sequence[str] = (),
    input_shape: Shapes = None,
    log: Log = None,
    example: Example | None = None,
) -> ExplainDocument:
    """Why the rules of the pass ``pass_`` fire or refuse on ``model``, or on one ``node`` of it.

    With a ``pipeline``, the passes before it run first; with an ``input_shape`` it is looked at with its inputs at
    these sizes, with a ``log`` with the devices of the vendor's; ``run_on_bpu`` names what the toolchain is asked to
    run on the BPU; a PyTorch module is exported with ``example``. Needs no weights but those that a rule looks at.
    """
    loaded = Model.load(sourced(model, example))
    target = target_of(march, assume, run_on_bpu, loaded)
    chosen = (Pipeline(()) if pipeline is None else pipeline_of(pipeline, None)).freezing(input_shape or {})
    corrected = overlaid(loaded, target, log, chosen)
    target = corrected.target if corrected else target
    found = why(loaded, pass_, target, node=node, pipeline=chosen)
    return with_log(at(explain_document(loaded, pass_, target, found), input_shape), corrected)


def passes(names: Sequence[str] | None = None) -> PassesDocument:
    """The passes that are installed, or those named; InputError with the nearest names for one that is not."""
    default = {step.id for step in Pipeline.default().steps}
    kinds = map(registry.load, names or registry.names())
    return PassesDocument(passes=tuple(pass_entry(kind, default=kind.name in default) for kind in kinds))


def marches(names: Sequence[str] | None = None) -> MarchesDocument:
    """The marches that are shipped, or those named."""
    return MarchesDocument(marches=tuple(march_entry(load_target(name)) for name in names or march_names()))
