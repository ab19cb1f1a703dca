"""The verbs with the vendor's toolchain as witness: what :mod:`surgery.api` adds to its documents when asked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from surgery.drift.metrics import compare
from surgery.errors import InputError
from surgery.ir import Model
from surgery.ir.session import open_session
from surgery.pipeline.result import Status
from surgery.pipeline.run import run as run_pipeline
from surgery.report.value import value_drifts
from surgery.report.witness import (
    PassTime,
    QuantisedDrift,
    WitnessCheck,
    WitnessDiff,
    WitnessRun,
    WitnessSide,
    witness_check,
    witness_run,
    witness_side,
)
from surgery.toolchain import Answer, Witness, find
from surgery.toolchain.config import Options
from surgery.toolchain.fill import with_weights
from surgery.toolchain.install import need_march
from surgery.toolchain.names import map_names
from surgery.toolchain.quantised import ROUNDED, QuantiseError
from surgery.toolchain.witness import COMPILE_SECONDS

if TYPE_CHECKING:
    from surgery.ir.model import Source
    from surgery.pipeline.result import RunResult
    from surgery.report.check import CheckDocument
    from surgery.target import Target

Asked: TypeAlias = "Witness | str | os.PathLike[str]"
Array: TypeAlias = "np.ndarray[Any, Any]"
Samples: TypeAlias = Sequence[Mapping[str, Array]]
Shapes: TypeAlias = "Mapping[str, Sequence[int]] | None"
Rerun: TypeAlias = Callable[[int], Model]
Compiler: TypeAlias = Callable[..., Answer]
SLOWER = 1.005
"""Times less than this factor apart count as the same."""


@contextmanager
def opened(asked: Asked) -> Iterator[Witness]:
    """A witness: the one given, which stays open, or that of a folder (``auto`` looks for one)."""
    if isinstance(asked, Witness):
        yield asked
        return
    with Witness(find(asked)) as witness:
        yield witness


def check_witnessed(
    given: Source, model: Model, document: CheckDocument, witness: Witness, shapes: Shapes = None
) -> WitnessCheck:
    """The toolchain's verdict on ``given``, which was loaded as ``model``, beside ours; at ``shapes`` if any."""
    source, made_up = _whole(given, model)
    answer = witness.check(source, document.march, shapes=shapes)
    names = map_names(model, answer.placement) if answer.placement else None
    return witness_check(document.nodes, answer, names, made_up=made_up)


def need_answerable(asked: Asked, march: str, level: str) -> None:
    """Raise what no model would get an answer for: no toolchain, a march it does not know, no such level."""
    need_march(march)
    Options(level)
    if not isinstance(asked, Witness):
        find(asked)


def rerun(given: Source, result: RunResult, *, march: Target, protect: str | None) -> Rerun:
    """What makes the model after the first n passes of a run again, of those that were applied."""
    applied = {done.name for done in result.passes if done.status is Status.APPLIED}

    def again(count: int) -> Model:
        names = {done.name for done in result.passes[:count]} & applied
        steps = tuple(step for step in result.pipeline.steps if step.id in names)
        some = replace(result.pipeline, steps=steps)
        return run_pipeline(given, march=march, pipeline=some, protect=protect, verify="off").model

    return again


def run_witnessed(
    given: Source, result: RunResult, witness: Witness, level: str, limit: float, rerun: Rerun
) -> WitnessRun:
    """``given`` and what became of it, compiled at ``level``, each within ``limit`` seconds.

    ``rerun(n)`` makes the model after the first n passes; it is called only when the result is worse, to name the
    pass that made it so.
    """
    compiler = partial(_compile, witness, result.target, level, limit)
    sizes = result.pipeline.frozen(result.original.graph)
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        first = pool.submit(_compiled, given, result.original, compiler, sizes)
        second = pool.submit(_compiled, result.model, result.model, compiler)
        (old, before), (new, after) = first.result(), second.result()
    steps = tuple(_steps(result, compiler, rerun)) if _is_worse(before, after) else ()
    return witness_run(before, after, new.versions or old.versions, level, steps)


def compiled(
    model: Model, witness: Witness, target: Target, level: str, limit: float
) -> tuple[dict[str, str], WitnessSide]:
    """Versions of the toolchain, and ``model`` as it is in memory, compiled at ``level`` within ``limit`` seconds."""
    answer, side = _compiled(model, model, partial(_compile, witness, target, level, limit))
    return answer.versions, side


def compiled_ms(given: Source, model: Model, witness: Witness, target: Target, limit: float = COMPILE_SECONDS) -> float:
    """Milliseconds on the BPU of ``given``, which was loaded as ``model``, as compiled at O2.

    Raises:
        InputError: the toolchain does not take it, or puts nothing of it on the BPU.
    """
    answer, side = _compiled(given, model, partial(_compile, witness, target, "O2", limit))
    if not side.accepted:
        raise InputError(f"the {target.name} toolchain does not take it: {side.reason}", where=str(given))
    if answer.performance is None or not answer.performance.latency_us:
        raise InputError(f"the {target.name} toolchain puts nothing of it on the BPU", where=str(given))
    return answer.performance.latency_us * 1e-3


def diff_witnessed(
    reference: Model, candidate: Model, samples: Samples, witness: Witness, march: str, method: str = "max"
) -> WitnessDiff:
    """Fake-quant and int8 outputs of both models on the samples they were calibrated with, against the reference."""
    session = open_session(reference)
    floats = [session.run(sample) for sample in samples]
    rows = [
        row
        for name, model in _sides(reference, candidate)
        for row in _quantised_rows(name, model, samples, floats, witness, march, method)
    ]
    return WitnessDiff(march=march, method=method, samples=len(samples), rows=tuple(rows))


def _sides(reference: Model, candidate: Model) -> Iterator[tuple[Literal["A", "B"], Model]]:
    yield "A", reference
    yield "B", candidate


def _quantised_rows(
    name: Literal["A", "B"],
    model: Model,
    samples: Samples,
    floats: list[dict[str, Array]],
    witness: Witness,
    march: str,
    method: str,
) -> Iterator[QuantisedDrift]:
    try:
        with witness.quantise(model, march, samples, method=method) as quantised:
            for stage in ROUNDED:
                tallies = compare(zip(floats, quantised.run_all(samples, stage), strict=True))
                drifts = value_drifts(tally.drift() for tally in tallies.values())
                yield QuantisedDrift(model=name, stage=stage.value, outputs=drifts)
    except QuantiseError as error:
        yield QuantisedDrift(model=name, stage="", reason=error.what)


def _compile(
    witness: Witness,
    target: Target,
    level: str,
    limit: float,
    source: Path | Model,
    model: Model,
    shapes: Shapes = None,
) -> Answer:
    """``source``, loaded as ``model``, compiled with what ``target`` asks for on the BPU."""
    asked = (n for n in model.nodes() if n.op in target.on_request and target.verdict(n, model.opset).device == "bpu")
    options = Options(level, run_on_bpu=tuple(node.name for node in asked))
    return witness.compile(source, target.name, options, shapes=shapes, limit=limit)


def _compiled(given: Source, model: Model, compiler: Compiler, shapes: Shapes = None) -> tuple[Answer, WitnessSide]:
    source, made_up = _whole(given, model)
    answer = compiler(source, model, shapes)
    names = map_names(model, answer.placement) if answer.placement else None
    return answer, witness_side(answer, names, made_up=made_up)


def _whole(given: Source, model: Model) -> tuple[Path | Model, bool]:
    """What to ask about: a file as it is, else the model as loaded; made-up weights for those that are absent."""
    whole = with_weights(model)
    if whole is not model:
        return whole, True
    return (Path(given) if isinstance(given, str | os.PathLike) else model), False


def _is_worse(before: WitnessSide, after: WitnessSide) -> bool:
    if not before.accepted or before.latency_us is None:
        return False
    return after.latency_us is None or after.latency_us > before.latency_us * SLOWER


def _steps(result: RunResult, compiler: Compiler, rerun: Rerun) -> Iterator[PassTime]:
    """The time after every pass that changed something."""
    for count, done in enumerate(result.passes, 1):
        if done.status is Status.APPLIED:
            model = rerun(count)
            answer = compiler(model, model)
            found = answer.performance
            reason = answer.refusal.text if answer.refusal else ""
            yield PassTime(by=done.name, latency_us=found.latency_us if found else None, reason=reason)
