"""normalise-rank: inputs and outputs of rank 1 to 3 at rank 4, when that is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import surgery
from passes.rank import NormaliseRank
from passes.rank.ends import lifted
from surgery.drift.inputs import make_inputs
from surgery.errors import SurgeryError
from surgery.ir import Model
from surgery.ir.session import open_session
from surgery.pipeline.manager import Manager
from surgery.pipeline.result import Status
from surgery.rewrite import Purpose
from tests.passes.rank_models import net
from tests.support import Applied, apply_pass, interface, model_of

ROW = "[2,8,12]"
SHAPES = {
    "NCL": (ROW, (2, 8, 1, 12)),
    "NC": ("[2,8]", (2, 8, 1, 1)),
    "L": ("[5]", (1, 1, 1, 5)),
    "dynamic": ('["N",8,"L"]', ("N", 8, 1, "L")),
}


def run(model: Model, march: str | None = "bayes-e", **options: Any) -> Applied:
    """The pass with its option on."""
    return apply_pass(model, NormaliseRank(inputs=True), march, **options)


@pytest.mark.parametrize("opset", [11, 13])
@pytest.mark.parametrize("name", SHAPES)
def test_both_ends(name: str, opset: int) -> None:
    text, shape = SHAPES[name]
    done = run(net("a = Sin (x)  y = Cos (a)", text, text, opset), verify=name != "dynamic")
    ends = [(t.name, t.shape) for t in (*done.model.graph.inputs, *done.model.graph.outputs)]
    assert ends == [("x_rank4", shape), ("y_rank4", shape)]
    assert lifted(tuple(net("y = Sin (x)", text, text).graph.inputs[0].shape or ())) == shape
    assert done.ops == (["Squeeze", "Sin", "Cos", "Unsqueeze"] if name == "dynamic" else ["Sin", "Cos"])


@pytest.mark.parametrize("opset", [11, 13])
def test_the_host_undoes_it(opset: int) -> None:
    model = net("a = Conv <pads = [1, 1]> (x, w)  y = Relu (a)", ROW, ROW, opset, w=(8, 8, 3))
    done = run(model)
    assert done.ops == ["Conv", "Relu"]
    io = done.manager.io
    assert io is not None
    assert [n.op_type for n in (*io.prologue.node, *io.epilogue.node)] == ["Unsqueeze", "Squeeze"]
    whole = io.compose(done.model)
    assert interface(whole) == interface(model)
    for feeds in make_inputs(model, samples=2).samples:
        ours, theirs = open_session(whole).run(feeds), open_session(model).run(feeds)
        assert np.allclose(ours["y"], theirs["y"], rtol=1e-4, atol=1e-5)


LEFT = {
    "rank 4": "g (float[1,2,3,4] x) => (float[1,2,3,4] y) { y = Sin (x) }",
    "rank 5": "g (float[1,1,2,3,4] x) => (float[1,1,2,3,4] y) { y = Sin (x) }",
    "a number": "g (float x) => (float y) { y = Sin (x) }",
    "integers": "g (int64[3] x) => (int64[3] y) { y = Neg (x) }",
    "straight through": "g (float[3] x) => (float[3] x) { y = Sin (x) }",
}


@pytest.mark.parametrize("name", LEFT)
def test_what_is_left(name: str) -> None:
    assert run(model_of(LEFT[name]), None).result.status is Status.UNCHANGED


def test_an_output_that_is_read_inside_too() -> None:
    done = run(model_of("g (float[3] x) => (float[3] y, float[3] z) { y = Sin (x)  z = Cos (y) }"), None)
    assert done.ops == ["Squeeze", "Sin", "Unsqueeze", "Cos", "Unsqueeze"]


def test_two_inputs_of_which_one_changes() -> None:
    text = "g (float[2,3,4] a, float[1,2,3,4] b) => (float[1,2,3,4] y) { y = Add (a, b) }"
    done = run(model_of(text), None)
    assert [t.name for t in done.model.graph.inputs] == ["a_rank4", "b"]
    assert done.manager.io is not None
    assert done.manager.io.inputs == ("a", "b")


@pytest.mark.parametrize(("limit", "names"), [(0, ["x", "y"]), (1, ["x_rank4", "y"]), (2, ["x_rank4", "y_rank4"])])
def test_a_bisection_stops_in_between(limit: int, names: list[str]) -> None:
    manager = Manager(net("y = Sin (x)", ROW, ROW))
    manager.run([("rank", NormaliseRank(inputs=True))], limits={"rank": limit})
    assert [t.name for t in (*manager.model.graph.inputs, *manager.model.graph.outputs)] == names


def test_purposes() -> None:
    assert Purpose.INTERFACE in NormaliseRank(inputs=True).purposes(None)
    assert Purpose.INTERFACE not in NormaliseRank().purposes(None)


def test_the_api_mirrors_the_flag() -> None:
    model = net("a = Conv <pads = [1, 1]> (x, w)  y = Relu (a)", ROW, ROW, 11, w=(8, 8, 3))
    done = surgery.run(model, march="X5", rank4_inputs=True)
    assert [t.name for t in done.model.graph.inputs] == ["x_rank4"]
    assert done.report.verified == "full"
    assert [t.rank for t in surgery.run(model, march="X5").model.graph.inputs] == [3]


def test_the_pass_has_to_be_there() -> None:
    with pytest.raises(SurgeryError, match="normalise-rank"):
        surgery.run(net("y = Sin (x)", ROW, ROW, 11), march="X5", skip=["normalise-rank"], rank4_inputs=True)


def test_its_own_output_is_left_alone() -> None:
    model = net("a = Conv <pads = [1, 1]> (x, w)  y = Relu (a)", ROW, ROW, 11, w=(8, 8, 3))
    once = surgery.run(model, march="X5", rank4_inputs=True).model
    assert surgery.run(once, march="X5", rank4_inputs=True).model.to_proto() == once.to_proto()
