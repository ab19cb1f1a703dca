"""The graphs that the toolchain writes on its way, without their weights: which operator it made of which."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

import onnx

from surgery.ir.wire import split


@dataclass(frozen=True, slots=True)
class Op:
    """One node of a graph of the toolchain; ``inputs`` without constants."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def read(path: Path) -> tuple[Op, ...]:
    """The nodes of a model file, in order; some hundred KB are read of a large one."""
    graph = onnx.ModelProto.FromString(split(path).skeleton).graph
    constants = {tensor.name for tensor in graph.initializer}
    constants |= {node.output[0] for node in graph.node if node.op_type == "Constant"}
    return tuple(_op(node, constants) for node in graph.node if node.op_type != "Constant")


def _op(node: onnx.NodeProto, constants: set[str]) -> Op:
    inputs = tuple(name for name in node.input if name and name not in constants)
    return Op(node.op_type, node.name, inputs, tuple(node.output))


def dump(ops: Iterable[Op]) -> str:
    """As JSON, for the cache."""
    return json.dumps([astuple(op) for op in ops])


def load(text: str | bytes) -> tuple[Op, ...]:
    """What :func:`dump` wrote."""
    return tuple(Op(op, name, tuple(inputs), tuple(outputs)) for op, name, inputs, outputs in json.loads(text))
