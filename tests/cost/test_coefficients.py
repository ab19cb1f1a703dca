"""The coefficient files: every march has one, every number a source, bad files are refused."""

from __future__ import annotations

import pytest

from surgery.cost.coefficients import Basis, NoCoefficients, rates, sheet_of
from surgery.errors import InputError
from surgery.target.registry import march_names
from surgery.target.target import load_target
from tests.cost.make import X5, estimated
from tests.support import model_of


@pytest.mark.parametrize("march", march_names())
def test_every_march_has_coefficients_of_its_own(march):
    target = load_target(march)
    sheet = sheet_of(target.cost, march)
    assert sheet.march == march
    unused = set(sheet.sources) - {c.source for part in (sheet.engine, sheet.host, sheet.cpu) for _, c in part if c}
    assert unused <= {sheet.align.source}


@pytest.mark.parametrize("march", march_names())
def test_the_less_is_known_the_wider(march):
    sheet = rates(load_target(march)).sheet
    for part in (sheet.engine, sheet.host, sheet.cpu):
        for name, c in part:
            if c is not None and c.basis is not Basis.FITTED:
                assert c.spread[1] / c.spread[0] >= 2, name


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("engine", {"dense": 1}, "engine.dense"),
        ("spread", (2, 3), "must hold 1"),
        ("source", "hearsay", "sources not described: hearsay"),
        ("colour", "red", "colour: Extra inputs"),
        ("form", "mean", "form: Input should be 'max' or 'sum'"),
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
    assert rates(X5).engine["dense"].us.mid == pytest.approx(546.1)


def test_march_without_coefficients(tmp_path):
    source = X5.path.read_text(encoding="utf-8")
    (tmp_path / "bare.yaml").write_text(source, encoding="utf-8")
    bare = load_target(str(tmp_path / "bare.yaml"))
    with pytest.raises(NoCoefficients, match="bayes-e has no cost coefficients"):
        estimated(model_of("g (float[1,8] x) => (y) { y = Exp(x) }"), target=bare)


def test_what_was_not_measured_is_timed_as_something_like_it():
    x5, x3 = (rates(load_target(march)).engine for march in ("bayes-e", "bernoulli2"))
    assert x3["scatter"] == x3["move"]
    assert x3["block"] == x3["concat"]
    assert x5["scatter"].us.mid > 1000 * x5["move"].us.mid
