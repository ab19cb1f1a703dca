"""normalise-rank: lookups of what was brought out of rank 4, computed before that."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surgery.toolchain import Witness
from tests.passes.rank_models import net, run
from tests.support import Applied, vendor_devices

SCORES = "b = Reshape (a, k)  d = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (a)  e = Reshape (d, k)"


def scores(body: str, y: str = "[1,80,2000]", march: str = "bernoulli2") -> Applied:
    """Scores of two maps, 80 per place, and what is made of them."""
    constants = {"w": (80, 16, 1, 1), "k": [1, 80, -1], "m": [80, -1], "u": [0]}
    held = {name: value for name, value in constants.items() if f"{name})" in f"{SCORES}{body} (a, w)"}
    return run(net(f"a = Conv (x, w)  {SCORES}  {body}", "[1,16,40,40]", y, 11, **held), march)


def test_the_scores_of_a_detector() -> None:
    done = scores("f = Concat <axis = 2> (b, e)  y = Sigmoid (f)")
    assert sorted(done.ops) == sorted(["Conv", "MaxPool", *["Sigmoid", "Reshape"] * 2, "Concat"])
    assert done.ops[-1] == "Concat"
    assert done.result.exactness == "exact"


def test_through_several_moves() -> None:
    done = scores(
        "f = Concat <axis = 2> (b, e)  g = Squeeze <axes = [0]> (f)  y = HardSigmoid <alpha = 0.3> (g)", "[80,2000]"
    )
    assert done.ops[-2:] == ["Concat", "Squeeze"]
    assert done.ops.count("HardSigmoid") == 2
    assert all(n.attrs["alpha"] == pytest.approx(0.3) for n in done.model.nodes() if n.op == "HardSigmoid")


def test_where_a_lookup_of_rank_3_is_legal_it_stays() -> None:
    done = scores("f = Concat <axis = 2> (b, e)  y = Sigmoid (f)", march="bayes-e")
    assert done.result.applied == 0


LEFT = {
    "what others read": (
        "f = Concat <axis = 2> (b, e)  g = Sigmoid (f)  y = ReduceSum <axes = [0], keepdims = 1> (f)",
        "'f' is read by others, too",
    ),
    "what is computed at rank 3": (
        "f = Concat <axis = 2> (b, e)  g = CumSum (f, u)  y = Sigmoid (g)", "not reshaped or joined from rank 4"
    ),
    "nothing that is moved": ("y = Sigmoid (a)", "violates no limit of the march"),
    "what comes back": (
        "f = Concat <axis = 2> (b, e)  g = Sigmoid (f)  y = Reshape (g, r)", "'g' is brought back to rank 4"
    ),
    "a constant part": ("f = Concat <axis = 2> (b, c)  y = Sigmoid (f)", "'c' is constant, every part must be"),
}  # fmt: skip


@pytest.mark.parametrize("name", LEFT)
def test_refusal(name: str) -> None:
    body, why = LEFT[name]
    if name == "what others read":
        body += "  h = Sigmoid (f)"
    model = net(
        f"a = Conv (x, w)  {SCORES}  {body}", "[1,16,40,40]", "[1,80,2000]", 11, w=(80, 16, 1, 1), k=[1, 80, -1],
        **({"c": (1, 80, 400)} if "c)" in body else {}), **({"u": 2} if "u)" in body else {}),
        **({"r": [1, 80, 40, 50]} if "r)" in body else {}),
    )  # fmt: skip
    done = run(model, "bernoulli2", verify=False)
    assert not any(edit.change.rule == "lookup-first" for edit in done.result.edits)
    assert any(why in reason for reason in done.reasons), done.reasons


def test_a_chain_that_is_too_long_is_refused() -> None:
    chain = "  ".join(f"r{n + 1} = Reshape (r{n}, {'pq'[n % 2]})" for n in range(2000))
    body = f"a = Conv (x, w)  r0 = Reshape (a, q)  {chain}  y = Sigmoid (r2000)"
    model = net(body, "[1,8,8,8]", "[1,8,64]", 11, w=(8, 8, 1, 1), p=[1, 64, 8], q=[1, 8, 64])
    done = run(model, "bernoulli2", verify=False, idempotent=False)
    assert any("more than 8 nodes in a row move what it reads" in reason for reason in done.reasons)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.sampled_from(["Sigmoid", "Tanh", "Exp", "Relu"]), st.lists(st.integers(1, 3), min_size=2, max_size=3))
def test_any_maps_keep_their_elements(op: str, sides: list[int]) -> None:
    """apply_pass holds the result against onnxruntime, bit for bit."""
    parts = [f"p{i} = MaxPool <kernel_shape = [{s}, {s}]> (a)  r{i} = Reshape (p{i}, k)" for i, s in enumerate(sides)]
    joined = ", ".join(f"r{i}" for i in range(len(sides)))
    places = sum((41 - s) ** 2 for s in sides)
    body = f"a = Conv (x, w)  {'  '.join(parts)}  c = Concat <axis = 2> ({joined})  y = {op} (c)"
    run(net(body, "[1,16,40,40]", f"[1,8,{places}]", 11, w=(8, 16, 1, 1), k=[1, 8, -1]), "bernoulli2")


@pytest.mark.witness
def test_the_witness_puts_the_scores_on_the_bpu(vendor: Witness) -> None:
    """Only what moves them at the end is left on the CPU."""
    done = scores("f = Concat <axis = 2> (b, e)  y = Sigmoid (f)")
    placed = vendor_devices(vendor, done.model, "bernoulli2")
    assert {node.name for node in done.model.nodes() if node.op == "Sigmoid"} <= {
        n for n, d in placed.items() if d == "bpu"
    }
