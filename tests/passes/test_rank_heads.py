"""normalise-rank: fused query, key and value, taken apart before they are reshaped."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from surgery.ir import Model
from surgery.pipeline.result import Status
from tests.passes.rank_models import net, run

SHAPED = "r = Reshape (i, k)  t = Transpose <perm = [2, 0, 3, 1, 4]> (r)"
PRODUCT = "h = MatMul (x, w)  i = Add (h, b)"
GATHERS = "q = Gather (t, zero)  v = Gather (t, two)  y = Add (q, v)"
SPLIT = "p, q, v = Split (t)  s = Squeeze (p, axis)  z = Squeeze (v, axis)  y = Add (s, z)"
HELD = {"w": (8, 24), "b": (24,), "k": [1, 6, 3, 2, 4], "zero": 0, "two": 2, "axis": [0], "one": [1], "both": [0, 1]}


def heads(body: str, x: str = "[1,6,8]", y: str = "[1,2,6,4]", opset: int = 13, **more: object) -> Model:
    """A model of tokens; only constants that the body reads are there."""
    held = {k: v for k, v in {**HELD, **more}.items() if any(f"{s}{k}{e}" in body for s in "( " for e in ",)")}
    return net(body, x, y, opset, **held)


TAKEN = {
    "gathers": (f"{PRODUCT}  {SHAPED}  {GATHERS}", "MatMul Add Reshape Transpose " * 2 + "Add"),
    "a split": (f"{PRODUCT}  {SHAPED}  {SPLIT}", "MatMul Add Reshape Transpose " * 2 + "Add"),
    "without a bias": (f"i = MatMul (x, w)  {SHAPED}  {GATHERS}", "MatMul Reshape Transpose " * 2 + "Add"),
    "of no product": (
        f"h = MatMul (x, w)  i = Tanh (h)  {SHAPED}  {GATHERS}",
        "MatMul Tanh " + "Slice Reshape Transpose " * 2 + "Add",
    ),
    "without a Transpose": (
        f"""{PRODUCT}  r = Reshape (i, k)  q = Gather <axis = 2> (r, zero)  v = Gather <axis = 2> (r, two)
            a = Add (q, v)  y = Transpose <perm = [0, 2, 1, 3]> (a)""",
        "MatMul Add Reshape " * 2 + "Add Transpose",
    ),
    "as a list": (
        f"{PRODUCT}  {SHAPED}  q = Gather (t, one)  y = Squeeze (q, axis)",
        "MatMul Add Reshape Transpose",
    ),
}


@pytest.mark.usefixtures("paying")
@pytest.mark.parametrize("name", TAKEN)
def test_parts(name: str) -> None:
    body, ops = TAKEN[name]
    done = run(heads(body))
    assert (" ".join(done.ops), done.result.applied) == (ops.strip(), 1)


@pytest.mark.usefixtures("paying")
def test_the_weights_are_cut() -> None:
    model = heads(f"{PRODUCT}  {SHAPED}  {GATHERS}")
    weight = next(n for n in model.nodes() if n.op == "MatMul").inputs[1].values
    made = [n.inputs[1].values for n in run(model).model.nodes() if n.op == "MatMul"]
    assert np.array_equal(made[0], weight[:, :8])
    assert np.array_equal(made[1], weight[:, 16:])


@pytest.mark.usefixtures("paying")
def test_heads_before_parts_need_a_product() -> None:
    """Elements that are not adjacent are no trouble for weights, and refused for slices."""
    far = "t = Transpose <perm = [3, 0, 2, 1, 4]> (r)"
    body = f"{PRODUCT}  r = Reshape (i, k)  {far}  q = Gather (t, zero)  v = Gather (t, one1)  y = Add (q, v)"
    model = heads(body, k=[1, 6, 2, 3, 4], one1=1)
    assert run(model).ops.count("MatMul") == 2
    broken = heads(body.replace("i = Add", "j = Add").replace("Reshape (i", "Reshape (n").replace(
        "  r =", "  n = Sin (j)  r ="), k=[1, 6, 2, 3, 4], one1=1)  # fmt: skip
    assert "a part has 8 of 16 elements, they must be adjacent" in run(broken, verify=False).reasons


@pytest.mark.usefixtures("paying")
@pytest.mark.parametrize("sizes", [[8, 8, 8], [4, 20], [24]])
def test_a_split_of_columns(sizes: list[int]) -> None:
    names = [f"p{index}" for index in range(len(sizes))]
    body = f"{PRODUCT}  {', '.join(names)} = Split <axis = 2> (i, sizes)  y = Concat <axis = 2> ({', '.join(names)})"
    done = run(net(body, "[1,6,8]", "[1,6,24]", w=(8, 24), b=(24,), sizes=sizes))
    assert done.ops == ["MatMul", "Add"] * len(sizes) + ["Concat"]
    assert [e.change.rule for e in done.result.edits] == ["split-product"]


@pytest.mark.usefixtures("paying")
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5), st.integers(2, 4), st.booleans(), st.booleans())
def test_any_heads(count: int, width: int, tokens: int, parts: int, product: bool, last: bool) -> None:
    perm = [2, 0, 3, 1, 4] if last else [2, 0, 1, 3, 4]
    body = (PRODUCT if product else "h = MatMul (x, w)  j = Add (h, b)  i = Tanh (j)") + (
        f"  r = Reshape (i, k)  t = Transpose <perm = {perm}> (r)  q = Gather (t, first)  v = Gather (t, final)"
        "  y = Sub (q, v)"
    )
    after = [2, count, tokens, width] if last else [2, tokens, count, width]
    shape = [2, tokens, parts, count, width]
    columns = parts * count * width
    held = {"w": (8, columns), "b": (columns,), "k": shape, "first": 0, "final": parts - 1}
    assert run(net(body, f"[2,{tokens},8]", str(after), **held)).result.applied == 1


def test_the_march_has_to_have_a_limit() -> None:
    """A Gather of rank 4 is legal on bayes-e: nothing is touched."""
    body = f"{PRODUCT}  r = Reshape (i, k)  q = Gather <axis = 2> (r, zero)  y = Relu (q)"
    model = heads(body, y="[1,6,8]", k=[1, 6, 3, 8])
    assert run(model).result.status is not Status.APPLIED


REFUSED = {
    "another reader": (
        f"{SHAPED}  q = Gather (t, zero)  s = Sin (t)  z = Gather (s, two)  y = Add (q, z)",
        "every reader must be a Gather of axis 0",
    ),
    "the second": (
        f"{SHAPED}  s = Sin (t)  q = Gather (t, zero)  z = Gather (s, two)  y = Add (q, z)",
        "reads 't' first, it takes all apart",
    ),
    "two indices": (
        f"{SHAPED}  q = Gather (t, both)  v = ReduceMax <axes = [0], keepdims = 0> (q)  y = Neg (v)",
        "gathers 2 indices, it must be one",
    ),
    "another axis": (
        "r = Reshape (i, k)  t = Transpose <perm = [1, 0, 3, 2, 4]> (r)  q = Gather (t, zero)  y = Reshape (q, l)",
        "which must cut its last axis into axis 1",
    ),
    "large parts": (
        f"{SHAPED}  p, q = Split (t, cut)  y = Squeeze (p, axis)",
        "splits into [1, 2], every part must be of size 1",
    ),
    "a split of tokens": (
        "p, q = Split <axis = 1> (i)  n = Add (p, q)  z = Reshape (n, m)  y = Tanh (z)",
        "splits axis 1 of 3, it must cut the last at known places",
    ),
    "no product": (
        "j = Tanh (i)  p, q, v = Split <axis = 2> (j)  n = Add (p, q)  z = Reshape (n, l)  y = Tanh (z)",
        "'j' must be a product by a constant",
    ),
}


@pytest.mark.usefixtures("paying")
@pytest.mark.parametrize("name", REFUSED)
def test_refusal(name: str) -> None:
    body, reason = REFUSED[name]
    model = heads(f"{PRODUCT}  {body}", l=[1, 2, 6, 4], cut=[1, 2], m=[1, 2, 3, 12])
    done = run(model, verify=False, idempotent=False)
    assert any(reason in text for text in done.reasons), done.reasons


@pytest.mark.usefixtures("paying")
def test_a_value_that_is_an_output() -> None:
    proto = heads(f"{PRODUCT}  {SHAPED}  {GATHERS}").to_proto()
    proto.graph.output.add(name="t")
    reasons = run(Model.load(proto), verify=False).reasons
    assert "'t' is also a graph output" in reasons
