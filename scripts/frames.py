"""Frames of small networks as the vendor's toolchain compiles them at O2, for tables that go on where they end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import csv_rows

from surgery.cost import estimate
from surgery.ir import Model
from surgery.target import load_target, place
from surgery.toolchain import Witness


class Frame(NamedTuple):
    """Microseconds of a frame on the BPU, compiled and estimated; ``on_cpu`` counts nodes, whose time is not in it."""

    compiled_us: float
    estimated_us: float
    on_cpu: int


def more(
    kind: Callable[..., csv_rows.Row], asked: Sequence[tuple[Any, ...]], model: Callable[..., Model]
) -> csv_rows.More[csv_rows.Row]:
    """What :func:`csv_rows.extend` is to add to a table of ``kind``: a march, one of ``asked``, and its :class:`Frame`.

    Args:
        kind: of the rows, with these columns.
        asked: what there is to compile, without the march.
        model: makes the model of a march and one of ``asked``.
    """

    def missing(witness: Witness, march: str, rows: Sequence[csv_rows.Row], limit: float) -> Iterator[csv_rows.Row]:
        there = {row[: -len(Frame._fields)] for row in rows}
        for one in asked:
            if (march, *one) not in there and (frame := _compiled(witness, march, one, model(march, *one), limit)):
                yield kind(march, *one, *frame)

    return missing


def _compiled(witness: Witness, march: str, one: tuple[Any, ...], model: Model, limit: float) -> Frame | None:
    """A frame; None where the toolchain refuses the model, with a word on stderr."""
    answer = witness.compile(model, march, limit=limit)
    if answer.performance is None or answer.placement is None:
        print(f"{march} {one}: {answer.refusal.text if answer.refusal else 'no answer'}", file=sys.stderr)
        return None
    told = 1000 * estimate(place(model, load_target(march))).compiler_ms.mid
    on_cpu = sum(row.device == "cpu" for row in answer.placement.rows)
    return Frame(round(answer.performance.latency_us, 1), round(told, 1), on_cpu)
