"""Activations written as several nodes that the chip does in one lookup.

Seen in the vendor's optimiser: SiLU, HardSwish (through HardSigmoid or Clip), GELU in the Erf form and Mish are
one lookup, whole; the tanh form of GELU stays what it is.
"""

from __future__ import annotations

from surgery.cost.links import features, feeder, only_read_once, reader
from surgery.ir.graph import Node, Tensor

_CORES = tuple(map(frozenset, (["Sigmoid"], ["HardSigmoid"], ["Clip"], ["Erf"], ["Softplus", "Tanh"])))
_CORE_OPS = frozenset().union(*_CORES)
_SCALES = frozenset({"Add", "Sub", "Mul", "Div"})
_LONGEST = 5


def region(last: Node) -> tuple[Node, ...]:
    """The nodes before ``last`` that it is one lookup with; empty when it is no product ``x * f(x)``.

    GELU may be halved behind its product.
    """
    if last.op != "Mul" or len(last.inputs) != 2:
        return ()
    fed = features(last)
    product = feeder(fed[0], alone=True) if len(fed) == 1 else None
    if product is None:
        return _factors(last)
    nodes = _factors(product) if product.op == "Mul" else ()
    return (*nodes, product) if any(node.op == "Erf" for node in nodes) else ()


def _factors(product: Node) -> tuple[Node, ...]:
    left, right = (_climb(t) for t in product.inputs)
    for up, tensor in enumerate(left[0]):
        for across, other in enumerate(right[0]):
            if tensor is other:
                return _known(left, up, right, across)
    return ()


def inside(node: Node) -> bool:
    """Whether ``node`` is part of a lookup that a later node stands for."""
    if node.op not in _CORE_OPS and node.op not in _SCALES:
        return False
    later: Node | None = node
    for _ in range(_LONGEST):
        later = reader(later) if later is not None else None
        if later is None:
            return False
        if later.op == "Mul" and any(n is node for n in region(later)):
            return True
        if later.op not in _CORE_OPS and later.op not in _SCALES:
            return False
    return False


_Path = tuple[list[Tensor], list[Node]]


def _climb(tensor: Tensor) -> _Path:
    tensors, nodes = [_bare(tensor)], []
    for _ in range(_LONGEST):
        made = feeder(tensors[-1], alone=False)
        if made is None or (made.op not in _CORE_OPS and made.op not in _SCALES):
            break
        fed = features(made)
        if len(fed) != 1:
            break
        nodes.append(made)
        tensors.append(_bare(fed[0]))
    return tensors, nodes


def _bare(tensor: Tensor) -> Tensor:
    made = tensor.producer
    while made is not None and made.op in ("QuantizeLinear", "DequantizeLinear"):
        tensor = made.inputs[0]
        made = tensor.producer
    return tensor


def _known(left: _Path, up: int, right: _Path, across: int) -> tuple[Node, ...]:
    nodes = (*left[1][:up], *right[1][:across])
    core = frozenset(n.op for n in nodes) & _CORE_OPS
    if core not in _CORES or not all(map(_is_swish, nodes)) or not all(only_read_once(n.outputs[0]) for n in nodes):
        return ()
    return nodes


def _is_swish(node: Node) -> bool:
    """Whether a HardSigmoid, if it is one, has the slope of HardSwish; another one stays what it is."""
    return node.op != "HardSigmoid" or abs(float(node.attrs.get("alpha", 0.2)) - 1 / 6) < 1e-3
