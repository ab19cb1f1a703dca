"""Parameters about several operands: constants, broadcasting, matrix products, indices."""

from __future__ import annotations

from itertools import repeat
from math import inf, prod

from surgery.ir import ops
from surgery.ir.graph import Constant, Node, Tensor
from surgery.target.params.core import Params, Unknown, around, dims_of, first_input, param, shape_of, size_of
from surgery.target.shapes import Dims, aligned, broadcast_sides, matmul_batch_ok
from surgery.target.shapes import merged_rank as shapes_rank


def _operands(p: Params) -> list[Tensor]:
    return [t for t in p.node.inputs if not t.is_empty()]


@param
def operands(p: Params) -> int:
    """How many operands there are."""
    return len(_operands(p))


@param
def shapes(p: Params) -> tuple[Dims, ...]:
    """Dims of every operand."""
    return tuple(dims_of(t) for t in _operands(p))


@param
def alike(p: Params) -> bool:
    """Whether all operands have the same dims."""
    return len(set(p["shapes"])) <= 1


@param
def dtypes(p: Params) -> tuple[str, ...]:
    """Element types of every operand."""
    for tensor in _operands(p):
        if tensor.dtype is None:
            raise Unknown(f"the type of {tensor.name!r} is not known")
    return tuple(str(t.dtype) for t in _operands(p))


@param
def constants(p: Params) -> int:
    """How many operands are constants."""
    return sum(isinstance(t, Constant) for t in p.node.inputs)


@around
def a_constant(p: Params) -> bool:
    """Whether the first operand is a constant, or computed of constants alone."""
    return _is_known(p.node.input(0))


@around
def b_constant(p: Params) -> bool:
    """Whether the second operand is a constant, or computed of constants alone."""
    return _is_known(p.node.input(1))


def _is_known(tensor: Tensor | None, steps: int = 6) -> bool:
    """Whether a tensor is made of constants alone, in so many steps at most."""
    if tensor is None or tensor.is_empty() or isinstance(tensor, Constant):
        return isinstance(tensor, Constant)
    maker = tensor.producer
    if maker is None or steps <= 0 or not maker.inputs:
        return False
    return all(map(_is_known, maker.inputs, repeat(steps - 1)))  # a generator on every step would be half of the time


_TAKES_CONSTANT = frozenset({"Conv", "ConvTranspose", "Gemm", "BatchNormalization", "Erf"})


@around
def constant_joins(p: Params) -> bool:
    """Whether the constant of an Add goes into what stands before it, or with it into one lookup.

    Behind a convolution or a product by a constant it is a bias, of one number or one a channel where these are the
    second dim; Erf and Clip with a product are GELU and HardSwish.
    """
    maker = next((t.producer for t in p.node.inputs if not isinstance(t, Constant)), None)
    if maker is not None and (maker.op in _TAKES_CONSTANT or _by_constant(maker)):
        mapped = maker.op not in ("Erf", "MatMul") and len(p["output_dims"]) == 4
        return not mapped or p["constant_kind"] in _SCALES
    readers = p.node.outputs[0].outputs
    return len(readers) == 1 and readers[0].op == "Clip" and any(r.op == "Mul" for r in readers[0].outputs[0].outputs)


def _by_constant(maker: Node) -> bool:
    held = next((t for t in maker.inputs if isinstance(t, Constant)), None)
    if maker.op == "Mul" and held is not None and maker.outputs[0].is_static:
        return _kind(held, dims_of(maker.outputs[0])) in (*_SCALES, "")
    return maker.op in ("Mul", "MatMul") and held is not None


_SCALES = ("number", "channels")


@param
def constant_kind(p: Params) -> str:
    """How a constant operand is laid over a result of rank 4; "" without one, and where the rank is another.

    ``number``, ``channels``, ``pixels`` (a map over all channels), ``whole``, or ``parts``, as of a row or column.
    """
    held = next((t for t in p.node.inputs if isinstance(t, Constant)), None)
    return "" if held is None else _kind(held, p["output_dims"])


def _kind(held: Constant, made: Dims) -> str:
    if len(made) != 4 or len(held.shape) > 4:
        return ""
    batch, *rest = (1,) * (4 - len(held.shape)) + held.shape
    if prod(held.shape) == 1:
        return "number"
    kinds: dict[Dims, str] = {(made[1], 1, 1): "channels", (1, *made[2:]): "pixels", made[1:]: "whole"}
    return kinds.get(tuple(rest), "parts") if batch in (1, made[0]) else "parts"


@param
def constant_per_channel(p: Params) -> bool:
    """Whether one operand is a constant with one number for every channel of the result."""
    held = next((t for t in p.node.inputs if isinstance(t, Constant)), None)
    if held is None or prod(held.shape) == 1:
        return False
    channels = p["output_dims"][1] if len(p["output_dims"]) == 4 else 1
    return prod(held.shape) == channels and held.shape[-3:] == (channels, 1, 1)


@param
def constant_whole(p: Params) -> bool:
    """Whether one operand is a constant as large as the result, which has rank 4; the batch may be stretched."""
    held, made = next((t for t in p.node.inputs if isinstance(t, Constant)), None), p.node.outputs[0].shape or ()
    if held is None or len(made) != 4:
        return False
    shape = (1, 1, 1, *held.shape)[-3:]
    other = any(isinstance(dim, int) and dim != size for dim, size in zip(made[1:], shape, strict=True))
    return not other and shape == p["output_dims"][1:]


@around
def only_reader(p: Params) -> bool:
    """Whether nothing else reads the first operand."""
    data = p.node.inputs[0]
    return len(data.outputs) == 1 and not (p.node.graph is not None and p.node.graph.is_output(data))


@around
def constant_matrices(p: Params) -> int:
    """How many matrices the constant operand of a matrix product holds."""
    held = next((t for t in p.node.inputs if _is_known(t)), None)
    if held is None:
        raise Unknown("no operand is constant")
    return prod(dims_of(held)[:-2])


@param
def b_elements(p: Params) -> int:
    """Elements of the second operand."""
    return prod(dims_of(p.node.input(1), "second operand"))


@around
def exponent(p: Params) -> float:
    """The exponent of a Pow by a constant of one element."""
    power = p.node.input(1)
    if not isinstance(power, Constant) or prod(power.shape) != 1:
        raise Unknown("the exponent is not one constant number")
    return float(power.values.reshape(-1)[0])


@around
def lower(p: Params) -> float:
    """The lower bound of a Clip; minus infinity where there is none."""
    bounds = ops.clip_bounds(p.node)
    if bounds is None:
        raise Unknown("the bounds are not constant")
    return -inf if bounds[0] is None else float(bounds[0])


@param
def operand_channels(p: Params) -> Dims:
    """The size of every operand along dim 1 of the result, as broadcasting lines them up; of none that is shorter."""
    places = [(t, 1 - max(p["ranks"]) + len(shape_of(t))) for t in _operands(p)]
    return tuple(size_of(t, place) for t, place in places if place >= 0 and len(shape_of(t)) > place)


@param
def broadcast_operands(p: Params) -> int:
    """How many operands are stretched by broadcasting."""
    return broadcast_sides(p["shapes"])


@param
def stretched_element(p: Params) -> bool:
    """Whether an operand of one element, or of one in each of a batch, is stretched over a larger one."""
    sizes = ([prod(shape[batch:]) for shape in p["shapes"]] for batch in (0, 1))
    return any(min(size) == 1 < max(size) for size in sizes)


@around
def arm_constant(p: Params) -> bool:
    """Whether one of the two values that a Where chooses between is a constant, or computed of constants alone."""
    return any(map(_is_known, p.node.inputs[1:]))


@param
def arms_fit(p: Params) -> bool:
    """Whether the mask of a Where times each of its arms has the shape of the longer, where their ranks differ."""
    mask, *arms = p["shapes"]
    return all(len(arm) == len(mask) or _has_shape_of_longer(mask, arm) for arm in arms)


def _has_shape_of_longer(one: Dims, other: Dims) -> bool:
    short, long = sorted((one, other), key=len)
    return all(a in (1, b) for a, b in zip(reversed(short), reversed(long), strict=False))


@param
def merged_rank(p: Params) -> int:
    """Rank after dropping dims of size 1 and merging neighbouring dims that broadcast alike."""
    return shapes_rank(p["shapes"])


@param
def rank_a(p: Params) -> int:
    """Rank of the first operand."""
    return int(p["rank"])


@param
def rank_b(p: Params) -> int:
    """Rank of the second operand."""
    return len(shape_of(p.node.input(1), "second operand"))


@param
def rows(p: Params) -> int:
    """M of a matrix product: rows of the first operand."""
    return size_of(first_input(p), -2) if p["rank"] > 1 else 1


@param
def inner(p: Params) -> int:
    """K of a matrix product: the summed dim."""
    return size_of(first_input(p), 0 if p.attr("transA", 0) else -1)


@param
def columns(p: Params) -> int:
    """N of a matrix product: columns of the second operand."""
    return int(p["weight_out_channels"]) if p["rank_b"] > 1 else 1


@param
def batch_dims(p: Params) -> Dims:
    """Batch dims of both operands of a matrix product."""
    return tuple(size for shape in p["shapes"][:2] for size in shape[:-2])


@param
def batch_broadcast_ok(p: Params) -> bool:
    """Whether the batch dims of a matrix product broadcast as the bayes marches allow."""
    left, right = aligned(p["shapes"][:2])
    return matmul_batch_ok(left, right)


@param
def indices_constant(p: Params) -> bool:
    """Whether the indices of a Gather are a constant."""
    return bool(p["b_constant"])


@param
def indices_dtype(p: Params) -> str:
    """Element type of the indices of a Gather."""
    found = p.node.input(1)
    if found is None or found.dtype is None:
        raise Unknown("the type of the indices is not known")
    return str(found.dtype)


@param
def indices_fit(p: Params) -> bool:
    """Whether indices are no larger than the data along every axis but ``axis``."""
    sizes = zip(p["shapes"][1], p["shapes"][0], strict=True)
    return all(a <= b for i, (a, b) in enumerate(sizes) if i != p["axis"])
