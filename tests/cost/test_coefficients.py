"""The coefficient files: every march has one, every number a source, bad files are refused."""

from __future__ import annotations

import pytest

import surgery
from surgery.cost.coefficients import Basis, NoCoefficients, rates, sheet_of
from surgery.cost.terms import INSTEAD, Term
from surgery.errors import InputError
from surgery.target.registry import march_names
from surgery.target.target import load_target
from tests.cost.make import X5, estimated
from tests.support import model_of


@pytest.mark.parametrize("march", march_names())
def test_every_march_has_coefficients_of_its_own(march):
    sheet = sheet_of(load_target(march).cost, march)
    assert sheet.march == march
    assert set(sheet.sources) == sheet.cited()


@pytest.mark.parametrize("march", march_names())
def test_the_less_is_known_the_wider(march):
    sheet = rates(load_target(march)).sheet
    for name, c in (*sheet.coefficients(), *sheet.factors()):
        if c.basis is not Basis.FITTED:
            assert c.spread[1] / c.spread[0] >= 2, name


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("engine", {"dense": 1}, "engine.dense"),
        ("spread", (2, 3), "must hold 1"),
        ("source", "hearsay", "sources not described: hearsay"),
        ("colour", "red", "colour: Extra inputs"),
        ("engine", {}, "engine has no concat, dense, depthwise"),
    ],
)
def test_a_bad_file_is_refused(key, value, message):
    data = {**X5.cost, "engine": dict(X5.cost["engine"])}
    if key in ("spread", "source"):
        data["engine"]["dense"] = {**data["engine"]["dense"], key: value}
    else:
        data[key] = value
    with pytest.raises(InputError, match=message):
        sheet_of(data, "x.cost.yaml")


def test_rates_are_made_once():
    assert rates(X5) is rates(X5)
    assert rates(X5).engine[Term.DENSE].us.mid == pytest.approx(1000 * X5.cost["engine"]["dense"]["value"])


def test_march_without_coefficients(tmp_path):
    source = X5.path.read_text(encoding="utf-8")
    (tmp_path / "bare.yaml").write_text(source, encoding="utf-8")
    bare = load_target(str(tmp_path / "bare.yaml"))
    with pytest.raises(NoCoefficients, match="bayes-e has no cost coefficients"):
        estimated(model_of("g (float[1,8] x) => (y) { y = Exp(x) }"), target=bare)


def test_a_verb_says_which_march_has_none(tmp_path):
    (tmp_path / "bare.yaml").write_text(X5.path.read_text(encoding="utf-8"), encoding="utf-8")
    model = model_of("g (float[1,8] x) => (y) { y = Exp(x) }")
    for asked in (None, "batch=4"):
        document = surgery.cost(model, march=str(tmp_path / "bare.yaml"), what_if=asked)
        assert (document.latency_ms, document.what_if, document.throughput_fps) == (None, None, ())
        assert document.reason == "march bayes-e has no cost coefficients"


def test_what_was_not_measured_is_timed_as_something_like_it():
    x5, s100 = (rates(load_target(march)).engine for march in ("bayes-e", "nash-e"))
    assert s100[Term.SCATTER].us == s100[Term.MOVE].us
    assert s100[Term.BLOCK].us == s100[Term.CONCAT].us
    assert s100[Term.LOOKUP_SMALL].us == s100[Term.LOOKUP].us
    assert Term.ENTER not in s100
    assert x5[Term.SCATTER].us.mid > 10 * x5[Term.MOVE].us.mid


def test_what_stands_in_has_a_rate_in_the_end():
    """Following :data:`INSTEAD` ends, at a term every march has or at nothing."""
    for term in INSTEAD:
        seen, found = set(), term
        while found in INSTEAD and INSTEAD[found] is not None:
            assert found not in seen
            seen.add(found)
            found = INSTEAD[found]
