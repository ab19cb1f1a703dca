"""Types of single nodes: what is remembered of one holds for its equals alone."""

from __future__ import annotations

import numpy as np
import pytest

from surgery.ir import Constant, Node, Value
from surgery.ir import infer_node as module
from surgery.ir.infer_node import BY_TYPE, infer_node

F32 = np.dtype(np.float32)


def value(*shape: int | str, name: str = "x") -> Value:
    return Value(name, F32, shape)


def shape_of(node: Node, opset: int = 17) -> object:
    [(_, shape)] = infer_node(node, opset)
    return shape


def ints(*numbers: int) -> Constant:
    return Constant("ints", np.array(numbers, np.int64))


def test_contents_attributes_and_shapes_tell_nodes_apart() -> None:
    def reshape(*to: int, of: Value | None = None, **attrs: int) -> Node:
        return Node("Reshape", "r", attrs, [of or value(2, 6), ints(*to)], [Value("y")])

    for _ in range(2):
        assert shape_of(reshape(3, 4)) == (3, 4)
        assert shape_of(reshape(4, 3)) == (4, 3)
        assert shape_of(reshape(0, -1)) == (2, 6)
        assert shape_of(reshape(0, -1, of=value(3, 6))) == (3, 6)
        assert shape_of(Node("Concat", "c", {"axis": 0}, [value(2, 6), value(2, 6)], [Value("y")])) == (4, 6)
        assert shape_of(Node("Concat", "c", {"axis": 1}, [value(2, 6), value(2, 6)], [Value("y")])) == (2, 12)
        assert shape_of(Node("Softmax", "s", {}, [value("N", 6)], [Value("y")])) == ("N", 6)
        assert infer_node(Node("Dropout", "d", {}, [value(2)], [Value("y"), Value("")]), 17)[0] == (F32, (2,))


def test_what_is_known_of_computed_inputs_counts() -> None:
    node = Node("Reshape", "r", {}, [value(2, 6), Value("to", np.dtype(np.int64), (2,))], [Value("y")])
    first, second = (ints(*to).weight.to_proto("to") for to in ((3, 4), (12, 1)))
    assert [infer_node(node, 17, {"to": proto})[0][1] for proto in (first, second, first)] == [(3, 4), (12, 1), (3, 4)]
    assert shape_of(node) == (None, None)


def test_an_answer_is_not_the_one_that_is_kept() -> None:
    node = Node("Relu", "r", {}, [value(5)], [Value("y")])
    infer_node(node, 17).clear()
    assert shape_of(node) == (5,)


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_answers", {})
    monkeypatch.setattr(module, "MOST", 3)
    for size in range(10):
        assert shape_of(Node("Relu", "r", {}, [value(size)], [Value("y")])) == (size,)
    assert len(module._answers) <= 3


@pytest.mark.parametrize("op", sorted(BY_TYPE))
def test_these_operators_do_not_look_at_contents(op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = {"Gemm": (4, 4), "MatMul": (4, 4), "Conv": (4, 4, 1, 1), "ConvTranspose": (4, 4, 1, 1)}
    weights = [Constant(f"w{i}", np.ones(shapes.get(op, (4,)), np.float32)) for i in range(1)]
    if op == "BatchNormalization":
        weights = [Constant(f"w{i}", np.ones(4, np.float32)) for i in range(4)]
    data = value(3, 4) if op in ("Gemm", "MatMul") else value(2, 4, 5, 4)
    node = Node(op, "n", {}, [data, *weights], [Value("y")])
    blind = infer_node(node, 17)
    monkeypatch.setattr(module, "BY_TYPE", frozenset())
    assert infer_node(node, 17) == blind
    assert blind[0][1] is not None
