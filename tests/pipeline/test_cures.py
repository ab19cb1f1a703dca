"""``cured_by`` is a dry run: the passes whose rule matches this very node, and nothing is changed by asking."""

from __future__ import annotations

from surgery.ir import Model
from surgery.pipeline.cures import cures
from surgery.target import load_target, place
from tests.passes.clamp_marches import seeded
from tests.support import model_of


def cured(model: Model, march: str) -> dict[tuple[str, str], tuple[str, ...]]:
    before = model.to_proto()
    found = cures(model, place(model, load_target(march)))
    assert model.to_proto() == before
    return found


def test_cured_by_is_a_dry_run() -> None:
    """Of two Shrinks one has a form that can be written otherwise; the limit is the same for both."""
    model = model_of(
        """g (float[1,8,4,4] x) => (float[1,8,4,4] y) {
            [soft] a = Shrink <lambd = 0.5, bias = 0.5> (x)
            [hard] y = Shrink <lambd = 0.5, bias = 0.0> (a) }""",
        opset=11,
    )
    placement = place(model, load_target("bayes-e"))
    broken = {(row.node.name, v.constraint) for row in placement.rows for v in row.verdict.violations}
    assert {name for name, _ in broken} == {"soft", "hard"}
    assert {name for name, _ in cured(model, "bayes-e")} == {"soft"}
    assert set(cured(model, "bayes-e").values()) == {("substitute-ops",)}


def test_a_limit_that_no_rule_names_has_no_cure() -> None:
    text = "g (float[1,8,8,8] x) => (float[1,8,8,8] y) { y = Softmax <axis = 1> (x) }"
    assert cured(model_of(text, opset=11), "bayes-e") == {}


QUANTISED = """g (float[1,3,4,4] x) => (float[1,3,4,4] y) <float s = {0.05}, int8 z = {3}> {
    q = QuantizeLinear (x, s, z)
    d = DequantizeLinear (q, s, z)
    a = Sin (d)
    b = Conv (a, w)
    BODY
}"""


def test_a_rule_about_the_whole_model_is_cured_where_a_trial_shows_it() -> None:
    """Without its quantise nodes at the edges this is a float model, for which no convolution is unscaled."""
    edges = seeded(QUANTISED.replace("BODY", "y = Cos (b)"), opset=11, w=(3, 3, 1, 1))
    assert cured(edges, "bayes-e")["", "model.unscaled"] == ("strip-io-nodes",)
    inside = "c = QuantizeLinear (b, s, z)  e = DequantizeLinear (c, s, z)  y = Cos (e)"
    assert ("", "model.unscaled") not in cured(
        seeded(QUANTISED.replace("BODY", inside), opset=11, w=(3, 3, 1, 1)), "bayes-e"
    )


def test_an_opset_that_is_too_new() -> None:
    model = model_of("g (float[1,8] x) => (float[1,8] y) { y = Relu (x) }", opset=13)
    assert cured(model, "bayes-e") == {("", "model.opset"): ("lower-opset",)}


def test_nothing_broken_is_nothing_to_cure() -> None:
    assert cured(model_of("g (float[1,8,4,4] x) => (float[1,8,4,4] y) { y = Relu (x) }", opset=11), "bayes-e") == {}
