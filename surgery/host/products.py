"""Products of matrices, and the 1x1 convolution that weighs the bins of a distribution (DFL)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from surgery.host.emitter import Emitter, over
from surgery.host.loops import loop, spread
from surgery.host.step import Sizes, Slot, Step


def _summed(y: Slot, shape: Sizes, strides: Sequence[Sizes], factors: Sequence[Slot], scale: str = "") -> list[str]:
    """C++ that adds the products of ``factors`` to ``y``; the last of ``strides`` is that of ``y``."""
    product = " * ".join(f"{slot.id}[at[{i}]]" for i, slot in enumerate(factors))
    return loop(shape, strides, f"{y.id}[at[{len(factors)}]] += {scale}{product};")


def _zero(y: Slot) -> str:
    return f"std::fill_n({y.id}, {y.size}, {y.cpp}(0));"


def _matmul(step: Step) -> list[str]:
    a, b, y = step.x, step.need(1), step.y
    if min(len(a.shape), len(b.shape)) < len(("rows", "columns")):
        step.refuse("an operand is a vector, both must be matrices or stacks of them")
    batch, (rows, columns), inner = y.shape[:-2], y.shape[-2:], a.shape[-1]
    read_a = (*_batch(a, batch), inner, 0, 1)
    read_b = (*_batch(b, batch), 0, 1, columns)
    write = (*y.strides[:-2], columns, 1, 0)
    return [_zero(y), *_summed(y, (*batch, rows, columns, inner), [read_a, read_b, write], [a, b])]


def _batch(slot: Slot, batch: Sizes) -> Sizes:
    """The strides of a stack of matrices over the axes of the stack."""
    matrix = slot.shape[-2] * slot.shape[-1]
    return tuple(stride * matrix for stride in spread(slot.shape[:-2], batch))


def _gemm_text(step: Step) -> list[str]:
    attrs, (a, b) = step.node.attrs, (step.x.id, step.need(1).id)
    left, right = f"{a}.T" if attrs.get("transA") else a, f"{b}.T" if attrs.get("transB") else b
    kind, alpha, beta = step.y.numpy, step.number("alpha", 1.0), step.number("beta", 1.0)
    product = f"{kind}({alpha}) * ({left} @ {right})"
    c = step.given(2)
    added = "" if c is None else f" + {kind}({beta}) * {c.id}"
    return [f"{step.y.id} = {product}{added}"]


def _gemm(step: Step) -> list[str]:
    attrs, a, b, y, c = step.node.attrs, step.x, step.need(1), step.y, step.given(2)
    rows, columns = y.shape
    inner = a.shape[0] if attrs.get("transA") else a.shape[1]
    read_a = (1, 0, a.shape[1]) if attrs.get("transA") else (a.shape[1], 0, 1)
    read_b = (0, b.shape[1], 1) if attrs.get("transB") else (0, 1, b.shape[1])
    start = [_zero(y)] if c is None else over(y, [c], f"{y.cpp}({step.number('beta', 1.0)}) * {c.id}[at[0]]")
    alpha = f"{y.cpp}({step.number('alpha', 1.0)}) * "
    return [*start, *_summed(y, (rows, columns, inner), [read_a, read_b, (columns, 1, 0)], [a, b], alpha)]


def _need_pointwise(step: Step) -> None:
    attrs, w = step.node.attrs, step.need(1)
    plain = all(v == 1 for v in (*w.shape[2:], *attrs.get("strides", ()), attrs.get("group", 1)))
    if not plain or any(attrs.get("pads", ())):
        kernel = "x".join(map(str, w.shape[2:]))
        step.refuse(f"its kernel is {kernel}, it must be 1x1 with stride 1, no padding and one group")


def _pointwise_text(step: Step) -> list[str]:
    _need_pointwise(step)
    x, w, bias = step.x, step.need(1), step.given(2)
    flat = f"{x.id}.reshape({(*x.shape[:2], -1)})"
    lines = [f"{step.y.id} = ({w.id}.reshape({w.shape[:2]}) @ {flat}).reshape({step.y.shape})"]
    ones = (1,) * (len(x.shape) - 2)
    return lines if bias is None else [*lines, f"{step.y.id} = {step.y.id} + {bias.id}.reshape({(-1, *ones)})"]


def _pointwise(step: Step) -> list[str]:
    _need_pointwise(step)
    x, w, y, bias = step.x, step.need(1), step.y, step.given(2)
    count, outputs, area = y.shape[0], y.shape[1], y.strides[1]
    inner = x.shape[1]
    at_channel = (0, 1, 0)
    start = [_zero(y)]
    if bias is not None:
        strides = [at_channel, (outputs * area, area, 1)]
        start = loop((count, outputs, area), strides, f"{y.id}[at[1]] = {bias.id}[at[0]];")
    read = (inner * area, 0, 1, area)
    shape, write = (count, outputs, area, inner), (outputs * area, area, 1, 0)
    return [*start, *_summed(y, shape, [read, (0, inner, 0, 1), write], [x, w])]


PRODUCTS: Mapping[str, Emitter] = {
    "Conv": Emitter(_pointwise_text, _pointwise),
    "Gemm": Emitter(_gemm_text, _gemm),
    "MatMul": Emitter(lambda step: [f"{step.y.id} = {step.x.id} @ {step.need(1).id}"], _matmul),
}
"""Emitters of sums of products."""
