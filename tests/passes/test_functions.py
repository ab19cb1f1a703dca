"""inline-functions: the model's own functions, in the place of their calls."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.parser import parse_model

from passes.functions import InlineFunctions
from surgery.ir import Graph, Model
from surgery.ir.edit import Editor
from surgery.ir.function import functions
from surgery.ir.session import open_session
from surgery.pipeline import PassRun
from surgery.pipeline.context import PassContext
from surgery.pipeline.manager import Manager
from surgery.pipeline.result import Status
from surgery.rewrite import Rewriter
from tests.support import Applied, apply_pass, nodes_text

HEAD = '<ir_version: 10, opset_import: ["": 18, "made.up": 1]>'
OWN = '<domain: "made.up", opset_import: ["": 18, "made.up": 1]>'


def model(main: str, *own: str, head: str = HEAD) -> Model:
    """A model of ONNX text and of functions of the domain ``made.up``."""
    return Model.load(parse_model("\n".join([head, main, *(f if f.startswith("<") else f"{OWN} {f}" for f in own)])))


def inlined(main: str, *own: str) -> Applied:
    """The model after the pass, which has to leave every bit as it was."""
    done = apply_pass(model(main, *own), InlineFunctions())
    assert done.result.status is Status.APPLIED
    assert done.result.drift_step == 0
    assert done.model.functions == []
    return done


GRAPH = "g (float[2,3] x) => (float[2,3] y)"


def test_before_and_after() -> None:
    done = inlined(f"{GRAPH} {{ y = made.up.twice (x) }}", "twice (p) => (r) { q = Sin (p)  r = Cos (q) }")
    assert done.text == '"twice/q" = Sin (x)\ny = Cos ("twice/q")'
    assert [(e.change.rule, e.change.old, e.change.new) for e in done.result.edits] == [
        ("inline-call", ("twice",), ("twice/Sin", "twice/Cos")),
        ("drop-function", ("twice",), ()),
    ]
    assert list(done.model.opsets) == [""]


def test_attributes_are_filled_in() -> None:
    elu = "f <by: float = 3.0> (p) => (q) { q = Elu <alpha: float = @by> (p) }"
    done = inlined(f"{GRAPH} {{ a = made.up.f (x)  y = made.up.f <by = 2.0> (a) }}", elu)
    assert [n.attrs["alpha"] for n in done.model.nodes()] == [3.0, 2.0]


def test_an_attribute_left_out_is_left_out() -> None:
    done = inlined(f"{GRAPH} {{ y = made.up.f (x) }}", "f <by> (p) => (q) { q = Elu <alpha: float = @by> (p) }")
    assert [n.attrs for n in done.model.nodes()] == [{}]


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        ("value_float: float", "2.0", np.float32(2)),
        ("value_floats: floats", "[2.0, 3.0, 4.0]", np.array([2, 3, 4], np.float32)),
        ("value: tensor", "float[1] {0.5}", np.array([0.5], np.float32)),
    ],
)
def test_constants_made_of_attributes(kind: str, given: str, value: Any) -> None:
    body = f"f <k> (p) => (q) {{ c = Constant <{kind} = @k> ()  q = Mul (p, c) }}"
    done = inlined(f"{GRAPH} {{ y = made.up.f <k = {given}> (x) }}", body)
    [node] = done.model.nodes()
    np.testing.assert_array_equal(node.inputs[1].values, value)


def test_functions_within_functions() -> None:
    done = inlined(
        f"{GRAPH} {{ y = made.up.outer <k = 2.0> (x) }}",
        "outer <k> (p) => (r) { q = made.up.inner <a: float = @k> (p)  r = made.up.inner <a: float = @k> (q) }",
        "inner <a> (p) => (q) { q = Elu <alpha: float = @a> (p) }",
    )
    assert [(n.op, n.attrs) for n in done.model.nodes()] == [("Elu", {"alpha": 2.0})] * 2
    assert done.result.applied == 5


def test_omitted_inputs_stay_omitted() -> None:
    clip = "f (p, low, high) => (q) { q = Clip (p, low, high) }"
    done = inlined("g (float[3] x, float c) => (float[3] y) { y = made.up.f (x, , c) }", clip)
    assert done.text == 'y = Clip (x, "", c)'
    done = inlined(f"{GRAPH} {{ y = made.up.f (x) }}", clip)
    assert done.text == 'y = Clip (x, "", "")'


def test_outputs_that_nothing_reads_are_not_computed() -> None:
    pair = "f (p) => (q, r) { q = Sin (p)  s = Cos (p)  r = Exp (s) }"
    done = inlined(f"{GRAPH} {{ y, z = made.up.f (x) }}", pair)
    assert done.ops == ["Sin"]


def test_an_input_handed_through() -> None:
    """No onnxruntime takes such a function."""
    source = model(f"{GRAPH} {{ y, z = made.up.f (x)  }}", "f (p) => (p, q) { q = Sin (p) }")
    done = apply_pass(source, InlineFunctions(), verify=False)
    assert done.text == "y = Identity (x)"


def test_bodies_within_bodies() -> None:
    """An If in a function in an If, that reads the call's input."""
    other = "k = Constant <value_float: float = @k> ()  s = Mul (p, k)"
    branch = f"If (c) <then_branch = t () => (r) {{ r = Sin (p) }}, else_branch = e () => (s) {{ {other} }}>"
    call = "{ z = made.up.f <k = 2.0> (x, c) }"
    done = inlined(
        f"g (float[3] x, bool c) => (float[3] y) "
        f"{{ y = If (c) <then_branch = a () => (float[3] z) {call}, "
        f"else_branch = b () => (float[3] w) {{ w = Abs (x) }}> }}",
        f"f <k> (p, c) => (q) {{ q = {branch} }}",
    )
    assert sorted(done.ops) == ["Abs", "If", "If", "Mul", "Sin"]
    for condition in (True, False):
        feeds = {"x": np.array([1, -2, 3], np.float32), "c": np.array(condition)}
        [y] = open_session(done.model).run(feeds).values()
        np.testing.assert_allclose(y, np.sin(feeds["x"]) if condition else np.abs(feeds["x"]), rtol=1e-6)


def test_a_loop_gets_the_types_of_what_it_is_given() -> None:
    """As onnxruntime wants them: it cannot run the function as it is written."""
    loop = (
        "f (p, n, go) => (q) { q = Loop (n, go, p) <body = b (i, c, v) => (c2, w) { c2 = Identity (c)  w = Sin (v) }> }"
    )
    source = model("g (float[3] x, bool c) => (float[3] y) <int64 n = {2}> { y = made.up.f (x, n, c) }", loop)
    done = apply_pass(source, InlineFunctions(), verify=False)
    assert done.ops == ["Loop", "Identity", "Sin"]
    feeds = {"x": np.array([1, 2, 3], np.float32), "c": np.array(True)}
    np.testing.assert_allclose(open_session(done.model).run(feeds)["y"], np.sin(np.sin(feeds["x"])), rtol=1e-6)


def test_overloads_are_told_apart() -> None:
    proto = parse_model(f"{HEAD} {GRAPH} {{ a = made.up.f (x)  y = made.up.f (a) }}")
    for overload, op in (("", "Sin"), ("other", "Cos")):
        node = helper.make_node(op, ["p"], ["q"])
        function = helper.make_function("made.up", "f", ["p"], ["q"], [node], [helper.make_opsetid("", 18)])
        function.overload = overload
        proto.functions.append(function)
    proto.graph.node[1].overload = "other"
    done = apply_pass(Model.load(proto), InlineFunctions())
    assert done.ops == ["Sin", "Cos"]


def test_what_nothing_calls_goes_and_what_is_called_stays() -> None:
    """A function of another opset stays, and so does what only it calls; the custom domain of a node stays, too."""
    old = (
        '<domain: "made.up", opset_import: ["": 17, "made.up": 1]> old (p) => (q) { r = Abs (p)  q = made.up.deep (r) }'
    )
    source = model(
        f"{GRAPH} {{ y = made.up.old (x) }}", old, "deep (p) => (q) { q = Sin (p) }", "idle (p) => (q) { q = Cos (p) }"
    )
    done = apply_pass(source, InlineFunctions())
    assert [name for _, name, _ in functions(done.model)] == ["old", "deep"]
    assert "made.up" in done.model.opsets
    assert done.reasons == ["function made.up:old is written in ai.onnx 17, the model imports 18"]


def refused(main: str, *own: str, **changes: Any) -> list[str]:
    source = model(main, *own, **changes)
    text = nodes_text(source)
    done = apply_pass(source, InlineFunctions(), verify=False)
    assert done.text == text
    return done.reasons


def test_refused_an_opset_that_the_model_does_not_import() -> None:
    text = '<domain: "made.up", opset_import: ["": 18, "else": 2]> f (p) => (q) { q = else.Mystery (p) }'
    assert refused(f"{GRAPH} {{ y = made.up.f (x) }}", text) == [
        "function made.up:f is written in else 2, the model imports 1"
    ]


def test_refused_a_function_within_that_is_of_another_opset() -> None:
    inner = '<domain: "made.up", opset_import: ["": 17]> inner (p) => (q) { q = Sin (p) }'
    outer = "f (p) => (q) { q = made.up.inner (p) }"
    assert refused(f"{GRAPH} {{ y = made.up.f (x) }}", outer, inner) == [
        "function made.up:inner is written in ai.onnx 17, the model imports 18"
    ]


def test_refused_too_many_operands() -> None:
    one = "f (p) => (q) { q = Sin (p) }"
    source = model(f"{GRAPH} {{ y = made.up.f (x) }}", one)
    [node] = source.nodes()
    Editor().set_inputs(node, [node.inputs[0]] * 2)
    assert _explained(source) == ["the call has 2 inputs, the function at most 1"]


def test_refused_an_absent_attribute() -> None:
    body = "f <k> (p) => (q) { c = Constant <value_float: float = @k> ()  q = Mul (p, c) }"
    source = model(f"{GRAPH} {{ y = made.up.f <k = 1.0> (x) }}", body)
    [node] = source.nodes()
    Editor().set_attr(node, "k", None)
    assert _explained(source) == ["attribute 'k' is absent and has no default, the body reads it"]


def test_refused_a_function_that_calls_itself() -> None:
    source = model(f"{GRAPH} {{ y = made.up.f (x) }}", "f (p) => (q) { q = Sin (p) }")
    [inner] = source.functions[0].nodes
    Editor().set_op(inner, "f", {}, "made.up")
    assert _explained(source) == ["function made.up:f calls itself"]


def test_refused_a_graph_as_an_attribute() -> None:
    source = model(f"{GRAPH} {{ y = made.up.f (x) }}", "f (p) => (q) { q = Sin (p) }")
    [node] = source.nodes()
    Editor().set_attr(node, "body", Graph("held", owner=node))
    assert _explained(source) == ["attribute 'body' holds a graph, which a body cannot take over"]


def test_refused_a_protected_call() -> None:
    source = model(f"{GRAPH} {{ [keep] y = made.up.f (x) }}", "f (p) => (q) { q = Sin (p) }")
    manager = Manager(source, protect=re.compile("keep"), trace=True)
    assert manager.run([("inline-functions", InlineFunctions())])[0].status is Status.UNCHANGED
    assert len(source.functions) == 1


def test_another_domain_of_the_same_name_is_no_call() -> None:
    main = f"{GRAPH} {{ a = made.up.f (x)  y = nobody.f (a) }}"
    done = apply_pass(
        model(main, "f (p) => (q) { q = Sin (p) }", head=HEAD.replace("]", ', "nobody": 1]')),
        InlineFunctions(),
        verify=False,
    )
    assert done.ops == ["Sin", "f"]
    assert done.reasons == ["the model has no function nobody:f"]


def _explained(source: Model) -> list[str]:
    """What the pass says of a model that onnx would not load."""
    rw = Rewriter(source.graph, source.opset, Editor())
    stats = InlineFunctions().run(PassRun(source, PassContext(source), rw, trace=True)).stats
    return [e.reason for e in stats.events]


def test_undone_as_if_it_had_not_been() -> None:
    source = model(
        "g (float[3] x, bool c) => (float[3] y) { y = made.up.f (x, c) }",
        "f (p, c) => (q) "
        "{ q = If (c) <then_branch = t () => (r) { r = Sin (p) }, else_branch = e () => (s) { s = Cos (p) }> }",
    )
    before = source.to_proto()
    editor = Editor()
    run = PassRun(source, PassContext(source), Rewriter(source.graph, source.opset, editor))
    assert InlineFunctions().run(run).stats.applied == 2
    editor.settle()
    assert source.functions == []
    editor.rollback()
    editor.settle()
    source.check()
    assert source.to_proto() == before


def test_a_limit_on_matches_leaves_the_rest() -> None:
    source = model(f"{GRAPH} {{ a = made.up.f (x)  y = made.up.f (a) }}", "f (p) => (q) { q = Sin (p) }")
    run = PassRun(source, PassContext(source), Rewriter(source.graph, source.opset, Editor()), limit=1)
    assert InlineFunctions().run(run).stats.applied == 1
    assert len(source.functions) == 1


def test_the_file_has_no_function_left() -> None:
    done = inlined(f"{GRAPH} {{ y = made.up.f (x) }}", "f (p) => (q) { q = Sin (p) }")
    proto = done.model.to_proto()
    assert not proto.functions
    onnx.checker.check_model(proto)
