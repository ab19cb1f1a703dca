"""normalise-rank: products of a row of tokens laid out on a map."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.rank.rows import fullest
from tests.passes.rank_models import net, run
from tests.support import Applied

WIDE = {"v": (192, 768), "w": (768, 192), "b": (768,)}
BLOCK = "f = Sin (x)  c = MatMul (f, v)  d = Add (c, b)  e = Tanh (d)  g = MatMul (e, w)  y = Add (g, x)"
LISTED = """t = Transpose <perm = [0, 2, 3, 1]> (x)  n = Sin (t)  r = Reshape (n, k)
    g = Gemm <transB = 1> (r, v, b)  s = Reshape (g, l)  y = Tanh (s)"""


def block(tokens: int, march: str = "bayes-e") -> Applied:
    return run(net(BLOCK, f"[1,{tokens},192]", f"[1,{tokens},192]", **WIDE), march)


def listed(height: int, width: int, march: str = "bayes-e", **more: object) -> Applied:
    held = {"k": [height * width, 64], "l": [1, height, width, 256], "v": (256, 64), "b": (256,)} | more
    body = str(held.pop("body", LISTED))
    return run(net(body, f"[1,64,{height},{width}]", f"[1,{height},{width},256]", **held), march)


def rules(done: Applied) -> set[str]:
    return {edit.change.rule for edit in done.result.edits}


def test_the_products_of_a_transformer_are_laid_out() -> None:
    """What is between them is lifted, too."""
    done = block(196)
    assert done.ops == ["Sin", "Reshape", "MatMul", "Add", "Tanh", "MatMul", "Reshape", "Add"]
    assert {n.outputs[0].shape for n in done.model.nodes() if n.op == "MatMul"} == {(1, 4, 49, 768), (1, 4, 49, 192)}


def test_the_map_that_tokens_were_listed_of_is_read_itself() -> None:
    done = listed(14, 14)
    assert done.ops == ["Transpose", "Sin", "MatMul", "Add", "Tanh"]


@pytest.mark.usefixtures("paying")
def test_what_else_reads_the_tokens_gets_a_list_of_them() -> None:
    body = LISTED.replace("y = Tanh (s)", "u = Softmax <axis = 0> (g)  o = Reshape (u, l)  y = Add (s, o)")
    assert listed(14, 14, body=body).ops == [
        "Transpose",
        "Sin",
        "MatMul",
        "Add",
        "Reshape",
        "Softmax",
        "Reshape",
        "Add",
    ]


@pytest.mark.parametrize(
    ("tokens", "march", "reason"),
    [
        (197, "bayes-e", "197 tokens in one row fill the engine as well as any map of them"),
        (196, "bernoulli2", "196 tokens in one row fill the engine as well as any map of them"),
    ],
)
def test_tokens_that_no_map_fills_better_stay_in_their_row(tokens: int, march: str, reason: str) -> None:
    done = block(tokens, march)
    assert "lay-out-rows" not in rules(done)
    assert any(reason in text for text in done.reasons)


@pytest.mark.parametrize(
    ("body", "shape", "reason"),
    [
        ("f = Sin (x)  y = MatMul (f, v)", "[2,196,64]", "makes 2x196x256 by a weight, it must be one row of tokens"),
        ("f = Sin (x)  y = Gemm <alpha = 2.0> (f, v)", "[196,64]", "alpha, beta and transA must be 1, 1 and 0"),
        ("f = Sin (x)  y = Gemm (f, v, rows)", "[196,64]", "adds another number to every row"),
        ("f = Sin (x)  c = Cos (f)  d = Transpose <perm = [0, 2, 1]> (c)  y = MatMul (f, d)", "[1,196,64]", "constant"),
    ],
)
def test_what_is_no_product_of_one_row_by_a_weight(body: str, shape: str, reason: str) -> None:
    size = [int(n) for n in shape.strip("[]").split(",")]
    last = 196 if "d)" in body else 256
    after = str([*size[:-1], last])
    held = {"v": (64, 256), "rows": (196, 256)}
    held = {name: shape for name, shape in held.items() if f"{name})" in body or f"{name}," in body}
    done = run(net(body, shape, after, **held))
    assert "lay-out-rows" not in rules(done)
    assert any(reason in text for text in done.reasons)


def test_tokens_of_a_map_that_the_compiler_keeps_stay() -> None:
    """The compiler lays the product of a listed map out as that map itself: nothing is to be gained."""
    body = """c = Conv (x, p)  r = Reshape (c, k)  t = Transpose <perm = [0, 2, 1]> (r)  n = Tanh (t)
        y = MatMul (n, v)"""
    done = run(net(body, "[1,64,14,14]", "[1,196,256]", k=[1, 64, 196], p=(64, 64, 1, 1), v=(64, 256)))
    assert "lay-out-rows" not in rules(done)
    assert any("predicted to save" in text for text in done.reasons)


@pytest.mark.usefixtures("paying")
@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([(14, 14), (6, 8), (7, 7), (4, 10)]), st.booleans(), st.booleans(), st.sampled_from([3, 8])
)  # fmt: skip
def test_any_product(sides: tuple[int, int], gemm: bool, bias: bool, features: int) -> None:
    height, width = sides
    tokens = height * width
    weight = np.random.default_rng(0).normal(size=(features, 5) if gemm else (5, features)).astype(np.float32)
    held: dict[str, object] = {"v": weight, "k": [tokens, 5]}
    body = "f = Sin (x)  r = Reshape (f, k)  c = MatMul (r, v)  y = Tanh (c)"
    if gemm:
        body = body.replace("MatMul (r, v)", f"Gemm <transB = 1> (r, v{', b' if bias else ''})")
    elif bias:
        body = body.replace("c = MatMul (r, v)", "m = MatMul (r, v)  c = Add (b, m)")
    if bias:
        held["b"] = (features,)
    done = run(net(body, f"[1,{height},{width},5]", f"[{tokens},{features}]", **held))
    assert rules(done) == {"lay-out-rows"}
    assert all(n.outputs[0].shape == (1, height, width, features) for n in done.model.nodes() if n.op == "MatMul")


@given(st.integers(1, 2000), st.sampled_from([(4, 8), (4, 16), (1, 8)]))
def test_the_fullest_map_wastes_least(count: int, steps: tuple[int, int]) -> None:
    def held(height: int, width: int) -> int:
        return -(-height // steps[0]) * steps[0] * -(-width // steps[1]) * steps[1]

    height, width = fullest(count, *steps)
    assert height * width == count
    assert held(height, width) == min(held(h, count // h) for h in range(1, count + 1) if count % h == 0)
