"""fold-constants: what it leaves, what it refuses, where it works."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.fold import FoldConstants
from surgery.ir import Model
from surgery.pipeline.manager import Manager
from surgery.pipeline.result import Status
from tests.matrix import VARIANTS, model_in, runs
from tests.support import SHARED, Applied, apply_pass, model_of

TEXT = """g (float[2,3] x) => (float[2,3] y) <float[3] a = {1, 2, 3}, int64[2] s = {1, 3}> {
    n = Neg (a)  r = Reshape (n, s)  t = Mul (x, r)  y = Relu (t) }"""


def refused(applied: Applied) -> dict[str, str]:
    return {e.op: e.reason for e in applied.result.events if e.outcome == "refused"}


def test_fold_constants() -> None:
    applied = apply_pass(TEXT, FoldConstants())
    assert applied.text == "t = Mul (x, r)\ny = Relu (t)"
    assert applied.result.applied == 1
    assert [edit.change.old for edit in applied.result.edits] == [("Reshape", "Neg")]
    assert applied.model.graph.nodes[0].inputs[1].values.tolist() == [[-1, -2, -3]]


@pytest.mark.parametrize("variant", VARIANTS)
def test_everywhere(variant: str) -> None:
    applied = apply_pass(model_in(variant, TEXT), FoldConstants(), verify=runs(variant))
    assert ("Reshape" in applied.ops) == (variant == "tapped")
    assert "Mul" in applied.ops


@pytest.mark.parametrize("opset", [11, 13, 17, 23])
def test_every_opset(opset: int) -> None:
    applied = apply_pass(TEXT, FoldConstants(), opset=opset)
    assert applied.ops == ["Mul", "Relu"]


def test_a_reshape_by_its_own_shape_becomes_constant() -> None:
    """The arithmetic on shapes that exporters write."""
    applied = apply_pass(
        """g (float[N,4,2,2] x) => (float[N,16] y) <int64 zero = {0}, int64[1] all = {-1}, int64 one = {1},
            int64 two = {2}, int64 three = {3}, int64[1] axis = {0}> {
            s = Shape (x)  c = Gather (s, one)  h = Gather (s, two)  w = Gather (s, three)
            hw = Mul (h, w)  chw = Mul (c, hw)  u = Unsqueeze (chw, axis)  t = Concat <axis = 0> (all, u)
            y = Reshape (x, t) }""",
        FoldConstants(),
    )
    assert applied.text == "y = Reshape (x, t)"
    assert applied.model.graph.nodes[0].inputs[1].values.tolist() == [-1, 16]


def test_rounds_go_on_until_nothing_becomes_known() -> None:
    """Each Reshape makes the next shape known only when its own is constant."""
    steps = "\n".join(
        f"s{i} = Shape (x{i})  d{i} = Mul (s{i}, two)  t{i} = Div (d{i}, two)  x{i + 1} = Reshape (x{i}, t{i})"
        for i in range(12)
    )
    applied = apply_pass(
        f"g (float[2,3] x0) => (float[?,?] y) <int64[1] two = {{2}}> {{ {steps}  y = Relu (x12) }}", FoldConstants()
    )
    assert set(applied.ops) == {"Reshape", "Relu"}


def test_constant_branch_is_inlined() -> None:
    text = """<ir_version: 8, opset_import: ["": 17]> g (float[2] x) => (float[2] y) <bool t = {0}> {
        a = Relu (x)
        y = If (t) <then_branch = p () => (float[2] q) { q = Neg (a) },
                    else_branch = r () => (float[2] o) { n = Abs (a)  o = Exp (n) }> }"""
    applied = apply_pass(text, FoldConstants())
    assert applied.text == "a = Relu (x)\nn = Abs (a)\ny = Exp (n)"
    assert [edit.change.rule for edit in applied.result.edits] == ["inline-branch"]


def test_branches_within_branches_are_inlined() -> None:
    text = """<ir_version: 8, opset_import: ["": 17]> g (bool c, float[2] x) => (float[2] y) <bool t = {1}> {
        y = If (t) <then_branch = p () => (float[2] q) {
                i = If (c) <then_branch = p2 () => (float[2] q2) { q2 = Neg (x) },
                            else_branch = r2 () => (float[2] o2) {
                                o2 = If (t) <then_branch = p3 () => (float[2] q3) { z = Abs (x)  q3 = Exp (z) },
                                             else_branch = r3 () => (float[2] o3) { o3 = Sin (x) }> }>
                q = Relu (i) },
                    else_branch = r () => (float[2] o) { o = Cos (x) }> }"""
    applied = apply_pass(text, FoldConstants())
    assert sorted(applied.ops) == ["Abs", "Exp", "If", "Neg", "Relu"]


def test_a_branch_that_returns_what_is_outside() -> None:
    text = """<ir_version: 8, opset_import: ["": 17]> g (float[2] x) => (float[2] y, float[2] z) <bool t = {1}> {
        a, b = If (t) <then_branch = p () => (float[2] q, float[2] k) {
                           q = Identity (x)  k = Constant <value_floats = [1.0, 2.0]> () },
                       else_branch = r () => (float[2] o, float[2] m) { o = Neg (x)  m = Abs (x) }>
        y = Add (a, b)  z = Sub (a, b) }"""
    applied = apply_pass(text, FoldConstants())
    assert "If" not in applied.ops


def test_the_condition_may_become_constant() -> None:
    """A Squeeze that guards its axis, as TorchScript writes it."""
    text = """<ir_version: 8, opset_import: ["": 17]> g (float[N,1,4] x) => (float[?,?] y)
        <int64 one = {1}, int64[1] axis = {1}> {
        s = Shape (x)  d = Gather (s, one)  c = Equal (d, one)
        q = If (c) <then_branch = p () => (float[?,?] a) { a = Squeeze (x, axis) },
                    else_branch = r () => (float[?,?,?] b) { b = Identity (x) }>
        y = Relu (q) }"""
    applied = apply_pass(text, FoldConstants())
    assert applied.ops == ["Squeeze", "Relu"]


def test_what_a_branch_computes_from_constants_is_folded_after_inlining() -> None:
    """Its nodes are sorted in before folding looks at the graph."""
    text = """<ir_version: 8, opset_import: ["": 17]> g (float[2] x) => (float[2] y, float[2] z)
        <bool t = {1}, float[2] k = {1, 2}> {
        i = If (t) <then_branch = p () => (float[2] q) { m = Neg (k)  q = Exp (m) },
                    else_branch = r () => (float[2] o) { o = Cos (k) }>
        a = Sqrt (i)  b = Reciprocal (a)  y = Mul (x, b)  z = Add (x, a) }"""
    assert apply_pass(text, FoldConstants()).ops == ["Mul", "Add"]


def test_a_condition_that_becomes_constant_leads_to_further_folding() -> None:
    text = """<ir_version: 8, opset_import: ["": 17]> g (float[2] x) => (float[2] y)
        <float[2] k = {1, 2}, float[1] a = {1}, float[1] b = {2}> {
        t = Less (a, b)
        i = If (t) <then_branch = p () => (float[2] q) { m = Neg (k)  q = Exp (m) },
                    else_branch = r () => (float[2] o) { o = Cos (k) }>
        s = Sqrt (i)  y = Mul (x, s) }"""
    assert apply_pass(text, FoldConstants()).ops == ["Mul"]


def test_a_protected_branch_does_not_hold_up_the_rest() -> None:
    text = """<ir_version: 8, opset_import: ["": 17]> g (float[2] x) => (float[2] y)
        <bool t = {1}, float[2] k = {1, 2}> {
        n = Neg (k)
        i = If (t) <then_branch = p () => (float[2] q) { q = Exp (x) },
                    else_branch = r () => (float[2] o) { o = Cos (x) }>
        y = Mul (i, n) }"""
    model = model_of(text)
    Manager(model, protect=re.compile("If")).run([("fold", FoldConstants())])
    assert [n.op for n in model.graph.nodes] == ["If", "Mul"]


def test_what_computes_an_output_stays() -> None:
    applied = apply_pass(
        "g (float[1] x) => (float[1] y, float[1] z) <float[1] a = {1}> { y = Neg (a) z = Relu (x) }", FoldConstants()
    )
    assert applied.result.status is Status.REFUSED
    assert refused(applied) == {"Neg": "computes a graph output"}


@pytest.mark.parametrize(
    ("nodes", "op", "reason"),
    [
        ("b = RandomUniformLike (a)", "RandomUniformLike", "RandomUniformLike draws random numbers"),
        ("b = nobody.Knows (a)", "Knows", "nobody:Knows is a custom operator"),
        ("b = DequantizeLinear (w, k)", "DequantizeLinear", "would store a quantised weight dequantised"),
        (
            "b = Gather (a, k5)",
            "Gather",
            "onnxruntime cannot run the model: Non-zero status code returned while running",
        ),
    ],
)
def test_refusals(nodes: str, op: str, reason: str) -> None:
    """The refusal is recorded, and the rest is folded all the same."""
    text = f"""<ir_version: 8, opset_import: ["": 17, "nobody": 1]> g (float[2] x) => (float[?] y)
        <float[2] a = {{1, 2}}, int8[2] w = {{1, 2}}, float k = {{0.5}}, int64[1] k5 = {{5}}> {{
        {nodes}  m = Neg (a)  p = Add (x, m)  y = Add (p, b) }}"""
    applied = apply_pass(text, FoldConstants(), verify=False)
    assert refused(applied)[op].startswith(reason)
    assert "Neg" not in applied.ops


def test_what_leads_to_a_refused_node_is_folded() -> None:
    text = """g (float[1] x) => (float[1] y) <string s = {"no number"}, int64[1] axis = {0}> {
        u = Unsqueeze (s, axis)  c = Cast <to = 1> (u)  y = Add (x, c) }"""
    applied = apply_pass(text, FoldConstants(), verify=False)
    assert applied.ops == ["Cast", "Add"]
    assert "Cast" in refused(applied)


def test_constants_that_contradict_the_operators_leave_the_model_as_it_was() -> None:
    """Operands that do not fit, which shows only once a shape is constant."""
    model = model_of("""g (float[1,5] x) => (float[?,?] y) <float[2] k = {1.2, 1.2}> {
        e = Exp (k)  s = Cast <to = 7> (e)  z = ConstantOfShape (s)  y = MatMul (x, z) }""")
    before = model.digest()
    [result] = Manager(model).run([("fold", FoldConstants())])
    assert model.digest() == before
    assert result.status is Status.FAILED
    assert "Incompatible dimensions for matrix multiplication" in result.reason


def test_an_open_condition_is_refused() -> None:
    applied = apply_pass(model_in("in_if", TEXT), FoldConstants())
    assert refused(applied)["If"] == "input 0 ('condition') must be constant"


def test_growth_is_bounded_over_runs() -> None:
    """What one run added is spent for the next: folding is idempotent even where the bound is reached."""
    ones = ", ".join(["1"] * 512)
    text = f"""g (float[2,512] x, float[3,512] v) => (float[2,512] y, float[3,512] z)
        <float[1,512] a = {{{ones}}}, int64[2] p = {{2, 512}}, int64[2] q = {{3, 512}}> {{
        e = Expand (a, p)  y = Add (x, e)  f = Expand (a, q)  z = Add (v, f) }}"""
    step = FoldConstants(max_growth_bytes=7000)
    applied = apply_pass(text, step)
    assert applied.ops.count("Expand") == 1
    again = Manager(Model.load(applied.model.to_proto())).run([("again", step)])[0]
    assert again.status is Status.REFUSED


def test_no_growth_at_all() -> None:
    applied = apply_pass(TEXT, FoldConstants(max_growth_bytes=0))
    assert applied.ops == ["Mul", "Relu"], "what replaces a constant of the same size does not grow"


def test_protected_nodes_stay() -> None:
    model = model_of(TEXT)
    manager = Manager(model, protect=re.compile("Neg"), trace=True)
    [result] = manager.run([("fold", FoldConstants())])
    assert [n.op for n in model.nodes()] == ["Neg", "Reshape", "Mul", "Relu"]
    assert [e.reason for e in result.events] == ["protected"]


def test_a_limit_on_matches_is_kept() -> None:
    text = """g (float[1] x) => (float[1] y) <float[1] a = {1}, float[1] b = {2}> {
        c = Neg (a)  d = Exp (b)  y = Sum (x, c, d) }"""
    model = model_of(text)
    [result] = Manager(model).run([("fold", FoldConstants())], limits={"fold": 1})
    assert result.applied == 1
    assert [n.op for n in model.nodes()] == ["Exp", "Sum"]


def test_a_rollback_restores_everything() -> None:
    from surgery.ir.edit import Editor
    from surgery.pipeline import PassRun
    from surgery.pipeline.context import PassContext
    from surgery.rewrite import Rewriter

    text = """<ir_version: 8, opset_import: ["": 17]> g (float[2] x) => (float[2] y)
        <bool t = {1}, float[2] k = {1, 2}> {
        n = Neg (k)  a = Add (x, n)
        y = If (t) <then_branch = p () => (float[2] q) { q = Neg (a) },
                    else_branch = r () => (float[2] o) { o = Abs (a) }> }"""
    model = model_of(text)
    before, editor = model.digest(), Editor()
    run = PassRun(model, PassContext(model), Rewriter(model.graph, model.opset, editor))
    FoldConstants().run(run)
    assert model.digest() != before
    editor.rollback()
    assert model.digest() == before
    model.check()


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(["Neg", "Abs", "Exp", "Add", "Mul", "MatMul"]), min_size=1, max_size=12), st.data())
def test_random_graphs_keep_their_numbers(ops: list[str], data: st.DataObject) -> None:
    """Nodes on random earlier values, of which some are constants."""
    names, lines = ["x", "a", "b"], []
    for index, op in enumerate(ops):
        arity = 1 if op in ("Neg", "Abs", "Exp") else 2
        operands = [data.draw(st.sampled_from(names)) for _ in range(arity)]
        lines.append(f"v{index} = {op} ({', '.join(operands)})")
        names.append(f"v{index}")
    lines.append(f"y = Sum ({', '.join(names[3:])}, x)")
    weights = "float[2,2] a = {0.1, -0.2, 0.3, 0.4}, float[2,2] b = {-0.5, 0.25, 0.125, 1}"
    applied = apply_pass(f"g (float[2,2] x) => (float[2,2] y) <{weights}> {{ {'  '.join(lines)} }}", FoldConstants())
    for node in applied.model.nodes():
        assert any(t.name == "x" or t.producer for t in node.inputs), f"{node} is constant and was left"


@pytest.mark.shared
@pytest.mark.parametrize(("name", "left"), [("models/tv_swin_t_op17", 600), ("edge/hm_wide_20000nodes_op13", 17501)])
def test_large_graphs_are_folded(name: str, left: int) -> None:
    model = Model.load(SHARED / "corpus" / f"{name}.onnx")
    [result] = Manager(model).run([("fold", FoldConstants())])
    assert sum(1 for _ in model.nodes()) <= left
    assert result.status in (Status.APPLIED, Status.UNCHANGED)


@pytest.mark.shared
def test_the_bloater_does_not_bloat() -> None:
    [path] = (SHARED / "corpus" / "real").glob("*constant_fold_bloater.onnx")
    model = Model.load(path)
    before = sum(c.nbytes for c in model.heavy().values())
    Manager(model).run([("fold", FoldConstants())])
    assert sum(c.nbytes for c in model.heavy().values()) <= before + (1 << 20)
    assert np.isfinite(before)
