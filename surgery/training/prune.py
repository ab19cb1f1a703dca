"""A plan for a module: exported, and channels chosen as ``clamp-conv-channels`` chooses them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from surgery.channels import Plan
from surgery.errors import InputError
from surgery.ir import Model
from surgery.pipeline import Pipeline
from surgery.pipeline.result import RunResult, Status
from surgery.pipeline.run import run
from surgery.training.example import Example, arguments
from surgery.training.plans import fixed, plan_of_module, units_of
from surgery.training.twin import Twin, constants, twin_of

if TYPE_CHECKING:
    from torch import nn

    from surgery.cost import Interval

PASS = "clamp-conv-channels"


@dataclass(frozen=True)
class Pruning:
    """Channels that may go, and what it gains.

    Attributes:
        plan: by the names of the module's parameters and buffers, for :func:`apply_plan`.
        model: the module's graph without them, its weights cut and not fitted.
        before_ms: predicted latency of the module; None where the march has no coefficients.
        after_ms: the same without these channels.
    """

    plan: Plan
    model: Model
    before_ms: Interval | None
    after_ms: Interval | None


def prune(
    module: nn.Module,
    example: Example,
    *,
    march: str,
    ratio: float | None = None,
    target_latency_ms: float | None = None,
    max_channels: int | None = None,
    multiple: int | None = None,
    importance: str = "activation",
    samples: Sequence[Example] = (),
    protect: str | None = None,
    exporter: str | None = None,
) -> Pruning:
    """Choose channels of ``module`` to take out; the module is not changed.

    Args:
        module: on any device, in any mode.
        example: what ``forward`` is called with; its shapes are those that the latency is predicted for.
        march: name, board or march file.
        ratio: share of the multiply-accumulates that goes, 0..1.
        target_latency_ms: the latency to be predicted for what is left, milliseconds.
        max_channels: most channels on either side of a layer.
        multiple: channels of what loses any become a multiple of this.
        importance: ``activation``, ``taylor``, ``l1``, ``l2`` or ``batch-norm``, as of the pass.
        samples: what ``activation`` and ``taylor`` are measured on, of the example's shapes; the example itself when
            none are given.
        protect: regular expression of the names of parameters that keep all of their channels.
        exporter: ``legacy`` or ``dynamo``.

    Raises:
        InputError: the module has no parameters or cannot be exported; no such channels can go, or the goal is not
            reached without emptying a layer.
    """
    twin = twin_of(module, example, exporter)
    options = {
        "mode": "prune",
        "ratio": ratio,
        "target_latency_ms": target_latency_ms,
        "max_channels": max_channels,
        "multiple": multiple,
        "importance": importance,
        "refit": False,
    }
    given = {name: value for name, value in options.items() if value is not None}
    result = run(
        twin.model,
        march=march,
        pipeline=Pipeline.of("fold-constants", {PASS: given}),
        inputs=_inputs(module, [*samples] or [example]),
        samples=max(1, len(samples)),
        budget={"cosine": -1.0},  # what is lost is not bounded: training goes on
        protect=_nodes(twin, protect),
    )
    before, after = (state.estimate for state in (result.before, result.after))
    times = (None if found is None else found.latency_ms for found in (before, after))
    return Pruning(_plan(twin, result), result.model, *times)


def _plan(twin: Twin, result: RunResult) -> Plan:
    done = result.passes[-1]
    if done.status is not Status.APPLIED or result.plan is None:
        raise InputError(done.reason or result.plan_reason or "no channel goes", where=PASS)
    return plan_of_module(twin, units_of(twin, result.plan, twin.model))


def _inputs(
    module: nn.Module, samples: Sequence[Example]
) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    """The samples behind each other along the first axis, by input."""
    given = [arguments(module, sample) for sample in samples]
    leaves = zip(*(one.leaves for one in given), strict=True)
    return {
        name: np.concatenate([tensor.cpu().numpy() for tensor in tensors])
        for name, tensors in zip(given[0].names, leaves, strict=True)
    }


def _nodes(twin: Twin, protect: str | None) -> str | None:
    """A pattern of the nodes that read parameters to be left alone, or constants that cannot lose channels."""
    tied = {id(block.tensor) for group in twin.channels.groups for block in group.blocks}
    kept = [constant for constant in fixed(twin) if id(constant) in tied]
    if protect is not None:
        named = [c for c in constants(twin.model) if c.name in twin.origins]
        kept += [c for c in named if _pattern(protect).search(twin.origins[c.name].key)]
    names = {re.escape(node.name) for constant in kept for node in constant.consumers}
    return f"^(?:{'|'.join(sorted(names))})$" if names else None


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise InputError(f"not a regular expression: {error}", where=f"protect {text}") from error
