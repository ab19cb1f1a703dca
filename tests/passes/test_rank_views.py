"""normalise-rank: elementwise operators between two reshapes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from passes.rank.views import View, shrunk
from surgery.pipeline.result import Status
from tests.passes.rank_models import net, run

MAP = "[1,8,4,6]"
IN, OUT = "s = Sin (x)  r = Reshape (s, k)", "y = Reshape (b, l)"
HELD = {"k": [8, 24], "l": [1, 8, 4, 6]}
LIFTED = {
    "one": ("b = Tanh (r)", {}, "Sin Tanh"),
    "two of one": ("t = Tanh (r)  u = Sigmoid (r)  b = Mul (t, u)", {}, "Sin Tanh Sigmoid Mul"),
    "a constant per channel": ("b = Mul (r, c)", {"c": (8, 1)}, "Sin Mul"),
    "a constant of all": ("b = Add (r, c)", {"c": (8, 24)}, "Sin Add"),
    "a number": ("b = Pow (r, c)", {"c": np.float32(2)}, "Sin Pow"),
    "a value from elsewhere": ("o = Softmax (r)  b = Add (r, o)", {}, "Sin Reshape Softmax Reshape Add"),
}


@pytest.mark.usefixtures("paying")
@pytest.mark.parametrize("march", ["bayes-e", "bernoulli2"])
@pytest.mark.parametrize("name", LIFTED)
def test_views(name: str, march: str) -> None:
    body, held, ops = LIFTED[name]
    done = run(net(f"{IN}  {body}  {OUT}", MAP, MAP, **HELD, **held), march)
    assert (" ".join(done.ops), done.result.applied) == (ops, 1), done.reasons
    assert done.result.exactness == "exact"
    assert [e.change.rule for e in done.result.edits] == ["lift-views" if march == "bayes-e" else "legalise-views"]


@pytest.mark.usefixtures("paying")
def test_what_is_read_in_between_is_reshaped() -> None:
    done = run(net(f"{IN}  b = Tanh (r)  {OUT}  z = Softmax (b)  q = Reshape (z, l)", MAP, MAP, **HELD))
    assert done.ops[:2] == ["Sin", "Tanh"]


@pytest.mark.usefixtures("paying")
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([[192], [8, 24], [2, 4, 24], [1, 8, 2, 2, 6], [1, 2, 2, 2, 2, 2, 6]]), st.booleans())
def test_any_rank(shape: list[int], channels: bool) -> None:
    held = {"c": (*shape[:-1], 1) if channels and len(shape) > 1 else np.float32(0.5)}
    model = net(f"{IN}  t = Tanh (r)  u = Mul (t, c)  b = Add (u, r)  {OUT}", MAP, MAP, k=shape, l=HELD["l"], **held)
    done = run(model)
    assert done.result.applied == (done.ops == ["Sin", "Tanh", "Mul", "Add"])


def test_the_estimate_decides() -> None:
    """Reshapes that cost nothing, since they only drop a dim of 1, stay as they are."""
    held = {"k": [2, 2, 2], "l": [1, 2, 2, 2]}
    assert run(net(f"{IN}  b = Tanh (r)  {OUT}", "[1,2,2,2]", "[1,2,2,2]", **held)).result.applied == 0


def test_shrunk_constants_broadcast_back() -> None:
    array = np.broadcast_to(np.arange(3.0).reshape(1, 3, 1), (2, 3, 4))
    assert shrunk(array).shape == (1, 3, 1)
    assert shrunk(np.arange(6.0).reshape(2, 3)).shape == (2, 3)


def test_views_of_one_shape_are_equal() -> None:
    assert View((8, 24), (1, 8, 4, 6)) == View((8, 24), (1, 8, 4, 6))


REFUSED = {
    "another shape": ("o = ReduceSum (r, one)  b = Add (r, o)", {"one": [1]}, "it must be 8x24"),
    "a constant that grows": ("b = Add (r, c)", {"c": (4,)}, "'c' of 4 would grow to 1x1x4x6, it must not grow"),
    "another operator": ("b = Softmax (r)", {}, "Softmax is not written at rank 4"),
    "from elsewhere": ("q = MatMul (r, c)  b = Tanh (q)", {"c": (24, 24)}, "nothing comes from 1x8x4x6"),
}


@pytest.mark.usefixtures("paying")
@pytest.mark.parametrize("name", REFUSED)
def test_refusal(name: str) -> None:
    body, held, reason = REFUSED[name]
    held = {**held, **({"k": [8, 6, 4]} if "grows" in name else {})}
    done = run(net(f"{IN}  {body}  {OUT}", MAP, MAP, **{**HELD, **held}), verify=False)
    assert done.result.status is not Status.APPLIED
    assert any(reason in text for text in done.reasons), done.reasons


@pytest.mark.usefixtures("paying")
def test_a_reshape_of_an_input() -> None:
    done = run(net("y = Reshape (x, l)", "[8,24]", MAP, l=HELD["l"]), verify=False)
    assert "'x' is not computed by an elementwise operator" in done.reasons
