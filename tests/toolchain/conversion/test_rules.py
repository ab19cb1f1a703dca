"""Every rule: found in a configuration that breaks it, repaired where it can be, and clean after."""

from __future__ import annotations

import pytest
import yaml

from surgery.toolchain.conversion import Settings, accepted, lint, tool_for
from surgery.toolchain.conversion.edits import repaired, same
from surgery.toolchain.conversion.repair import repair
from tests.toolchain.conversion.broken import BROKEN, GOOD, Broken, changed, good


def settings(data: dict[object, object]) -> Settings:
    return Settings(data, tool_for(data))


@pytest.mark.parametrize("name", GOOD)
def test_the_good_ones_are_clean(name: str) -> None:
    assert lint(settings(good(name))) == ()


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: f"{case.base}: {case.name}")
def test_found_and_repaired(case: Broken) -> None:
    broken = settings(case.data)
    findings = lint(broken)
    assert case.rule in {finding.rule for finding in findings}
    if case.refused is not None:
        assert accepted(findings) is not case.refused
    assert all(finding.source in broken.tool.sources for finding in findings)
    assert all(finding.fix for finding in findings if finding.rule == case.rule)
    mended, edits = repair(broken)
    left = {finding.rule for finding in lint(mended)}
    assert (case.rule not in left) is case.fixed
    assert not case.fixed or left == set()
    text = yaml.safe_dump(case.data, sort_keys=False)
    assert yaml.safe_load(repaired(text, edits)) == mended.data


def test_speed_comes_first() -> None:
    data = changed(good("mapped"), {"compiler_parameters.debug": True, "model_parameters.layer_out_dump": True}, [])
    data["compiler_parameters"] |= {"jobs": "4"}
    rules = [finding.rule for finding in lint(settings(data))]
    assert rules == ["speed.layer_out_dump", "speed.debug", "value.type"]


def test_sixty_rules_or_more_are_broken() -> None:
    assert len({case.rule for case in BROKEN}) >= 60


STRANGE = [None, True, -1, float("nan"), ";;", "a;b,c", [], [[]], {1: [2]}, {"x": {"ON": []}}]


@pytest.mark.parametrize("name", GOOD)
def test_no_value_is_too_strange(name: str) -> None:
    tool = settings(good(name)).tool
    for key, section in tool.home.items():
        for value in STRANGE:
            broken = settings(changed(good(name), {f"{section}.{key}": value}, []))
            mended, edits = repair(broken)
            if edits:
                text = yaml.safe_dump(broken.data, sort_keys=False)
                assert same(yaml.safe_load(repaired(text, edits)), mended.data), (key, value)


@pytest.mark.parametrize("value", STRANGE)
def test_no_section_is_too_strange(value: object) -> None:
    for section in ("model_parameters", "input_parameters", "nothing", True):
        repair(settings({**good("mapped"), section: value}))
