"""unroll-loops: copies of a body, what decides how many, and what it refuses."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.fold import UnrollLoops
from surgery.ir import Model
from surgery.ir.edit import Editor
from surgery.pipeline.context import PassContext
from surgery.pipeline.manager import Manager
from surgery.pipeline.passes import PassRun
from surgery.rewrite import Rewriter
from tests.support import Applied, apply_pass, model_of

CONSTANTS = """int64 zero = {0}, int64 one = {1}, int64 n = {3}, int64 many = {100}, int64 most = {9223372036854775807},
    bool c = {1}, bool off = {0}"""


def body(
    nodes: str, carried: str = "s", returned: str = "t", on: str = "on = Identity (go)", kind: str = "float[2]"
) -> str:
    """The body of a Loop: ``nodes`` and the one that says whether it goes on."""
    reads, makes = (", ".join(f"{kind} {name}" for name in names.split()) for names in (carried, returned))
    return f"(int64 i, bool go, {reads}) => (bool on, {makes}) {{ {on}  {nodes} }}"


def branches(name: str, condition: str, then: str, other: str) -> str:
    """An If between two nodes that make ``p`` and ``q``."""
    return f"""{name} = If ({condition}) <then_branch = g1 () => (float[2] p) {{ {then} }},
        else_branch = g2 () => (float[2] q) {{ {other} }}>"""


STEP = body("t = Sin (s)")


def loop(body: str, inputs: str = "n, c, x", outputs: str = "y", *, more: str = "", y: str = "float[2]") -> str:
    """A graph around one Loop; ``more`` are nodes after it."""
    return f"""g (float[2] x, int64 k, bool b) => ({y} y) <{CONSTANTS}> {{
        {outputs} = Loop ({inputs}) <body = b1 {body}> {more} }}"""


def unrolled(text: str, opset: int = 17, **options: int) -> Applied:
    applied = apply_pass(text, UnrollLoops(**options), opset=opset)
    assert not {"Loop", "Scan"} & set(applied.ops), applied.reasons
    return applied


def refusal(text: str, opset: int = 17, **options: int) -> str:
    applied = apply_pass(text, UnrollLoops(**options), opset=opset)
    assert {"Loop", "Scan"} & set(applied.ops)
    return " | ".join(applied.reasons)


def test_a_loop_becomes_copies_of_its_body() -> None:
    applied = unrolled(loop(STEP))
    assert applied.text == "t_1 = Sin (x)\nt_2 = Sin (t_1)\ny = Sin (t_2)"
    assert [(e.change.rule, e.change.old) for e in applied.result.edits] == [
        ("unroll-loop", ("Loop", "Identity", "Sin"))
    ]
    origins = [list(node.metadata.values()) for node in applied.model.graph.nodes]
    assert origins == [["unroll-loops/unroll-loop: Sin"]] * 3


def test_what_iterations_return_is_stacked() -> None:
    step = body("t = Sin (s)  u = Neg (s)", returned="t u")
    for inputs, ops in (("n, c, x", ["Concat"]), ("one, c, x", [])):
        applied = unrolled(loop(step, inputs, "f, y", y="float[?,2]"))
        assert applied.ops.count("Unsqueeze") == applied.ops.count("Neg")
        assert [op for op in applied.ops if op == "Concat"] == ops


@pytest.mark.parametrize("opset", [11, 13, 18, 23])
def test_every_opset(opset: int) -> None:
    step = body("t = Sin (s)  u = Cos (s)", returned="t u")
    unrolled(loop(step, "n, c, x", "f, y", y="float[?,2]"), opset)


COUNTING = """(int64 i, bool go, int64 at, float[2] s) => (bool on, int64 next, float[2] t) {{
    next = Add (at, one)  on = {on}  t = Sin (s) }}"""


@pytest.mark.parametrize(
    ("inputs", "on", "count"),
    [
        ("most, c, zero, x", "Less (next, n)", 3),
        (", c, zero, x", "Less (next, n)", 3),
        (", , zero, x", "Less (next, n)", 3),
        ("one, c, zero, x", "Less (next, n)", 1),
        (", c, n, x", "Less (next, n)", 1),
        ("n, off, zero, x", "Less (next, n)", 0),
        ("zero, c, zero, x", "Identity (go)", 0),
        ("n, c, zero, x", "Identity (c)", 3),
        ("n, c, zero, x", "Identity (off)", 1),
        ("n, , zero, x", "And (go, c)", 3),
        ("most, c, zero, x", "Less (i, n)", 4),
    ],
)
def test_what_decides_how_often(inputs: str, on: str, count: int) -> None:
    """A trip count, a condition that stays, or one that is computed from constants, whichever ends first."""
    applied = unrolled(loop(COUNTING.format(on=on), inputs, "f, q", more="y = Relu (q)"))
    assert applied.ops == ["Sin"] * count + ["Relu"]


def test_a_condition_may_be_decided_by_a_branch() -> None:
    on = branches("on", "early", "p = Less (i, n)", "q = Equal (i, n)").replace("float[2]", "bool")
    step = body("t = Sin (s)", on=f"early = Less (i, one)  {on}")
    assert unrolled(loop(step, ", c, x")).ops == ["Sin", "Sin"]


@pytest.mark.parametrize(
    ("nodes", "returned", "text"),
    [("", "s", "y = Identity (x)"), ("w = Constant <value_floats = [1.0, 2.0]> ()", "w", "y = Identity (w)")],
)
def test_bodies_that_return_what_they_do_not_compute(nodes: str, returned: str, text: str) -> None:
    assert unrolled(loop(body(nodes, returned=returned))).text == text


def test_carried_values_may_change_places_and_be_returned_together() -> None:
    step = body("d = Sub (a, e)", "a e", "e d")
    unrolled(loop(step, "n, c, x, x", "p, q", more="y = Sub (p, q)"))
    same = body("d = Sin (a)", "a e", "d d")
    applied = unrolled(
        f"g (float[2] x) => (float[2] y, float[2] z) <{CONSTANTS}> {{ y, z = Loop (n, c, x, x) <body = b1 {same}> }}"
    )
    assert applied.ops == ["Sin"] * 3 + ["Identity"]


def test_the_number_of_the_iteration_is_folded() -> None:
    step = body("f = Cast <to = 1> (i)  h = Exp (f)  t = Mul (s, h)")
    assert unrolled(loop(step)).ops == ["Mul"] * 3


def test_a_loop_in_a_loop_runs_as_often_as_the_number_of_the_outer_iteration() -> None:
    step = body(f"r = Loop (i, c, s) <body = b2 {INNER}>  t = Sin (r)")
    assert unrolled(loop(step)).ops == ["Sin", "Cos", "Sin", "Cos", "Cos", "Sin"]


INNER = "(int64 j, bool gi, float[2] u) => (bool oi, float[2] v) { oi = Identity (gi)  v = Cos (u) }"


def test_a_branch_by_the_number_of_the_iteration_is_inlined() -> None:
    step = body("first = Less (i, one)  " + branches("t", "first", "p = Sin (s)", "q = Cos (s)"))
    assert unrolled(loop(step)).ops == ["Sin", "Cos", "Cos"]


def test_bodies_within_the_body_are_copied_with_it() -> None:
    """A branch decided at run time, that reads the copy it is in and what is outside."""
    step = body("m = Neg (s)  " + branches("t", "b", "e = Add (m, x)  p = Sin (e)", "q = Sub (s, x)"))
    applied = unrolled(loop(step))
    assert applied.ops.count("If") == 3
    assert applied.ops.count("Sub") == 3


def test_a_loop_that_stays_within_a_loop_that_goes() -> None:
    step = body(f"r = Loop (k, c, s) <body = b2 {INNER}>  t = Sin (r)")
    data = {"x": np.ones(2, np.float32), "k": np.array(2), "b": np.array(True)}
    applied = apply_pass(loop(step), UnrollLoops(), inputs=data)
    assert applied.ops.count("Loop") == 3
    assert "its trip count 'k' is computed at run time, it must be constant" in applied.reasons


def test_what_is_carried_may_grow() -> None:
    step = body("t = Concat <axis = 0> (s, x)", kind="float[?]")
    applied = unrolled(loop(step, outputs="q", more="d = Shape (q)  f = Cast <to = 1> (d)  y = Mul (x, f)"))
    assert applied.ops == ["Mul"]  # the size of what grew is known now


def test_a_loop_in_a_branch_is_unrolled_there() -> None:
    text = f"""g (float[2] x, bool b) => (float[2] y) <{CONSTANTS}> {{
        y = If (b) <then_branch = b0 () => (float[2] p) {{ p = Loop (n, c, x) <body = b1 {STEP}> }},
                    else_branch = b3 () => (float[2] q) {{ q = Neg (x) }}> }}"""
    assert sorted(unrolled(text).ops) == ["If", "Neg", "Sin", "Sin", "Sin"]


def test_lists_may_be_carried() -> None:
    """As TorchScript collects what the steps of a loop return."""
    text = f"""g (float[2] x) => (float[6] y) <{CONSTANTS}> {{
        none = SequenceEmpty <dtype = 1> ()
        q, l = Loop (n, c, x, none) <body = b1 (int64 i, bool go, float[2] s, seq(float[2]) m) =>
            (bool on, float[2] t, seq(float[2]) o) {{ on = Identity (go)  t = Sin (s)  o = SequenceInsert (m, t) }}>
        y = ConcatFromSequence <axis = 0> (l) }}"""
    assert unrolled(text).ops.count("SequenceInsert") == 3


def test_weights_in_the_body_are_shared_by_the_copies() -> None:
    applied = unrolled(loop(body("w = Constant <value_floats = [1.0, 2.0]> ()  t = Mul (s, w)")))
    assert len({id(node.inputs[1]) for node in applied.model.graph.nodes}) == 1


def scan(step: str, attributes: str, inputs: str, outputs: str, x: str, y: str) -> str:
    return f"""g (float[{x}] x) => ({y}) <float[4] z = {{0, 1, 2, 3}}> {{
        {outputs} = Scan <{attributes}, body = b1 {step}> ({inputs}) }}"""


SUMS = "(float[4] s, float[4] e) => (float[4] t, float[4] o) { t = Add (s, e)  o = Mul (t, e) }"


@pytest.mark.parametrize("opset", [11, 13, 18])
@pytest.mark.parametrize(
    ("attributes", "x", "o"),
    [
        ("", "3,4", "3,4"),
        (", scan_input_directions = [1]", "3,4", "3,4"),
        (", scan_output_directions = [1]", "3,4", "3,4"),
        (", scan_input_axes = [1], scan_output_axes = [1]", "4,3", "4,3"),
        (", scan_input_axes = [-1], scan_output_axes = [-1]", "4,3", "4,3"),
        ("", "1,4", "1,4"),
    ],
)
def test_a_scan_becomes_copies_of_its_body(attributes: str, x: str, o: str, opset: int) -> None:
    text = scan(SUMS, f"num_scan_inputs = 1{attributes}", "z, x", "y, o", x, f"float[4] y, float[{o}] o")
    applied = unrolled(text, opset)
    assert [e.change.rule for e in applied.result.edits] == ["unroll-scan"]
    assert applied.ops.count("Mul") == applied.ops.count("Squeeze") == min(map(int, x.split(",")))


def test_a_scan_of_two_inputs_and_nothing_carried() -> None:
    step = "(float[4] a, float[4] b2) => (float[4] o) { o = Sub (a, b2) }"
    unrolled(scan(step, "num_scan_inputs = 2, scan_input_directions = [0, 1]", "x, x", "o", "3,4", "float[3,4] o"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (loop(STEP, "k, c, x"), "its trip count 'k' is computed at run time, it must be constant"),
        (loop(STEP, "n, b, x"), "its condition 'b' is computed at run time, it must be constant"),
        (loop(STEP, "many, c, x"), "it runs 100 times, at most 64 are unrolled (max_iterations)"),
        (
            loop(COUNTING.format(on="Less (next, many)"), ", c, zero, x", "f, y"),
            "it runs more than 64 times, at most 64 are unrolled (max_iterations)",
        ),
        (
            loop(COUNTING.format(on="Less (next, k)"), "n, c, zero, x", "f, y"),
            "its condition depends on 'k', which is computed at run time",
        ),
        (
            loop(COUNTING.format(on="Less (next, n)"), "n, c, k, x", "f, y"),
            "its condition depends on 'k', which is computed at run time",
        ),
        (
            loop(body("t = Sin (s)  u = Neg (s)", returned="t u"),
                "zero, c, x",
                "y, f",
                more="h = Shape (f)",
            ),
            "it never runs, and what its iterations return is read",
        ),
        (
            loop(body("r = RandomNormalLike (s)  t = Add (s, r)")),
            "draws random numbers, each copy would draw its own",
        ),
        (
            scan(SUMS, "num_scan_inputs = 1", "z, x", "y, o", "N,4", "float[4] y, float[N,4] o"),
            "'x' has the shape Nx4, its length along axis 0 must be known",
        ),
    ],
)  # fmt: skip
def test_refusals(text: str, reason: str) -> None:
    assert reason in refusal(text)


def test_a_loop_that_never_ends_is_refused() -> None:
    """It cannot be run either, so nothing is verified."""
    applied = apply_pass(loop(STEP, ", c, x"), UnrollLoops(), verify=False)
    assert "it has no trip count, and its condition stays true: it never ends" in applied.reasons


def test_an_empty_scan_is_refused() -> None:
    text = scan(SUMS, "num_scan_inputs = 1", "z, x", "y, o", "0,4", "float[4] y, float[0,4] o")
    applied = apply_pass(text, UnrollLoops(), verify=False)
    assert "what it scans is empty, there is nothing to unroll" in applied.reasons


def test_the_scan_of_opset_8_is_refused() -> None:
    text = f"""g (float[1,4] z, float[1,3,4] x) => (float[1,4] y, float[1,3,4] o) {{
        y, o = Scan <num_scan_inputs = 1, body = b1 {SUMS}> (, z, x) }}"""
    applied = apply_pass(text, UnrollLoops(), opset=8, verify=False)
    assert "Scan of opset 8 has a batch, only that of opset 9 is unrolled" in applied.reasons


def test_a_condition_that_onnxruntime_cannot_compute_is_refused() -> None:
    text = loop(COUNTING.format(on="nobody.knows.Ask (next)"), "n, c, zero, x", "f, y")
    head = '<ir_version: 8, opset_import: ["": 17, "nobody.knows": 1]>'
    applied = apply_pass(f"{head} {text}", UnrollLoops(), verify=False)
    assert any(reason.startswith("how often it runs cannot be computed: ") for reason in applied.reasons)


def test_too_many_nodes_are_refused_with_their_number() -> None:
    reason = "3 times 2 nodes beside 3 are more than 8 (max_nodes)"
    assert reason in refusal(loop(STEP), max_nodes=8)
    unrolled(loop(STEP), max_nodes=9)
    unrolled(loop(STEP), max_iterations=3)


def test_a_protected_loop_stays_and_one_that_holds_something_protected() -> None:
    for name in ("Loop", "Sin"):
        model = model_of(loop(STEP))
        Manager(model, protect=re.compile(name)).run([("unroll", UnrollLoops())])
        assert [n.op for n in model.graph.nodes] == ["Loop"]


def test_it_can_be_taken_back() -> None:
    """Bodies within the copies forget what is outside, too."""
    model = model_of(loop(body(branches("t", "b", "p = Sin (s)", "q = Sub (s, x)"))))
    before, editor, x = model.digest(), Editor(), model.graph.inputs[0]
    readers = len(x.outputs)
    UnrollLoops().run(PassRun(model, PassContext(model), Rewriter(model.graph, model.opset, editor)))
    assert model.digest() != before
    editor.rollback()
    assert model.digest() == before
    assert len(x.outputs) == readers
    model.check()


@settings(max_examples=30, deadline=None)
@given(
    count=st.integers(0, 5),
    ops=st.lists(st.sampled_from(["Add", "Sub", "Mul", "Max"]), min_size=1, max_size=4),
    picks=st.lists(st.integers(0, 20), min_size=13, max_size=13),
    states=st.integers(1, 3),
    stacked=st.integers(0, 2),
)
def test_unrolled_is_bit_identical(count: int, ops: list[str], picks: list[int], states: int, stacked: int) -> None:
    """Random bodies: what they compute reads anything there is, what they return is any of that."""
    model = _random_loop(count, ops, picks, states, stacked if count else 0)
    applied = apply_pass(model, UnrollLoops())
    assert "Loop" not in applied.ops


def _random_loop(count: int, ops: list[str], picks: list[int], states: int, stacked: int) -> Model:
    take = iter(picks)
    names = ["x", "w", *(f"s{k}" for k in range(states))]
    lines = ["on = Identity (go)"]
    for number, op in enumerate(ops):
        first, second = (names[next(take) % len(names)] for _ in "ab")
        lines.append(f"v{number} = {op} ({first}, {second})")
        names.append(f"v{number}")
    lines += [f"e{k} = Identity ({names[next(take) % len(names)]})" for k in range(states + stacked)]
    carried = ", ".join(f"float[2] s{k}" for k in range(states))
    returned = ", ".join(f"float[2] e{k}" for k in range(states + stacked))
    outputs = [f"float[2] y{k}" if k < states else f"float[{count},2] y{k}" for k in range(states + stacked)]
    return model_of(f"""g (float[2] x) => ({", ".join(outputs)}) <int64 n = {{{count}}}, float[2] w = {{0.5, -3}}> {{
        {", ".join(o.split()[1] for o in outputs)} = Loop (n, , {", ".join(["x"] * states)}) <body = b
            (int64 i, bool go, {carried}) => (bool on, {returned}) {{ {"  ".join(lines)} }}> }}""")
