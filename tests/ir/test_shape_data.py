"""Arithmetic on shapes: what onnxruntime computes, element by element, open dims included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surgery.ir import Value
from surgery.ir.session import open_session
from surgery.ir.shape_data import Elements, shape_data
from tests.support import model_of

WEIGHTS = """int64[1] first = {0}, int64[1] second = {1}, int64 third = {2}, int64[1] two = {2}, int64[1] minus = {-3},
    int64[2] pair = {-7, 2}, int64[2] split = {-1, 2}, int64[1] all = {-1}, int64[1] far = {-9223372036854775807},
    int64[3] zeros = {0, 0, 0}, float[4] floats = {1, 1, 1, 1}"""


def known(nodes: str, shape: str = "2,3,N,8", opset: int = 17) -> list[object] | None:
    """What is known of ``r``, computed by ``nodes`` from the shape ``s``."""
    model = model_of(
        f"""g (float[{shape}] x) => (float[?] y) <{WEIGHTS}> {{
        s = Shape (x)  {nodes}  f = Cast <to = 1> (r)  y = Reshape (f, all) }}""",
        opset=opset,
    )
    data: dict[Value, Elements] = {}
    for node in model.graph.nodes:
        found = shape_data(node, data)
        if found is not None:
            data[node.outputs[0]] = found
    return next((d.tolist() for v, d in data.items() if v.name == "r"), None)


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ("r = Identity (s)", [2, 3, None, 8]),
        ("r = Cast <to = 6> (s)", [2, 3, None, 8]),
        ("r = Cast <to = 2> (s)", [2, 3, None, 8]),
        ("r = Gather (s, split)", [8, None]),
        ("r = Slice (s, far, two)", [2, 3]),
        ("r = Slice (s, all, far, first, all)", [8, None, 3, 2]),
        ("r = Reshape (s, split)", [[2, 3], [None, 8]]),
        ("m = Reshape (s, split)  r = Transpose (m)", [[2, None], [3, 8]]),
        ("g = Gather (s, first)  r = Squeeze (g)", 2),
        ("r = Unsqueeze (s, first)", [[2, 3, None, 8]]),
        ("r = Concat <axis = 0> (s, pair)", [2, 3, None, 8, -7, 2]),
        ("r = Mul (s, two)", [4, 6, None, 16]),
        ("r = Sub (two, s)", [0, -1, None, -6]),
        ("r = Div (s, minus)", [0, -1, None, -2]),
        ("r = Div (s, first)", [None] * 4),
        ("n = Neg (s)  r = Mod (n, two)", [0, 1, None, 0]),
        ("n = Neg (s)  r = Mod <fmod = 1> (n, two)", None),
        ("e = Equal (s, two)  r = Where (e, minus, s)", [-3, 3, None, 8]),
        ("r = ConstantOfShape <value = int64[1] {5}> (two)", [5, 5]),
        ("r = Size (s)", 4),
        ("r = Size (x)", None),
        ("t = Tile (s, two)  r = Identity (t)", None),
    ],
)  # fmt: skip
def test_what_is_known(nodes: str, expected: object) -> None:
    assert known(nodes) == expected


def test_what_does_not_fit_the_type_is_left_to_onnxruntime() -> None:
    assert known("i = Cast <to = 6> (s)  b = Mul (i, i)  c = Mul (b, b)  r = Mul (c, c)", "64,1,1,1") is None


def test_large_tensors_are_no_shapes() -> None:
    sixty_four = "n = Concat <axis = 0> (s, s, s, s)  m = Concat <axis = 0> (n, n, n, n)"
    assert known(f"{sixty_four}  r = Identity (m)") is not None
    assert known(f"{sixty_four}  r = Concat <axis = 0> (m, s)") is None


STEPS = st.sampled_from(
    ["Add ({0}, {1})", "Sub ({0}, {1})", "Mul ({0}, two)", "Div ({0}, {1})", "Mod ({0}, {1})", "Neg ({0})",
     "Concat <axis = 0> ({0}, {1})", "Slice ({0}, first, all)", "Slice ({0}, all, far, first, all)",
     "Gather ({0}, first)", "Where (chosen, {0}, {1})", "Cast <to = 6> ({0})", "Reshape ({0}, all)"]
)  # fmt: skip


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(STEPS, min_size=1, max_size=6), st.data())
def test_it_is_what_onnxruntime_computes(steps: list[str], data: st.DataObject) -> None:
    """Random arithmetic; divisors that could be zero and operands that do not fit are left out."""
    names, lines = ["s", "two", "minus", "pair"], ["chosen = Equal (two, two)"]
    for index, step in enumerate(steps):
        first, second = (data.draw(st.sampled_from(names)) for _ in range(2))
        if "Div" in step or "Mod" in step or "Add" in step or "Sub" in step or "Where" in step:
            second = data.draw(st.sampled_from(["two", "minus"]))
        if "Cast" in step:
            lines.append(f"c{index} = {step.format(first)}")
            lines.append(f"v{index} = Cast <to = 7> (c{index})")
        else:
            lines.append(f"v{index} = {step.format(first, second)}")
        names.append(f"v{index}")
    text = f"""g (float[2,3,5,8] x) => (int64[?] y) <{WEIGHTS}> {{
        s = Shape (x)  {"  ".join(lines)}  y = Neg ({names[-1]}) }}"""
    model = model_of(text)
    found: dict[Value, Elements] = {}
    for node in model.graph.nodes:
        elements = shape_data(node, found)
        if elements is not None:
            found[node.outputs[0]] = elements
    expected = open_session(model, outputs=[v.name for v in found]).run({"x": np.zeros((2, 3, 5, 8), np.float32)})
    for value, elements in found.items():
        assert elements.tolist() == expected[value.name].astype(np.int64).tolist()
    assert names[-1] in {v.name for v in found}
