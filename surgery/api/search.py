"""Variants of a pipeline, and the best of them in accuracy and time."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surgery.api.compare import method_of
from surgery.api.given import Data, Given, Ranges, Shapes, sourced
from surgery.api.rewrite import Evaluator
from surgery.ir import Model
from surgery.report.tradeoff import TradeoffDocument
from surgery.target import load_target
from surgery.tradeoff import Setup, Space, search
from surgery.tradeoff.prepare import drawn, loaded, measure_of, within
from surgery.tradeoff.study import Wanted
from surgery.tradeoff.witnessed import Question, witnessed
from surgery.witnessed import need_answerable, opened

if TYPE_CHECKING:
    from surgery.tradeoff.detection import Decode
    from surgery.training.example import Example
    from surgery.witnessed import Asked


def tradeoff(
    model: Given,
    *,
    march: str,
    space: str | os.PathLike[str] | Space,
    add: Sequence[str] = (),
    eval_: Evaluator | str | None = None,
    labels: str | os.PathLike[str] | None = None,
    decode: Decode | None = None,
    metric: str | None = None,
    least: bool = False,
    int8: bool = False,
    calibration: str = "max",
    max_latency_ms: float | None = None,
    trials: int = 64,
    workers: int = 1,
    scheduler: str | None = None,
    storage: str | os.PathLike[str] | None = None,
    inputs: Data = None,
    samples: int = 32,
    seed: int = 0,
    input_shape: Shapes = None,
    input_range: Ranges = None,
    budget: Mapping[str, float] | None = None,
    protect: str | None = None,
    verify: str = "each",
    assume: str | None = None,
    witness: Asked | None = None,
    witness_level: str = "O2",
    witness_limit: float = 600.0,
    progress: Callable[[int, int], None] | None = None,
    example: Example | None = None,
) -> TradeoffDocument:
    """Variants of a pipeline over ``model``, each with its accuracy and its predicted time, and the best of them.

    Args:
        model: what to rewrite.
        march: name, board or march file.
        space: what may be varied: a file, or a :class:`surgery.tradeoff.Space`.
        add: names of passes to append to the pipeline of the file.
        eval_: as of :func:`run`, or a ready measure: ``top-k``, ``mean-iou``, ``regression``, ``detection`` with
            ``labels``, or ``agreement`` with the original, which is the one when None; picklable where other processes
            call it.
        labels: npy or npz, a row for each sample of ``inputs``; for ``detection`` an npz of boxes.
        decode: for ``detection``, from outputs by name to boxes, scores and classes; see
            :class:`surgery.tradeoff.detection.Detection`.
        metric: what is traded for time; the first that is measured when None.
        least: whether less of it is better.
        int8: measure the simulated integers of the march, too, and trade these; ``calibration`` finds their thresholds
            on ``samples`` of ``inputs``.
        max_latency_ms: what is predicted slower is not measured.
        trials: how many variants at most; every one of the space where it has no more, else as NSGA-II proposes.
        workers: processes to do it in; 1 is this one. ``scheduler`` is the address of a Dask scheduler instead.
        storage: file of the trials that are done; the same search goes on with it.
        inputs: samples to verify and calibrate on; a ready measure takes all of them.
        samples, seed, input_shape, input_range, budget, protect, verify, assume: as of :func:`run`.
        witness: after the search, have the vendor's own toolchain quantise the original and the front (measured as the
            others, thresholds by ``calibration``) and compile them: its folder, ``"auto"``, or an open one.
        witness_level, witness_limit: as of :func:`run`.
        progress: called with trials done and to do.
        example: what a PyTorch module is exported with.

    Raises:
        InputError: something given cannot be used, or the model as it was given cannot be measured.
    """
    model = sourced(model, example)
    original, target = loaded(model), load_target(march, assume)
    method = method_of(calibration)
    if witness is not None:
        need_answerable(witness, target.name, witness_level)
    found = space if isinstance(space, Space) else Space.from_yaml(space, target.name, add)
    known: dict[str, Any] = {"given": inputs, "seed": seed, "shapes": input_shape, "ranges": input_range}
    data = drawn(original, samples=samples, **known)
    measure, name = measure_of(eval_, original, data, labels, decode, **known)
    setup = Setup(
        model=original if isinstance(model, Model) else model,
        march=march,
        space=within(found, budget or {}),
        data=data,
        measure=measure,
        assume=assume,
        int8=method if int8 else None,
        max_latency_ms=max_latency_ms,
        shapes=input_shape,
        options={"verify": verify, "protect": protect, "input_ranges": input_range},
    )
    place = None if storage is None else Path(storage)
    wanted = Wanted(name, metric, least, trials, seed, workers, scheduler, place, progress)
    document = search(original, setup, wanted)
    if witness is None:
        return document
    with opened(witness) as asked:
        return witnessed(document, setup, Question(asked, witness_level, witness_limit, method.value), progress)
