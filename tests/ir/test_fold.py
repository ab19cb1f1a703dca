"""Folding: which nodes, what values, what bound. One round; the pass adds the rounds and the edits."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from surgery.ir import Model
from surgery.ir.edit import Editor
from surgery.ir.evaluate import Evaluator
from surgery.ir.fold import Folding, Limits, fold
from tests.support import model_of

PLENTY = Limits(1 << 20, 1 << 20)


def fold_once(model: Model | str, limits: Limits = PLENTY, barred: str = "") -> Folding:
    model = model_of(model) if isinstance(model, str) else model
    return fold(model.graph, model.header, limits, lambda n: "protected" if n.op == barred else None, Editor().retype)


def values(folding: Folding) -> dict[str, list[object]]:
    return {v.name: np.asarray(a).tolist() for v, a in folding.values.items()}


def reasons(folding: Folding) -> dict[str, str]:
    return {node.op: reason for node, reason in folding.refusals.items()}


def test_folds_node_by_node() -> None:
    """A node that onnxruntime refuses takes nothing else with it."""
    text = """g (float[2] x) => (float[2] y, float[?] z) <float[2] a = {1, 2}, int64[1] wrong = {5}> {
        b = Neg (a)  c = Add (x, b)  y = Relu (c)
        d = Gather (a, wrong)  z = Add (x, d) }"""
    folding = fold_once(text)
    assert values(folding) == {"b": [-1.0, -2.0]}
    assert "idx=5 must be within the inclusive range" in reasons(folding)["Gather"]
    assert folding.uncomputable
    assert folding.waiting


def test_only_what_others_read_is_returned() -> None:
    folding = fold_once(
        """g (float[2] x) => (float[2] y) <float[2] a = {1, -2}> {
        b = Neg (a)  c = Abs (b)  d = Exp (b)  y = Sum (x, c, d) }"""
    )
    assert set(values(folding)) == {"c", "d"}
    assert [node.op for node in folding.nodes] == ["Abs", "Exp"]


def test_the_bits_are_those_of_onnxruntime() -> None:
    """float32 kernels of onnxruntime and numpy differ in the last place; what counts is the former."""
    model = model_of(
        "g (float[64] x) => (float[64] y) <float[64] a> { b = Sigmoid (a) c = Erf (b) y = Add (x, c) }".replace(
            "<float[64] a>", f"<float[64] a = {{{', '.join(f'{v:.5f}' for v in np.linspace(-4, 4, 64))}}}>"
        )
    )
    from surgery.ir.session import open_session

    expected = open_session(model, outputs=["c"]).run({"x": np.zeros(64, np.float32)})["c"]
    [found] = fold_once(model).values.values()
    assert found.tobytes() == expected.tobytes()


def test_overflow_as_onnxruntime() -> None:
    text = """g (float[1] x) => (float[1] y, float16[1] h, int8[1] i) <float[1] big = {3e38}, int32[1] n = {300}> {
        b = Add (big, big)  y = Add (x, b)
        f = Cast <to = 10> (big)  g = Cast <to = 10> (x)  h = Add (f, g)
        c = Cast <to = 3> (n)  e = Cast <to = 3> (x)  i = Add (c, e) }"""
    assert values(fold_once(text)) == {"b": [float("inf")], "f": [float("inf")], "c": [44]}


def test_casts_are_not_elided() -> None:
    """Cast to float, times a half, cast back is no no-op: onnx-graphsurgeon made it one."""
    text = """g (int64[3] x) => (int64[3] y) <int64[3] a = {4, 6, -7}, float[1] half = {0.5}> {
        f = Cast <to = 1> (a)  m = Mul (f, half)  c = Cast <to = 7> (m)  y = Add (x, c) }"""
    assert values(fold_once(text)) == {"c": [2, 3, -3]}


def test_shapes_that_are_static_are_constants() -> None:
    text = """g (float[2,3] x) => (int64[2] y, int64 z) {
        a = Shape (x)  y = Mul (a, a)  s = Size (x)  z = Mul (s, s) }"""
    assert values(fold_once(text)) == {"a": [2, 3], "s": 6}


def test_the_static_dims_of_a_dynamic_shape_are_constants() -> None:
    text = """g (float[N,3,H,8] x) => (int64[2] y, int64 z) <int64 one = {1}, int64[1] i = {1}, int64[1] j = {-1},
        int64[1] two = {2}, int64[1] four = {4}, int64[1] zero = {0}> {
        s = Shape (x)  c = Gather (s, one)  u = Unsqueeze (c, zero)
        w = Slice (s, j, four)  v = Concat <axis = 0> (u, w)
        y = Mul (v, v)  n = Gather (s, zero)  q = Squeeze (n)  z = Add (q, q) }"""
    assert values(fold_once(text)) == {"v": [3, 8]}


def test_a_window_of_a_shape() -> None:
    text = "g (float[N,3,8] x) => (int64[2] y) { s = Shape <start = 1> (x) y = Mul (s, s) }"
    assert values(fold_once(text)) == {"s": [3, 8]}


def test_what_a_loop_carries_may_change_its_shape() -> None:
    text = """<ir_version: 8, opset_import: ["": 17]> g (float[1] x, int64 n) => (float[?] y) {
        y = Loop (n, "", x) <body = b (int64 i, bool c, float[1] v) => (bool d, float[?] w) {
            d = Identity (c)  s = Shape (v)  t = Mul (s, s)  o = ConstantOfShape (t)
            w = Concat <axis = 0> (v, o) }> }"""
    assert not fold_once(text).values


def test_the_inside_of_a_body_is_folded() -> None:
    text = """<ir_version: 8, opset_import: ["": 17]> g (bool c, float[2] x) => (float[2] y) <float[2] a = {1, 2}> {
        y = If (c) <then_branch = t () => (float[2] p) { n = Neg (a) p = Add (x, n) },
                    else_branch = e () => (float[2] q) { q = Neg (a) }> }"""
    folding = fold_once(text)
    assert values(folding) == {"n": [-1.0, -2.0]}
    assert reasons(folding)["Neg"] == "computes a graph output"


def test_sizes_become_known_round_by_round() -> None:
    """The result of the Gather decides how large the ConstantOfShape is."""
    text = """g (float[?] x) => (float[?] y) <float[4] table = {1, 2, 3, 4}, int64[1] i = {2}, float[1] k = {1.5}> {
        t = Mul (table, k)  n = Cast <to = 7> (t)  m = Gather (n, i)  z = ConstantOfShape (m)  y = Add (x, z) }"""
    first = fold_once(text)
    assert values(first) == {"m": [4]}
    assert first.waiting


def test_dequantize_of_a_weight_stays() -> None:
    text = """g (float[2] x) => (float[2] y) <int8[2] w = {1, 2}, float s = {0.5}, int8 z = {0}> {
        d = DequantizeLinear (w, s, z)  n = Neg (d)  y = Add (x, n) }"""
    folding = fold_once(text)
    assert not folding.values
    assert reasons(folding) == {"DequantizeLinear": "would store a quantised weight dequantised"}


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        ("b = RandomUniformLike (a)", "RandomUniformLike draws random numbers"),
        ("b = nobody.Knows (a)", "nobody:Knows is a custom operator"),
        ("s = SequenceConstruct (a)  b = SequenceAt (s, i)", "its output is no tensor of a known type"),
        (
            """b = If (t) <then_branch = p () => (float[2] q) { q = Neg (a) },
                           else_branch = r () => (float[2] o) { o = Abs (a) }>""",
            "control flow is not run at load time",
        ),
    ],
)
def test_refusal_says_why(node: str, reason: str) -> None:
    model = model_of(
        f"""<ir_version: 8, opset_import: ["": 17, "nobody": 1]> g (float[2] x) => (float[2] y)
        <float[2] a = {{1, 2}}, int64 i = {{0}}, bool t = {{1}}> {{ {node}  y = Add (x, b) }}"""
    )
    assert reason in fold_once(model).refusals.values()


def test_narrow_integers_are_not_widened() -> None:
    weights = ", ".join(["1"] * 2048)
    text = f"""g (float[2048] x) => (float[2048] y) <int8[2048] w = {{{weights}}}> {{
        d = Cast <to = 1> (w)  y = Add (x, d) }}"""
    assert reasons(fold_once(text)) == {"Cast": "would store int8 weights as float32"}


def test_who_asks_may_bar_nodes() -> None:
    text = "g (float[1] x) => (float[1] y) <float[1] a = {1}> { b = Neg (a) c = Abs (b) y = Add (x, c) }"
    folding = fold_once(text, barred="Abs")
    assert values(folding) == {"b": [-1.0]}
    assert reasons(folding) == {"Abs": "protected"}


def test_what_nothing_reads_is_not_computed() -> None:
    assert not fold_once("g (float[1] x) => (float[1] y) <float[1] a = {1}> { b = Neg (a) y = Relu (x) }").values


ROW = ", ".join(["1"] * 256)
EXPAND = f"""g (float[4,256] x) => (float[4,256] y) <float[1,256] a = {{{ROW}}}, int64[2] s = {{4, 256}}> {{
    e = Expand (a, s)  y = Add (x, e) }}"""


def test_growth_is_bounded() -> None:
    """4096 bytes are stored, 1024 + 16 freed."""
    assert fold_once(EXPAND, Limits(1 << 20, 3056)).values
    folding = fold_once(EXPAND, Limits(1 << 20, 3055))
    assert not folding.values
    assert reasons(folding) == {"Expand": "storing it would add 3056 bytes, 3055 are left"}


def test_growth_is_charged_to_what_is_stored() -> None:
    assert list(fold_once(EXPAND).charges.values()) == [3056]


def test_no_node_computes_much_more_than_it_reads() -> None:
    """Whatever becomes of it later: a huge intermediate is not computed either."""
    text = """g (float x) => (float y) <int64[1] s = {1000000}> {
        c = ConstantOfShape (s)  r = ReduceSum <keepdims = 0> (c)  y = Add (x, r) }"""
    folding = fold_once(text, Limits(4096, 1 << 30))
    assert reasons(folding) == {"ConstantOfShape": "would make 4000000 bytes of 8, at most 4096 more are allowed"}


def test_least_growth_goes_first() -> None:
    ones = ", ".join(["1"] * 64)
    text = f"""g (float[64] x, float[2,64] z) => (float[64] y, float[2,64] v)
        <float[64] a = {{{ones}}}, float[64] b = {{{ones}}}, int64[2] s = {{2, 64}}> {{
        e = Expand (a, s)  v = Add (z, e)  n = Neg (b)  y = Add (x, n) }}"""
    assert set(values(fold_once(text, Limits(1 << 20, 0)))) == {"n"}


def test_a_shared_weight_is_not_freed() -> None:
    text = """g (float[2] x) => (float[2] y, float[2] z) <float[2] a = {1, 2}> {
        n = Neg (a)  y = Add (x, n)  z = Mul (x, a) }"""
    assert reasons(fold_once(text, Limits(0, 7))) == {"Neg": "storing it would add 8 bytes, 7 are left"}


def test_zero_elements_are_values_too() -> None:
    text = """g (float[3] x) => (float[3] y) <int64[1] zero = {0}> {
        e = ConstantOfShape (zero)  n = Neg (e)  y = Concat <axis = 0> (n, x) }"""
    assert values(fold_once(text)) == {"n": []}


def test_strings_are_values_too() -> None:
    text = """g (float[1] x) => (bool[2] y) <string[2] a = {"p", "q"}> {
        b = Identity (a)  c = Unsqueeze (b, zero)  y = Equal (c, c) }""".replace("<", "<int64[1] zero = {0}, ", 1)
    model = model_of(text, opset=19)
    folding = fold_once(model)
    assert values(folding) == {"c": [["p", "q"]]}


def test_heavy_and_exotic_weights_are_evaluated() -> None:
    import ml_dtypes

    weight = np.linspace(-1, 1, 2048).astype(ml_dtypes.bfloat16).reshape(2, 1024)
    text = "g (bfloat16[1024,2] x) => (bfloat16[1024,2] y) { t = Transpose (w) y = Identity (t) z = Identity (x) }"
    proto = onnx.parser.parse_model('<ir_version: 8, opset_import: ["": 17]> ' + text.replace("(t)", "(t)", 1))
    proto.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    proto.graph.node[1].op_type = "Sum"
    proto.graph.node[1].input.append("x")
    [found] = fold_once(Model.load(proto)).values.values()
    assert found.dtype == weight.dtype
    assert found.tobytes() == np.ascontiguousarray(weight.T).tobytes()


def test_the_search_for_a_culprit_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surgery.ir.evaluate.SESSIONS", 3)
    wrong = "  ".join(f"g{i} = Gather (a, wrong)" for i in range(8))
    names = ", ".join(f"g{i}" for i in range(8))
    model = model_of(f"""g (float[1] x) => (float[1] y) <float[2] a = {{1, 2}}, int64[1] wrong = {{5}}> {{
        {wrong}  y = Sum (x, {names}) }}""")
    evaluator = Evaluator(model.header, {})
    evaluator.run([n for n in model.nodes() if n.op == "Gather"])
    assert len(evaluator.refusals) == 8
    assert any(reason.startswith("not tried after 3 attempts") for reason in evaluator.refusals.values())
