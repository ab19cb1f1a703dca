"""The efficiency of convolutions in ``surgery.check/1`` and its views."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import surgery
from surgery.errors import InputError
from surgery.ir import Model
from surgery.report.check import CheckDocument
from surgery.target import registry
from tests.cost.make import weighted
from tests.report import samples
from tests.report.test_views import SHOWN, VIEWS, seen

SAME = "pads = [1, 1, 1, 1]"
NET = f"""g (float[1,64,56,56] x, float[64,64,3,3] wa, float[64,1,3,3] wb) => (z)
    {{ r = Exp(x) a = Conv <{SAME}> (r, wa) b = Conv <group = 64, {SAME}> (a, wb) z = Exp(b) }}"""


@pytest.fixture(scope="module")
def model() -> Model:
    return weighted(NET, opset=11)


@pytest.fixture(scope="module")
def document(model: Model) -> CheckDocument:
    return surgery.check(model, march="bayes-e", advise="efficiency")


def test_a_row_per_convolution(document: CheckDocument) -> None:
    assert document.efficiency is not None
    dense, depthwise = document.efficiency.layers
    assert (dense.form, dense.groups, dense.inputs, dense.outputs, dense.kernel) == ("dense", 1, 64, 64, (3, 3))
    assert [choice.groups for choice in dense.groupings] == [1, 2, 4, 8, 16, 32, 64]
    assert dense.advice.startswith("depthwise ")
    assert dense.advice.endswith(" less for 64 times fewer weights: to be trained")
    assert (depthwise.form, depthwise.advice, depthwise.basis) == ("depthwise", "", "fitted")
    assert depthwise.efficiency is not None


def test_totals_and_ceilings(document: CheckDocument) -> None:
    part = document.efficiency
    assert part is not None
    assert [(total.form, total.layers) for total in part.totals] == [("depthwise", 1), ("dense", 1)]
    assert [total.us.mid for total in part.totals] == [part.layers[1].us.mid, part.layers[0].us.mid]
    assert part.ceilings is not None
    assert (part.ceilings.engine, part.reason) == ("dense", "")


def test_it_is_written_and_read_again(document: CheckDocument) -> None:
    assert CheckDocument.from_json(document.to_json()) == document


def test_nothing_is_said_where_it_was_not_asked_for(model: Model) -> None:
    document = surgery.check(model, march="bayes-e")
    assert document.efficiency is None
    assert "Efficiency of convolutions" not in seen("terminal", document)


def test_a_march_without_coefficients_says_so(model: Model, tmp_path: Path) -> None:
    copy = tmp_path / "bare.yaml"
    shutil.copy(registry.find("bayes-e"), copy)
    document = surgery.check(model, march=str(copy), advise="efficiency")
    assert document.efficiency is not None
    assert (document.efficiency.layers, document.efficiency.totals) == ((), ())
    assert "has no cost coefficients" in document.efficiency.reason
    assert document.efficiency.reason in " ".join(seen("terminal", document).split())


def test_a_model_without_convolutions_says_so() -> None:
    plain = weighted("g (float[1,8] x) => (y) { y = Exp(x) }", opset=11)
    document = surgery.check(plain, march="X5", advise="efficiency")
    assert "No convolution on the BPU." in seen("terminal", document)


def test_misspelt_advice(model: Model) -> None:
    with pytest.raises(InputError, match="unknown advice 'eficiency'") as caught:
        surgery.check(model, march="bayes-e", advise="eficiency")
    assert "did you mean efficiency?" in str(caught.value)


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_has_the_forms_the_layers_and_the_groups(view: str, document: CheckDocument) -> None:
    text = seen(view, document)
    forms, layers, groups = (
        text.index(title)
        for title in ("Efficiency of convolutions", "Convolutions, layer by layer", "In other numbers of groups")
    )
    assert forms < layers < groups
    assert "64 → 64, 3x3" in text[layers:groups]
    assert "64 times fewer weights" in " ".join(text[groups:].split())


@pytest.mark.parametrize("view", VIEWS)
def test_hostile_names_are_shown_as_text(view: str, document: CheckDocument) -> None:
    part = document.efficiency
    assert part is not None
    layers = tuple(row.model_copy(update={"name": samples.HOSTILE}) for row in part.layers)
    hostile = document.model_copy(update={"efficiency": part.model_copy(update={"layers": layers}), "nodes": ()})
    text = seen(view, hostile)
    assert "\x1b[31m" not in text
    assert view != "html" or SHOWN in text
