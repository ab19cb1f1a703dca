"""Freezing, folding and unrolling together: what was dynamic ends static, bit for bit, with no arithmetic on shapes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.fold import FoldConstants
from passes.freeze import FreezeShapes
from surgery.drift.inputs import make_inputs
from surgery.drift.verifier import Verifier
from surgery.ir import Model
from surgery.pipeline import Pipeline
from surgery.pipeline.manager import Manager
from surgery.pipeline.result import Status
from tests.support import SHARED, apply_pass, model_of

STATIC = ("fold-constants", "unroll-loops")
CONSTANTS = """int64 zero = {0}, int64 one = {1}, int64 two = {2}, int64 three = {3}, int64[1] z1 = {0},
    int64[1] o1 = {1}, int64[1] t1 = {2}, int64[1] m1 = {-1}, float f0 = {0}, float f1 = {1},
    int64[1] all = {9223372036854775807}"""
SIZES = {
    "h": "h = Gather (s, two)",
    "w": "w = Gather (s, three)",
    "hw": "hw = Slice (s, t1, all, z1)",
    "s": "s = Shape (x)",
}

ARITHMETIC = {
    "Range of floats": ("f = Cast <to = 1> (h)  r = Range (f0, f, f1)  u = Unsqueeze (r, m1)  y = Add (x, u)", "Add"),
    "Range of integers": ("r = Range (zero, w, one)  f = Cast <to = 1> (r)  y = Add (x, f)", "Add"),
    "Tile": ("u = Unsqueeze (w, z1)  k = Tile (f, u)  f = Unsqueeze (f1, z1)  y = Add (x, k)", "Add"),
    "Expand, Where and Equal": (
        """e = Equal (s, m1)  c = ConstantOfShape <value = int64[1] {1}> (s4)  s4 = Shape (s)  v = Where (e, c, s)
           k = Expand (f1, v)  y = Add (x, k)""",
        "Add",
    ),
    "NonZero of a constant": (
        "o = ConstantOfShape <value = float[1] {1.0}> (s)  n = NonZero (o)  t = Transpose (n)  y = GatherND (x, t)",
        "GatherND",
    ),
    "Resize by sizes": (
        """d = Mul (hw, t1)  nc = Slice (s, z1, t1, z1)  q = Concat <axis = 0> (nc, d)
           y = Resize <mode = "nearest"> (x, , , q)""",
        "Resize",
    ),
    "Resize by scales": (
        """sf = Cast <to = 1> (s)  d = Div (sf, sf)  y = Resize <mode = "nearest"> (x, , d)""",
        "Resize",
    ),
    "TopK": ("k = Div (w, two)  u = Unsqueeze (k, z1)  y, i = TopK (x, u)", "TopK"),
    "OneHot": (
        """i = Range (zero, w, one)  v = Concat <axis = 0> (z1, o1)  o = OneHot (i, w, v)  c = Cast <to = 1> (o)
           y = MatMul (x, c)""",
        "MatMul",
    ),
    "Size": ("n = Size (x)  f = Cast <to = 1> (n)  y = Div (x, f)", "Div"),
    "Trilu and CumSum": (
        "o = ConstantOfShape <value = float[1] {1.0}> (hw)  c = CumSum (o, zero)  t = Trilu (c)  y = Mul (x, t)",
        "Mul",
    ),
    "EyeLike": (
        """wu = Unsqueeze (w, z1)  ww = Concat <axis = 0> (wu, wu)  o = ConstantOfShape (ww)  e = EyeLike (o)
           y = MatMul (x, e)""",
        "MatMul",
    ),
    "Pad to a multiple": (
        "m = Mod (h, two)  u = Unsqueeze (m, z1)  p = Concat <axis = 0> (z1, z1, u, z1, z1, z1, u, z1)  y = Pad (x, p)",
        "Pad",
    ),
    "Split": (
        """c = Gather (s, one)  d = Div (c, two)  r = Sub (c, d)  du = Unsqueeze (d, z1)  ru = Unsqueeze (r, z1)
           q = Concat <axis = 0> (du, ru)  a, b = Split <axis = 1> (x, q)  y = Concat <axis = 1> (b, a)""",
        "Split Concat",
    ),
    "Min, Ceil and Slice": (
        """g = Min (h, w)  f = Cast <to = 1> (g)  c = Ceil (f)  i = Cast <to = 7> (c)  u = Unsqueeze (i, z1)
           y = Slice (x, z1, u, t1)""",
        "Slice",
    ),
    "Compress": (
        """b = Greater (s, o1)  k = Compress (s, b)  n = ReduceProd <keepdims = 0> (k)  f = Cast <to = 1> (n)
           y = Mul (x, f)""",
        "Mul",
    ),
    "a Reshape and back": (
        """nc = Slice (s, z1, t1, z1)  a = Concat <axis = 0> (nc, m1)  r = Reshape (x, a)  t = Relu (r)
           y = Reshape (t, s)""",
        "Reshape Relu Reshape",
    ),
    "If": (
        """b = Greater (h, one)  y = If (b) <then_branch = p () => (float[?,?,?,?] q) { q = Relu (x) },
                                             else_branch = r () => (float[?,?,?,?] o) { o = Neg (x) }>""",
        "Relu",
    ),
    "Loop": (
        """d = Div (h, two)  y = Loop (d, , x) <
               body = p (int64 i, bool go, float[?,?,?,?] q) => (bool on, float[?,?,?,?] o) {
            on = Identity (go)  o = Sin (q) }>""",
        "Sin Sin Sin",
    ),
}  # fmt: skip


def dynamic(nodes: str, y: str = "a,b,c,d") -> Model:
    """A model of ``nodes``, and those of :data:`SIZES` that they read."""
    lines = [nodes]
    for name, line in SIZES.items():
        lines += [line] if re.search(rf"\b{name}\b", " ".join(lines)) else []
    return model_of(f"g (float[N,4,H,W] x) => (float[{y}] y) <{CONSTANTS}> {{ {'  '.join(lines)} }}")


def static(model: Model, shapes: dict[str, tuple[int, ...]], verify: bool = True) -> Manager:
    """The model frozen at ``shapes``, folded and unrolled, each step bit-identical."""
    data = make_inputs(model, samples=1, shapes=shapes, frozen=True) if verify else None
    manager = Manager(model.copy(), None, Verifier(model, data) if data else None)
    results = manager.run([(s.id, s.step) for s in Pipeline.of(*STATIC).freezing(shapes).steps])
    assert all(r.status in (Status.APPLIED, Status.UNCHANGED) for r in results), [r.reason for r in results]
    return manager


def need_static(model: Model) -> None:
    for value in (*model.graph.inputs, *model.graph.outputs, *(v for n in model.nodes() for v in n.outputs)):
        assert value.is_static or value.is_empty(), value


@pytest.mark.parametrize("case", ARITHMETIC)
def test_arithmetic_on_shapes_goes(case: str) -> None:
    nodes, left = ARITHMETIC[case]
    model = dynamic(nodes, y="a" if "GatherND" in left else "a,b,c,d")
    manager = static(model, {"x": (1, 4, 6, 5)})
    assert [n.op for n in manager.model.nodes()] == left.split()
    need_static(manager.model)


@settings(max_examples=20, deadline=None)
@given(sizes=st.tuples(st.integers(1, 3), st.just(4), st.integers(1, 9), st.integers(1, 9)))
def test_at_any_size(sizes: tuple[int, ...]) -> None:
    """A pyramid level: down, up to the size of what it is added to."""
    model = dynamic(
        """p = MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (x)
           sp = Shape (p)  nc = Slice (sp, z1, t1, z1)  q = Concat <axis = 0> (nc, hw)
           r = Resize <mode = "nearest"> (p, , , q)  y = Add (x, r)"""
    )
    manager = static(model, {"x": sizes})
    assert [n.op for n in manager.model.nodes()] == ["MaxPool", "Resize", "Add"]
    need_static(manager.model)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("s = Shape (x)  y = Reshape (x, s)", "'x' has the shape Nx4x6x5, its N must be a number"),
        ("n = Size (x)  f = Cast <to = 1> (n)  y = Div (x, f)", "'x' has the shape Nx4x6x5, its N must be a number"),
        (
            "u, i = Unique <axis = 0> (x)  s = Shape (u)  y = Reshape (u, s)",
            "'u' has the shape ?x4x6x5, every dim must be known",
        ),
    ],
)  # fmt: skip
def test_a_symbol_that_is_needed_is_named(body: str, reason: str) -> None:
    applied = apply_pass(f"g (float[N,4,6,5] x) => (float[M,4,6,5] y) {{ {body} }}", FoldConstants())
    assert reason in applied.reasons


def test_sizes_in_a_loop_are_said_to_differ() -> None:
    applied = apply_pass(
        """g (float[2] x, int64 n) => (float[M] y) {
            y = Loop (n, , x) <body = p (int64 i, bool go, float[K] q) => (bool on, float[K] o) {
            on = Identity (go)  s = Shape (q)  f = Cast <to = 1> (s)  o = Mul (q, f) }> }""",
        FoldConstants(),
    )
    assert "the sizes of 'q' may differ from one iteration to the next" in applied.reasons


def test_a_constant_that_would_outgrow_the_model_is_refused_with_its_size() -> None:
    manager = Manager(dynamic("k = Expand (f1, s)  y = Mul (x, k)"), trace=True)
    steps = [("freeze", FreezeShapes(shapes={"x": (1, 4, 1024, 1024)})), ("fold", FoldConstants())]
    result = manager.run(steps)[-1]
    assert [n.op for n in manager.model.nodes()] == ["Expand", "Mul"]
    assert [e.reason for e in result.events if e.op == "Expand"] == [
        "would make 16777216 bytes of 36, at most 1048576 more are allowed"
    ]


def corpus() -> list[tuple[str, dict[str, tuple[int, ...]]]]:
    """The models of the corpus that have two shapes, with each."""
    index = SHARED / "corpus" / "index.json"
    known = json.loads(index.read_text()) if index.is_file() else {}
    found = []
    for name, entry in known.items():
        first = {i["name"]: tuple(i["shape"]) for i in entry["inputs"]}
        second = {k: tuple(v) for k, v in (entry.get("alt") or {}).items()}
        found += [(name, first), (name, {**first, **second})] if second else []
    return found or [("none", {})]


@pytest.mark.shared
@pytest.mark.parametrize(("name", "shapes"), corpus(), ids=str)
def test_the_dynamic_models_of_the_corpus(name: str, shapes: dict[str, tuple[int, ...]]) -> None:
    """Without their weights, which are not needed; the numbers are looked at by scripts/run_corpus.py."""
    model = static(Model.load(Path(SHARED / "corpus" / f"{name}.onnx")), shapes, verify=False).model
    need_static(model)
    assert not {"Shape", "Size", "Range", "ConstantOfShape", "NonZero", "Loop", "If"} & {n.op for n in model.nodes()}
