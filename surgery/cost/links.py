"""Who feeds a node and who reads it, looking through quantise/dequantise pairs.

A QDQ model wraps every activation and weight in pairs that cost nothing on the chip; without them it is the same
network.
"""

from __future__ import annotations

from surgery.ir.graph import Constant, Node, Tensor

_PAIRS = frozenset({"QuantizeLinear", "DequantizeLinear"})
_CLIPS = frozenset({"Relu", "Clip"})
_FAR = 4
"""Nodes in a row behind which a constant is none."""
_OF_WEIGHT = _PAIRS | {"Identity", "Cast", "Transpose", "Reshape", "Unsqueeze"}


def is_weight(tensor: Tensor) -> bool:
    """Whether the tensor is a constant, at most dequantised or rearranged at run time."""
    looked = 0
    while tensor.inputs:
        made = tensor.inputs[0]
        looked += 1
        if made.op not in _OF_WEIGHT or looked == _FAR:
            return False
        tensor = made.inputs[0]
    return isinstance(tensor, Constant)


def filters(node: Node) -> Tensor:
    """The weight operand of a convolution."""
    return node.inputs[3 if node.op == "QLinearConv" else 1]


def features(node: Node) -> list[Tensor]:
    """The inputs that are computed, omitted ones and weights left out."""
    return [t for t in node.inputs if t.name and not is_weight(t)]


def feeder(tensor: Tensor, *, alone: bool) -> Node | None:
    """The node that computes ``tensor``; with ``alone``, None when anything else reads what it computes."""
    made = tensor.producer
    while made is not None:
        if alone and not only_read_once(tensor):
            return None
        if made.op not in _PAIRS:
            return made
        tensor = made.inputs[0]
        made = tensor.producer
    return None


def is_read_at_a_stride(tensor: Tensor) -> bool:
    """Whether a convolution of a stride reads the tensor, as it is or clipped."""
    left, seen = [tensor], {tensor}
    while left:
        read = left.pop()
        for node in read.outputs:
            if node.op == "Conv" and node.inputs[0] is read and max(node.attrs.get("strides", (1,))) > 1:
                return True
            if (node.op in _PAIRS or node.op in _CLIPS) and node.outputs[0] not in seen:
                seen.add(node.outputs[0])
                left.append(node.outputs[0])
    return False


def only_read_once(tensor: Tensor) -> bool:
    """Whether exactly one node reads the tensor and it is no output of its graph."""
    readers = tensor.outputs
    if not readers or any(r is not readers[0] for r in readers[1:]):
        return False
    home = readers[0].graph
    return home is None or not (isinstance(tensor, Constant) or home.is_output(tensor))


def reader(node: Node) -> Node | None:
    """The only node that reads the first output of ``node``, None when there is not exactly one."""
    tensor: Tensor = node.outputs[0]
    while only_read_once(tensor):
        found = tensor.outputs[0]
        if found.op not in _PAIRS:
            return found
        tensor = found.outputs[0]
    return None
