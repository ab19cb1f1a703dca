"""Two models on the same inputs, and which pass moves the numbers of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from surgery.api.given import Data, Given, Ranges, Shapes, Steps, at, pipeline_of, sourced, sourced_all, target_of
from surgery.drift.inputs import make_inputs
from surgery.drift.taps import diff as measure
from surgery.drift.thresholds import Method
from surgery.errors import InputError, unknown
from surgery.ir import Model
from surgery.pipeline.bisect import Bisector
from surgery.report.diff import DiffDocument, diff_document
from surgery.report.trace import BisectDocument, bisect_document
from surgery.target import load_target

if TYPE_CHECKING:
    from surgery.target import Target
    from surgery.training.example import Example
    from surgery.witnessed import Asked


def diff(
    reference: Given,
    candidate: Given,
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
    int8: bool = False,
    calibration: str = "max",
    example: Example | None = None,
) -> DiffDocument:
    """How far the numbers of ``candidate`` are from those of ``reference``, value by value.

    ``taps`` compares internal values of one name, too; ``progress`` is called with batches done and to do.
    ``witness`` (a folder, ``"auto"``, or an open one) has the vendor's toolchain quantise both for ``march``, and
    compares their fake-quant and int8 outputs with the reference. ``int8`` simulates that without it, layer by layer,
    calibrated on the same inputs: thresholds by ``calibration`` (``max``, ``percentile`` or ``kl``).
    ``example`` is what either is exported with that is a PyTorch module, or both.
    """
    method = method_of(calibration)
    target = _quantising(march, witness, int8, method)
    left, right = map(Model.load, sourced_all((reference, candidate), example))
    data = make_inputs(left, samples=samples, seed=seed, given=inputs, shapes=input_shape, ranges=input_range)
    document = diff_document(left, right, measure(left, right, data, taps=taps, progress=progress), data.description)
    if target is not None and int8:
        from surgery.simulated import diff_simulated

        document = document.model_copy(update={"int8": diff_simulated(left, right, data, target, method)})
    if target is None or witness is None:
        return document
    from surgery.witnessed import diff_witnessed, opened

    with opened(witness) as asked:
        found = diff_witnessed(left, right, data.samples, asked, target.name, method.value)
    return document.model_copy(update={"witness": found})


def bisect(
    model: Given,
    *,
    march: str | None = None,
    pipeline: Steps = None,
    inputs: Data = None,
    samples: int = 4,
    seed: int = 0,
    input_shape: Shapes = None,
    input_range: Ranges = None,
    assume: str | None = None,
    run_on_bpu: Sequence[str] = (),
    progress: Callable[[str], None] | None = None,
    example: Example | None = None,
) -> BisectDocument:
    """The first pass of ``pipeline``, and its first match, that breaks the numbers of ``model``.

    ``run_on_bpu`` names what the toolchain is asked to run on the BPU; ``example`` is what a PyTorch module is exported
    with.
    """
    loaded = Model.load(sourced(model, example))
    target = target_of(march, assume, run_on_bpu, loaded)
    chosen = pipeline_of(pipeline, target.name if target else None).freezing(input_shape or {})
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
    return at(document, input_shape)


def _quantising(march: str | None, witness: Asked | None, int8: bool, calibration: Method) -> Target | None:
    """The march that both are quantised for; None where nothing is."""
    if witness is None and not int8:
        if calibration != Method.MAX:
            raise InputError(
                "nothing is quantised", where=f"--calibration {calibration}", hint="add --int8 or --witness"
            )
        return None
    if march is None:
        where = "--int8" if witness is None else "--witness"
        raise InputError("models are quantised for a march", where=where, hint="name one: --march X5")
    return load_target(march)


def method_of(name: str) -> Method:
    """How thresholds are found, by its name; InputError with the nearest for one that is none."""
    if name not in list(Method):
        raise unknown("calibration", name, list(Method))
    return Method(name)
