"""Rules, their promises, and the questions that refuse with a sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from surgery.ir import Constant, Model, Node
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, need, weakest
from tests.rewrite.world import World, world
from tests.support import proto_of


class Strict(Rule[Node]):
    """Matches by asking a helper, which raises."""

    name, roots = "strict", frozenset({"Add"})
    purpose, exactness, cures = Purpose.LEGALISE, Exactness.ROUNDING, frozenset({"Conv.kernel_h", "Add.*"})

    def match(self, node: Node, ctx: Context) -> Node | Mismatch:
        return need.producer(node, 0, "Relu", ctx=ctx)

    def rewrite(self, match: Node, rw: Rewriter) -> None:
        raise AssertionError("not in these tests")


@dataclass(frozen=True)
class Broken:
    constraint: str


TEXT = """g (float[2,N] x) => (float[2,N] y, float[2,N] z) <float[2,1] w = {1, 2}, int64[1] s = {2}> {
    a = Relu (x)  b = Add (a, w)  c = Exp (b)  y = Sum (c, b)  z = Neg (a)  d = Clip (x, , ) }"""


def test_a_raised_mismatch_is_an_answer() -> None:
    w = world(TEXT)
    answer = Strict().attempt(w.node("Add"), w)
    assert isinstance(answer, Mismatch)
    assert answer.reason == "'a' is also read by 'Neg', one reader must be the only one"
    assert answer.at is w.node("Add")
    assert str(answer) == answer.reason


NEEDS: dict[str, Callable[[World], object]] = {
    "input 0 comes from Relu, it must come from Conv or Gemm": lambda w: need.producer(
        w.node("Add"), 0, "Conv", "Gemm"
    ),
    "input 1 comes from a constant, it must come from Conv": lambda w: need.producer(w.node("Add"), 1, "Conv"),
    "input 0 comes from a graph input, it must come from Conv": lambda w: need.producer(w.node("Relu"), 0, "Conv"),
    "'a' is also read by 'Neg', one reader must be the only one": lambda w: need.producer(
        w.node("Add"), 0, "Relu", ctx=w
    ),
    "'b' is read by Exp, Sum, it must be read by one Exp": lambda w: need.consumer(w.node("Add"), "Exp", ctx=w),
    "'z' is a graph output, it must be read by Exp alone": lambda w: need.consumer(w.node("Neg"), "Exp", ctx=w),
    "'d' is read by nothing, it must be read by one Exp": lambda w: need.consumer(w.node("Clip"), "Exp", ctx=w),
    "'y' is also a graph output": lambda w: need.sole_reader(w.node("Sum").outputs[0], w.node("Sum"), w),
    "input 1 is absent": lambda w: need.present(w.node("Clip"), 1),
    "input 7 is absent": lambda w: need.present(w.node("Clip"), 7),
    "input 0 ('a') must be constant": lambda w: need.constant(w.node("Add"), 0),
    "'x' has the shape 2xN, every dim must be known": lambda w: need.static(w.node("Relu").inputs[0], w.node("Relu")),
    "'x' has rank 2, it must be 3 or 4": lambda w: need.rank(w.node("Relu").inputs[0], w.node("Relu"), 3, 4),
    "'x' has dtype float32, its kind must be one of 'iu'": lambda w: need.dtype(
        w.node("Relu").inputs[0], w.node("Relu"), "iu"
    ),
    "'w' is constant": lambda w: need.value(w.node("Add").inputs[1], w.node("Add")),
}


@pytest.mark.parametrize("reason", NEEDS)
def test_need_helpers_refuse_with_a_reason(reason: str) -> None:
    w = world(TEXT)
    with pytest.raises(Mismatch) as mismatch:
        NEEDS[reason](w)
    assert mismatch.value.reason == reason
    assert isinstance(mismatch.value.at, Node)


def test_need_helpers_answer() -> None:
    w = world(TEXT)
    add = w.node("Add")
    assert need.producer(add, 0, "Abs", "Relu") is w.node("Relu")
    assert need.consumer(w.node("Exp"), "Sum", ctx=w) is w.node("Sum")
    assert need.constant(add, 1).tolist() == [[1], [2]]
    assert need.static(add.inputs[1], add) == (2, 1)
    assert need.rank(add.inputs[0], add) == 2
    assert need.dtype(add.inputs[0], add) == np.float32
    assert need.value(add.inputs[0], add) is w.node("Relu").outputs[0]


def test_absent_weights_are_a_reason(tmp_path: Path) -> None:
    proto = proto_of("g (float[1024] x) => (float[1024] y) { y = Add (x, w) }")
    proto.graph.initializer.append(numpy_helper.from_array(np.ones(1024, np.float32), "w"))
    onnx.save(proto, tmp_path / "m.onnx", save_as_external_data=True, location="d", size_threshold=0)
    (tmp_path / "d").unlink()
    node = Model.load(tmp_path / "m.onnx").graph.nodes[0]
    assert isinstance(node.inputs[1], Constant)
    with pytest.raises(Mismatch, match="the weights of 'w' are not there"):
        need.constant(node, 1)


def test_the_weakest_promise() -> None:
    assert weakest([]) is Exactness.EXACT
    assert weakest([Exactness.ROUNDING, Exactness.EXACT]) is Exactness.ROUNDING
    assert weakest(list(Exactness)) is Exactness.APPROXIMATE


def test_cures_are_limits_or_operators() -> None:
    rule = Strict()
    assert rule.cure([Broken("Conv.kernel_h")])
    assert rule.cure([Broken("Add.rank.2")])
    assert not rule.cure([Broken("Conv.kernel_w"), Broken("Mul.rank")])
    assert not rule.cure([])
