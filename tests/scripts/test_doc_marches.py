"""The pages about marches: nothing of code and data is left out, and what was probed stands beside what was read."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

from surgery.target import Target, load_target, march_names
from surgery.target.expression import FUNCTIONS
from surgery.target.facts import FACTS
from surgery.target.march import Limit, March
from surgery.target.params import PARAMS
from tests.support import ROOT

SMALL = """
march: small
boards: [Board 1]
sources: {list: {where: page 3, trust: vendor_doc}}
ops:
  Relu Abs:
    device: bpu
    source: list
    limits: [{param: rank, max: 4, evidence: probed, read: at most 3}]
  Gemm: {device: bpu, complete: false, source: list}
"""


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The two modules that write pages."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return SimpleNamespace(march=import_module("march_page"), constraints=import_module("constraint_page"))


@pytest.fixture
def small(tmp_path: Path) -> Target:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    (tmp_path / "small.probed.yaml").write_text("Abs.rank: {inside: bpu, outside: cpu}\n")
    return load_target(str(path))


def test_every_word_of_the_language_is_explained(scripts: SimpleNamespace) -> None:
    text = scripts.constraints.page({"bayes": load_target("bayes")})
    for name in (*PARAMS, *FACTS, *FUNCTIONS, *Limit.model_fields, *March.model_fields):
        assert f"`{name}`" in text, name


@pytest.mark.parametrize("name", march_names())
def test_every_limit_and_operator_is_on_the_page(name: str, scripts: SimpleNamespace) -> None:
    target = load_target(name)
    text = scripts.march.page(target)
    for op, row in target.march.ops.items():
        assert op in text
        for _, check in scripts.march.limits_of(target, op) if row.limits else ():
            assert f"`{check.constraint}`" in text or f"`<Op>.{check.constraint.partition('.')[2]}`" in text


def test_read_and_found_stand_side_by_side(small: Target, scripts: SimpleNamespace) -> None:
    text = scripts.march.page(small)
    assert "### Abs\n" in text, "its probe sets it apart from Relu"
    assert "| `Abs.rank` | rank | `at most 4` |  | list | probed; the list says at most 3 | bpu, cpu |" in text
    assert "| `Relu.rank` | rank | `at most 4` |  | list | probed; the list says at most 3 |  |" in text


def test_what_is_not_known_is_counted(small: Target, scripts: SimpleNamespace) -> None:
    text = scripts.march.page(small)
    assert "Of the 3 operators with a row, 2 are known whole." in text
    assert "Of the other 1 the limits could not all be read" in text
    assert text.count("they are Gemm") + text.count("They are Gemm") == 1


def test_marches_of_which_all_is_the_same_share_a_column(small: Target, scripts: SimpleNamespace) -> None:
    text = scripts.constraints.page({name: load_target(name) for name in ("nash-e", "nash-m")} | {"small": small})
    assert "| limit | nash-e, nash-m | small |" in text
    assert "| `Abs.rank` |  | `at most 4` |" in text
