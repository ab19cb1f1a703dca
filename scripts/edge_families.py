"""Nodes by family of operators: how one is made of a few knobs, and which values these can take.

A knob is a tuple of values, the usual one first, or a Size: a number that also takes those around the numbers which
the limits of a march name. A combination that is no ONNX raises ValueError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import edge_windows as windows
import numpy as np
from edge_knobs import Knobs, Size, Values, need
from edge_specs import Computed, Operand, Shape, Spec, Unfilled, filled, ints

DIMS: dict[str, Values] = {
    "rank": (4, 1, 2, 3, 5, 6, 10, 11), "N": Size(1), "C": Size(8), "H": Size(4), "W": Size(3)
}  # fmt: skip


@dataclass(frozen=True)
class Family:
    """How nodes of some operators are made: ``make`` of an operator and its knobs."""

    make: Callable[[str, Knobs], Spec]
    knobs: Mapping[str, Values]


def shape_of(k: Knobs) -> Shape:
    """A shape of a rank: channels alone, then with the batch, then the width, the height, and more in between."""
    rank = k["rank"]
    if rank == 1:
        return (k["C"],)
    spatial = (k["W"],) if rank == 3 else (k["H"], k["W"])
    return (k["N"], k["C"], *(1,) * (rank - 4), *(spatial if rank > 2 else ()))


def unary(op: str, k: Knobs) -> Spec:
    """An operator of one computed operand whose result has its shape."""
    shape = shape_of(k)
    return Spec(op, (Computed(shape, k["dtype"]), *_constants(op, shape)), (shape,))


_STATISTICS = {
    "BatchNormalization": 4, "InstanceNormalization": 2, "GroupNormalization": 2, "LayerNormalization": 2,
    "QuantizeLinear": 1, "DequantizeLinear": 1, "PRelu": 1,
}  # fmt: skip


def _constants(op: str, shape: Shape) -> tuple[Operand, ...]:
    """The constant operands of a unary operator."""
    if op == "Clip":
        return (np.array(0.5, np.float32), np.array(6, np.float32))
    channels = shape[1] if len(shape) > 1 else shape[0]
    if op == "PRelu":
        return (filled(channels, *(1,) * max(len(shape) - 2, 0)),)
    return (np.full(channels, 0.5, np.float32),) * _STATISTICS.get(op, 0)


def movement(op: str, k: Knobs) -> Spec:
    """Flatten, Reshape, Squeeze, Unsqueeze and Transpose."""
    shape = shape_of(k)
    if op == "Flatten":
        size = int(np.prod(shape[1:]))
        return Spec(op, (Computed(shape),), ((shape[0], size),), {"axis": 1})
    if op == "Squeeze":
        return Spec(op, (Computed((*shape[:-1], 1)),), (shape[:-1],), {"axes": [len(shape) - 1]})
    if op == "Unsqueeze":
        return Spec(op, (Computed(shape),), ((1, *shape),), {"axes": [0]})
    fixed = len(shape) - 2 if k["turned"] == 2 else 0
    perm = (*range(fixed), *range(fixed, len(shape))[::-1])
    out = tuple(shape[i] for i in perm)
    if op == "Transpose":
        return Spec(op, (Computed(shape),), (out,), {"perm": list(perm)})
    return Spec(op, (Computed(shape), ints(*out)), (out,))


def binary(op: str, k: Knobs) -> Spec:
    """Two operands that broadcast: the second, or of ``swap`` the first, is of the kind of the knob."""
    shape = shape_of(k)
    operands: list[Operand] = list(_pair(k["kind"], shape))
    if op == "Pow" and k["kind"] == "number":
        operands[1] = np.array([2], np.float32)
    shapes = [tuple(operand.shape) for operand in operands]
    out: Shape = np.broadcast_shapes(*shapes)
    if k["dtype"] != "float32":
        operands = [Computed(tuple(o.shape), k["dtype"]) if isinstance(o, Computed) else o for o in operands]
    if k["swap"]:
        operands.reverse()
    return Spec(op, tuple(operands), (out,), front=k["front"], reader=k["reader"])


def _pair(kind: str, shape: Shape) -> tuple[Operand, Operand]:
    data, rank = Computed(shape), len(shape)
    ones = (1,) * rank
    if kind in ("number", "number_computed"):
        return data, filled(1) if kind == "number" else Computed((1,))
    if kind in ("whole", "same"):
        return data, filled(*shape) if kind == "whole" else Computed(shape)
    if kind == "row":
        return data, filled(shape[-1])
    if kind == "row4":
        return data, filled(*ones[1:], shape[-1])
    if kind == "both":
        need(rank > 1)
        return Computed((*ones[1:], shape[-1])), Computed((*shape[:-1], 1))
    if kind == "batch":
        return Computed((2 * shape[0], *shape[1:])), Computed((1, *shape[1:]))
    if kind == "alternate":
        odd = tuple(1 if i % 2 else max(size, 2) for i, size in enumerate(shape))
        return Computed(tuple(max(size, 2) for size in shape)), Computed(odd)
    need(rank > 2)
    channels = (shape[0], shape[1], *ones[2:])
    if kind in ("channels", "const_channels"):
        return data, Computed(channels) if kind == "channels" else filled(*channels)
    return data, Computed((shape[0], 1, *shape[2:])) if kind == "mask" else Computed((*ones[1:], shape[-1]))


KINDS = ("same", "channels", "mask", "spatial", "number", "number_computed", "whole", "const_channels", "batch",
         "both", "alternate", "row", "row4")  # fmt: skip


def gemm(op: str, k: Knobs) -> Spec:
    """A product by a matrix; behind a flattened map where it has a height."""
    inner, front = k["K"], ""
    if k["map"]:
        inner, front = k["K"] * k["map"] ** 2, f"flatten:{k['K']}x{k['map']}x{k['map']}"
    matrix = filled(inner, k["M"]) if k["constant"] else Computed((inner, k["M"]))
    return Spec(op, (Computed((1, inner)), matrix), ((1, k["M"]),), front=front, reader=k["reader"])


def matmul(op: str, k: Knobs) -> Spec:
    """A product of two operands of a form, in letters or numbers."""
    sides = [tuple(_size(term, k) for term in side.split("x")) for side in k["form"].split(",")]
    left, right = sides
    out = np.broadcast_shapes(left[:-2], right[:-2]) + left[-2:-1] + (right[-1:] if len(right) > 1 else ())
    made = [filled(*s) if letter in k["constants"] else Computed(s) for letter, s in zip("ab", sides, strict=True)]
    return Spec(op, tuple(made), (tuple(out),), reader=k["reader"])


def _size(term: str, k: Knobs) -> int:
    return int(term) if term.isdigit() else int(k[term])


FORMS = ("1x1xMxK,1x1xKxN", "MxK,KxN", "1xMxK,KxN", "1xBxMxK,1xBxKxN", "BxMxK,BxKxN", "1x1xMxK,KxN", "AxBxMxK,1xBxKxN",
         "AxBxMxK,Ax1xKxN", "1xBxMxK,1x1xKxN", "MxK,1x1x1xKxN", "1xBxMxK,BxKxN", "BxMxK,1xBxKxN",
         "AxBxMxK,KxN", "1x1x1x1x1x1x1x1xMxK,KxN", "1x1x1x1x1x1x1x1x1xMxK,KxN")  # fmt: skip


def concat(op: str, k: Knobs) -> Spec:
    """Operands of one shape side by side."""
    shape, axis = shape_of(k), k["axis"]
    need(axis < len(shape))
    other = tuple(k["more"] if i == axis and k["more"] else size for i, size in enumerate(shape))
    others = k["count"] - 1
    out = (*shape[:axis], shape[axis] + others * other[axis], *shape[axis + 1 :])
    return Spec(op, (Computed(shape), *(Computed(other),) * others), (out,), {"axis": axis})


def pieces(op: str, k: Knobs) -> Spec:
    """Slice and Split along an axis, which keep a half; a Slice maybe backwards."""
    shape, axis = shape_of(k), k["axis"]
    need(axis < len(shape) and shape[axis] > 1)
    half = shape[axis] // 2
    cut = (*shape[:axis], half, *shape[axis + 1 :])
    if op == "Slice":
        if k["step"] < 0:
            return Spec(op, (Computed(shape), ints(half - 1), ints(-1 - shape[axis]), ints(axis), ints(-1)), (cut,))
        return Spec(op, (Computed(shape), ints(0), ints(half), ints(axis)), (cut,))
    rest = (*shape[:axis], shape[axis] - half, *shape[axis + 1 :])
    return Spec(op, (Computed(shape),), (cut, rest), {"axis": axis, "split": [half, shape[axis] - half]}, read=2)


def chosen(op: str, k: Knobs) -> Spec:
    """Where: a mask of the kind of the knob, and two operands of one shape, or the second a row."""
    shape = shape_of(k)
    need(len(shape) > 1)
    if k["mask"] == "alternate":
        shape = tuple(max(size, 2) for size in shape)
    ones = (1,) * (len(shape) - 2)
    masks = {"same": shape, "channels": (*shape[:2], *ones), "pixels": (shape[0], 1, *shape[2:]),
             "columns": (*(1,) * (len(shape) - 1), shape[-1]), "single": (),
             "alternate": tuple(1 if i % 2 else size for i, size in enumerate(shape))}  # fmt: skip
    data, arm = (Computed(dims, k["dtype"]) for dims in (shape, shape[-1:] if k["row"] else shape))
    return Spec(op, (Computed(masks[k["mask"]], "bool"), data, arm), (shape,), result=k["dtype"])


def pad(op: str, k: Knobs) -> Spec:
    """One row more on both sides of an axis."""
    shape, axis = shape_of(k), k["axis"]
    need(axis < len(shape) and shape[axis] > 1)
    amounts = [0] * (2 * len(shape))
    amounts[axis] = amounts[axis + len(shape)] = 1
    out = (*shape[:axis], shape[axis] + 2, *shape[axis + 1 :])
    return Spec(op, (Computed(shape), ints(*amounts)), (out,), {"mode": k["mode"]})


def stretched(op: str, k: Knobs) -> Spec:
    """Expand and Tile along the last axes, as many as the knob says."""
    shape, count = shape_of(k), k["changed"]
    need(count <= len(shape))
    kept = shape[: len(shape) - count]
    if op == "Tile":
        out = (*kept, *(2 * size for size in shape[len(kept) :]))
        return Spec(op, (Computed(shape), ints(*[1] * len(kept), *[2] * count)), (out,))
    return Spec(op, (Computed((*kept, *[1] * count)), ints(*shape)), (shape,))


def gather(op: str, k: Knobs) -> Spec:
    """Gather and GatherElements along the axis of channels; of elements all or twice as many along another axis."""
    shape = shape_of(k)
    axis = min(1, len(shape) - 1)
    if op == "GatherElements":
        wide = (*shape[:-1], shape[-1] * k["wider"]) if len(shape) > 2 else shape
        return Spec(op, (Computed(shape), Unfilled(wide, k["dtype"])), (wide,), {"axis": axis})
    indices: Operand = np.array([0, 0], k["dtype"])
    if not k["constant"]:
        indices = Computed((2,), k["dtype"])
    return Spec(op, (Computed(shape), indices), ((*shape[:axis], 2, *shape[axis + 1 :]),), {"axis": axis})


def reduction(op: str, k: Knobs) -> Spec:
    """A reduction over one or several axes."""
    shape, axes = shape_of(k), k["axes"]
    need(max(axes) < len(shape))
    kept = tuple(1 if i in axes else size for i, size in enumerate(shape))
    out = kept if k["keepdims"] else tuple(size for i, size in enumerate(shape) if i not in axes)
    data = Computed(shape, k["dtype"])
    if op.startswith("Arg"):
        need(len(axes) == 1)
        return Spec(op, (data,), (out,), {"axis": axes[0], "keepdims": k["keepdims"]}, result="int64")
    return Spec(op, (data,), (out,), {"axes": list(axes), "keepdims": k["keepdims"]}, result=k["dtype"])


def global_pool(op: str, k: Knobs) -> Spec:
    """A pool over the whole map."""
    shape = shape_of(k)
    need(len(shape) > 2)
    return Spec(op, (Computed(shape),), ((*shape[:2], *(1,) * (len(shape) - 2)),))


def blocks(op: str, k: Knobs) -> Spec:
    """DepthToSpace and SpaceToDepth, of sizes that their block divides."""
    b, n, c, h, w = (k[name] for name in ("blocksize", "N", "C", "H", "W"))
    if op == "DepthToSpace":
        need((c <= 4096 and h <= 4096 and w <= 4096) or b == 2)
        deep, wide = (n, c * b * b, h, w), (n, c, h * b, w * b)
        return Spec(op, (Computed(deep),), (wide,), {"blocksize": b, "mode": k["mode"]})
    wide = (n, c, h + -h % b, w + -w % b)
    return Spec(op, (Computed(wide),), ((n, c * b * b, wide[2] // b, wide[3] // b),), {"blocksize": b})


def softmax(op: str, k: Knobs) -> Spec:
    """Softmax along an axis."""
    shape = shape_of(k)
    need(k["axis"] < len(shape))
    return Spec(op, (Computed(shape),), (shape,), {"axis": k["axis"]}, reader=k["reader"])


def recurrent(op: str, k: Knobs) -> Spec:
    """An LSTM of four hidden units over three steps."""
    hidden, batch, size = 4, k["N"], 6
    weights = filled(1, 4 * hidden, size), filled(1, 4 * hidden, hidden)
    return Spec(op, (Computed((3, batch, size)), *weights), ((3, 1, batch, hidden),), {"hidden_size": hidden})


def top_k(op: str, k: Knobs) -> Spec:
    """The two largest along the last axis."""
    shape = shape_of(k)
    need(shape[-1] > 1)
    out = (*shape[:-1], 2)
    return Spec(op, (Computed(shape), ints(2)), (out, out), {"axis": len(shape) - 1, "sorted": k["sorted"]})


def grid(op: str, k: Knobs) -> Spec:
    """GridSample of as many points as the map has."""
    shape = shape_of({**k, "rank": 5 if k["rank"] == 5 else 4})
    points = Computed((shape[0], *shape[2:], len(shape) - 2))
    words = {"mode": k["mode"], "padding_mode": k["padding_mode"]}
    return Spec(op, (Computed(shape), points), (shape,), words, opset=16)


BINARY = Family(
    binary,
    {**DIMS, "kind": KINDS, "swap": (False, True), "dtype": ("float32", "float64"),
     "front": ("", "product"), "reader": ("any", "product")},
)  # fmt: skip
UNARY = Family(unary, {**DIMS, "dtype": ("float32",)})
_AXIS = {**DIMS, "axis": (1, 0, 2, 3)}
_REDUCED = {
    **DIMS, "axes": ((1,), (2,), (2, 3), (3, 2), (1, 2), (0,), (0, 1)), "keepdims": (1, 0),
    "dtype": ("float32", "int64"),
}  # fmt: skip
_PRODUCT: dict[str, Values] = {
    "form": FORMS, "constants": ("b", "", "a"), "A": Size(2), "B": Size(4), "M": Size(8), "K": Size(16), "N": Size(12),
    "reader": ("any", ""),
}  # fmt: skip
_BY_NAME: dict[str, Family] = {
    **dict.fromkeys(("Add", "Mul", "Div", "Sub", "Sum", "Max", "Min", "Equal", "Greater", "Less", "GreaterOrEqual",
                     "LessOrEqual"), BINARY),
    "Pow": Family(binary, {**BINARY.knobs, "kind": ("number", *(kind for kind in KINDS if kind != "number"))}),
    **dict.fromkeys(("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose"),
                    Family(movement, {**DIMS, "turned": (2, 4)})),
    "Gemm": Family(gemm, {"K": Size(16), "M": Size(8), "map": (0, 2, 4, 7), "constant": (True, False),
                          "reader": ("any", "")}),
    "MatMul": Family(matmul, _PRODUCT),
    "Concat": Family(concat, {**_AXIS, "more": (0, 16), "count": (2, 4)}),
    "Slice": Family(pieces, {**_AXIS, "step": (1, -1)}),
    "Split": Family(pieces, _AXIS),
    "Where": Family(chosen, {**DIMS, "mask": ("same", "channels", "pixels", "columns", "single", "alternate"),
                             "row": (False, True), "dtype": ("float32", "int64")}),
    "Pad": Family(pad, {**DIMS, "axis": (2, 3, 1, 0), "mode": ("constant", "reflect", "edge")}),
    **dict.fromkeys(("Expand", "Tile"), Family(stretched, {**DIMS, "changed": (1, 2)})),
    "Gather": Family(gather, {**DIMS, "constant": (True, False), "dtype": ("int64", "int32")}),
    "GatherElements": Family(gather, {**DIMS, "wider": (1, 2), "dtype": ("int64", "int32")}),
    **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceSum", "ReduceL1", "ReduceL2", "ArgMax", "ArgMin"),
                    Family(reduction, _REDUCED)),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), Family(global_pool, DIMS)),
    "DepthToSpace": Family(blocks, {**DIMS, "rank": (4,), "blocksize": (2, 3, 4, 8), "mode": ("DCR", "CRD")}),
    "SpaceToDepth": Family(blocks, {**DIMS, "rank": (4,), "blocksize": (2, 3, 4, 8)}),
    "Softmax": Family(softmax, {**DIMS, "axis": (3, 1, 2, 0), "reader": ("any", "")}),
    "LSTM": Family(recurrent, {"N": Size(1)}),
    "TopK": Family(top_k, {**DIMS, "sorted": (1, 0)}),
    "GridSample": Family(grid, {**DIMS, "mode": ("bilinear", "nearest", "bicubic"),
                                "padding_mode": ("zeros", "border", "reflection")}),
    "Conv": Family(windows.convolution, windows.CONVOLUTION),
    "ConvTranspose": Family(windows.transposed, windows.TRANSPOSED),
    **dict.fromkeys(("MaxPool", "AveragePool"), Family(windows.pool, windows.POOL)),
    "Resize": Family(windows.resize, windows.RESIZE),
    "Upsample": Family(windows.resize, windows.UPSAMPLE),
}  # fmt: skip


def family(op: str) -> Family:
    """The family of an operator."""
    return _BY_NAME.get(op, UNARY)
