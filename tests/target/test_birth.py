"""Operators younger than the newest opset that a march's toolchain takes."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from surgery.pipeline.cures import cures
from surgery.report.check import check_document
from surgery.target import Violation, load_target, place
from surgery.target.birth import births
from tests.support import model_of
from tests.target.nodes import node

MAP = (1, 8, 4, 4)


def test_a_young_operator_is_refused_with_what_the_opset_limit_says() -> None:
    verdict = load_target("bayes-e").verdict(node("LayerNormalization", [MAP, (4,)], MAP), 17)
    assert verdict.device == "refused"
    text = "an operator exists in the newest opset that the toolchain takes"
    assert verdict.birth == Violation("LayerNormalization.opset", 17, "at most 11", text, "checker", "probed")
    assert [v.constraint for v in verdict.violations] == ["LayerNormalization.opset", "LayerNormalization.unlisted"]


@pytest.mark.parametrize(
    ("op", "march", "born"),
    [
        ("Celu", "bernoulli2", 12),
        ("GridSample", "bayes", 16),
        ("RMSNormalization", "nash-e", 23),
        ("Swish", "nash-p", 24),
    ],
)
def test_every_march_by_its_own_newest_opset(op: str, march: str, born: int) -> None:
    birth = load_target(march).verdict(node(op, [MAP], MAP), 28).birth
    assert birth is not None
    assert (birth.constraint, birth.found) == (f"{op}.opset", born)


@pytest.mark.parametrize(
    ("op", "march"),
    [("Range", "bayes-e"), ("Upsample", "bayes-e"), ("LayerNormalization", "nash-e"), ("Nonsense", "bayes-e")],
)
def test_what_existed_in_time_or_never_is_not_young(op: str, march: str) -> None:
    """Upsample existed up to opset 9; what ONNX never had is no matter of opsets."""
    assert load_target(march).unborn(op) is None


def test_an_operator_of_another_domain_is_not_young() -> None:
    made = node("Gelu", [MAP], MAP)
    made.domain = "com.microsoft"
    assert load_target("bayes-e").verdict(made, 17).birth is None


def test_a_march_that_states_no_newest_opset_knows_all(tmp_path: Path) -> None:
    file = tmp_path / "open.yaml"
    file.write_text("march: open\nsources: {}\nmodel: [{param: opset, min: 9}]\nops: {}\n")
    assert load_target(str(file)).unborn("Attention") is None


def test_births_are_those_of_the_first_version() -> None:
    known = births()
    assert (known["Relu"], known["Celu"], known["GroupNormalization"], known["Attention"]) == (1, 12, 18, 23)
    assert set(known) >= {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""}


def test_the_document_says_which_pass_cures_it() -> None:
    model = model_of(
        "g (float[1,8,4,4] x, float[1] t) => (float[1,8,4,4] y) { a = Gelu (x) y = CastLike (a, t) }", opset=20
    )
    placement = place(model, load_target("bayes-e"))
    document = check_document(model, placement, cures(model, placement))
    assert not document.accepted
    cured = {v.constraint: v.cured_by for row in document.nodes for v in row.violations}
    assert cured["Gelu.opset"] == ("substitute-ops",)
    assert cured["CastLike.opset"] == ("inline-functions",)


def test_in_a_body_it_is_refused_too() -> None:
    model = model_of(
        "g (bool c, float[1,8] x) => (float[1,8] y) "
        "{ y = If (c) <then_branch = a () => (float[1,8] t) { t = Gelu (x) }, "
        "else_branch = b () => (float[1,8] u) { u = Relu (x) }> }",
        opset=20,
    )
    devices = {row.node.op: row.device for row in place(model, load_target("bayes-e")).rows}
    assert devices == {"If": "refused", "Gelu": "refused", "Relu": "cpu"}
