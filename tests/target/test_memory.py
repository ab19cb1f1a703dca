"""What is remembered of verdicts: by what nodes are made of, and what was read around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from surgery.ir.edit import Editor
from surgery.ir.graph import Constant, Graph, Node, Tensor, Value
from surgery.ir.store import Absent
from surgery.ir.weights import Weight
from surgery.target import Verdict, load_target
from surgery.target import memory as module
from surgery.target.limits import UNDEFINED
from surgery.target.memory import Memory
from surgery.target.params import PARAMS, Params, Unknown
from surgery.target.params.core import AROUND, form
from tests.target.networks import FOLDED, NEIGHBOURS, network
from tests.target.nodes import FLOAT, conv, ids, ints, node, value, weight
from tests.target.test_verdict import PROBED

X5 = load_target("bayes-e")


def told(params: Params, name: str) -> Any:
    try:
        return params[name]
    except (Unknown, *UNDEFINED) as error:
        return type(error)


@dataclass
class Judge:
    """Says ``bpu`` of all, reads what it is told to, and notes what it was asked about."""

    reads: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    asked: list[Node] = field(default_factory=list)

    def __call__(self, params: Params) -> Verdict:
        self.asked.append(params.node)
        for name in self.reads:
            told(params, name)
        return Verdict("bpu", (), self.reasons)


def asked(judge: Judge, *nodes: Node, opset: int = 11) -> int:
    """How many of ``nodes`` it was asked about, by one memory."""
    memory = Memory()
    for made in nodes:
        memory.recall(Params(made, opset), judge)
    return len(judge.asked)


def test_nodes_alike_are_judged_once() -> None:
    assert asked(Judge(), conv(), conv()) == 1


OTHERS = {
    "operator": node("Tanh", [(1, 8, 8, 8)], (1, 8, 8, 8)),
    "attribute": node("Relu", [(1, 8, 8, 8)], (1, 8, 8, 8), to=1),
    "size that is read": node("Relu", [(1, 8, 8, 9)], (1, 8, 8, 8)),
    "size that is computed": node("Relu", [(1, 8, 8, 8)], (1, 8, 8, 9)),
    "name of a size": node("Relu", [("N", 8, 8, 8)], (1, 8, 8, 8)),
    "no shape": node("Relu", [Value("x", FLOAT)], (1, 8, 8, 8)),
    "type": node("Relu", [Value("x", np.dtype(np.int8), (1, 8, 8, 8))], (1, 8, 8, 8)),
    "constant": node("Relu", [Constant("x", np.zeros((1, 8, 8, 8), np.float32))], (1, 8, 8, 8)),
    "second input": node("Relu", [(1, 8, 8, 8), (1,)], (1, 8, 8, 8)),
}


@pytest.mark.parametrize("what", OTHERS)
def test_nodes_that_differ_are_judged_apart(what: str) -> None:
    assert asked(Judge(), node("Relu", [(1, 8, 8, 8)], (1, 8, 8, 8)), OTHERS[what]) == 2


def test_an_omitted_input_is_not_one_of_unknown_type() -> None:
    assert asked(Judge(), node("Relu", [Value("")], (1,)), node("Relu", [Value("x")], (1,))) == 2


def test_attributes_of_equal_value_and_other_kind_are_told_apart() -> None:
    assert asked(Judge(), *(node("Elu", [(1,)], (1,), alpha=alpha) for alpha in (0.0, -0.0, 0, False))) == 4


def test_another_opset_is_judged_anew() -> None:
    memory, judge = Memory(), Judge()
    for opset in (11, 13):
        memory.recall(Params(conv(), opset), judge)
    assert len(judge.asked) == 2


def test_what_was_read_around_a_node_has_to_be_the_same() -> None:
    """The exponents are of one form: what they hold is read, or does not matter."""
    powers = [node("Pow", [(1, 8), Constant("p", np.float32([number]))], (1, 8)) for number in (2, 3, 2)]
    assert (asked(Judge(), *powers), asked(Judge(("exponent",)), *powers)) == (1, 2)


def test_what_cannot_be_read_is_not_the_same() -> None:
    """A convolution behind a Pad by a constant, and one behind a Pad by what is known at run time only."""
    behind = []
    for amounts in (ints(0, 0, 1, 1, 0, 0, 1, 1), Value("amounts", np.dtype(np.int64), (8,))):
        padded = Node("Pad", "p", {}, [value("z", 1, 8, 30, 30), amounts], [value("x", 1, 8, 32, 32)])
        behind.append(node("Conv", [padded.outputs[0], weight(8, 8, 3, 3)], (1, 8, 30, 30)))
    assert asked(Judge(("merged_pads",)), *behind) == 2


def test_reasons_name_tensors_and_are_not_kept() -> None:
    assert asked(Judge(reasons=("dim 'N' of 'x' is symbolic",)), conv(), conv()) == 2
    first, second = (node("MaxPool", [value(name, 1, "C", 8, 8)], (1, 8, 8, 8), kernel_shape=[2, 2]) for name in "ab")
    assert [X5.verdict(made, 11).reasons for made in (first, second)] != [X5.verdict(first, 11).reasons] * 2


def test_all_are_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    nodes = [node("Relu", [(1, size)], (1, size)) for size in (1, 2, 3)]
    assert asked(Judge(), *nodes, nodes[2], nodes[0]) == 4


EDITS: dict[str, tuple[Callable[[Editor, Node], Any], list[str]]] = {
    "attribute": (lambda editor, made: editor.set_attr(made, "strides", [400, 1]), ["Conv.stride_h"]),
    "shape": (lambda editor, made: editor.retype(made.inputs[0], FLOAT, (1, 8, 8, 70000)), ["Conv.dims.2"]),
    "input": (lambda editor, made: editor.set_input(made, 0, value("z", 1, 8, 8, 70000)), ["Conv.dims.2"]),
}


@pytest.mark.parametrize("what", EDITS)
def test_a_verdict_follows_what_is_done_to_its_node(what: str) -> None:
    edit, broken = EDITS[what]
    made, editor = conv(), Editor()
    assert ids(X5.verdict(made, 11)) == []
    edit(editor, made)
    assert ids(X5.verdict(made, 11)) == broken
    editor.rollback()
    assert ids(X5.verdict(made, 11)) == []


def test_a_verdict_follows_what_is_done_beside_its_node() -> None:
    """A product of more than 8192 columns is for the end of a network alone."""
    made, editor = node("Gemm", [(1, 8), weight(8, 9000)], (1, 9000)), Editor()
    assert ids(X5.verdict(made, 11)) == []
    editor.insert(Node("Relu", "r", {}, made.outputs, [value("z", 1, 9000)]), made.graph or Graph(), (1.0,))
    assert ids(X5.verdict(made, 11)) == ["Gemm.weight_out_channels"]
    editor.rollback()
    assert ids(X5.verdict(made, 11)) == []


class Blind(Value):
    """A value that does not tell who makes or reads it."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("inputs", "outputs", "producer", "consumers") and self.__dict__.get("closed"):
            raise AssertionError(f"reads {name} of a value")
        return super().__getattribute__(name)


class Alone(Node):
    """A node that does not tell its graph or its name."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("graph", "name", "position", "metadata") and self.__dict__.get("closed"):
            raise AssertionError(f"reads {name} of its node")
        return super().__getattribute__(name)


def bare(like: Node) -> Node:
    """A node of the same form, which tells nothing else."""
    inputs = [_constant(t) if isinstance(t, Constant) else _value(t) for t in like.inputs]
    outputs = [_value(t) for t in like.outputs]
    made = Alone(like.op, "", like.attrs, inputs, outputs, like.domain)
    for thing in (made, *inputs, *outputs):
        thing.__dict__["closed"] = True
    return made


def _value(like: Tensor) -> Value:
    return Blind(like.name and "bare", like.dtype, like.shape)


def _constant(like: Constant) -> Constant:
    held = like.weight
    return Constant("bare", Weight(held.elem_type, held.shape, Absent("nowhere", held.nbytes)))


class Twin(Params):
    """The parameters of a bare node, told what can be read around the real one."""

    __slots__ = ("real",)

    def __init__(self, real: Params) -> None:
        super().__init__(bare(real.node), real.opset)
        self.real = real

    def __missing__(self, name: str) -> Any:
        return self.real[name] if name in AROUND else super().__missing__(name)


def samples() -> list[Params]:
    """Of the nodes of the tests about verdicts and placement, those of one form once."""
    networks = [network(row[0]) for row in (*FOLDED[::3], *NEIGHBOURS[::3])]
    nodes = [*(row[0] for row in PROBED), *(made for model in networks for made in model.nodes())]
    return list({form(params): params for made in nodes for params in (Params(made, 11),)}.values())


def test_parameters_read_the_form_of_a_node_unless_they_are_known_to_read_more() -> None:
    for params in samples():
        twin = Twin(params)
        for name in PARAMS.keys() - set(AROUND):
            assert told(twin, name) == told(params, name), (name, params.node)
