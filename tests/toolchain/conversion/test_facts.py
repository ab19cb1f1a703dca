"""The facts as data: sourced, consistent with each other and with the marches, and the vendor's own files pass."""

from __future__ import annotations

import pytest
import yaml
from pydantic import ValidationError

from surgery.target import march_names
from surgery.toolchain.conversion import TOOLS, Settings, Severity, Tool, lint, read, tool, tool_for, tool_of
from surgery.toolchain.conversion.facts import FOLDER, Advice
from tests.support import SHARED

SAMPLES = SHARED / "reference" / "toolchain" / "samples"


@pytest.mark.parametrize("name", TOOLS)
def test_a_march_is_a_value_of_the_key_and_of_one_tool(name: str) -> None:
    facts = next(tool(one) for one in TOOLS if one == name)
    march = facts.key("march")
    assert march is not None
    assert march.values == tuple(facts.marches)
    assert all(tool_of(one) is facts for one in facts.marches)


def test_every_march_with_a_tool_of_a_file_is_known() -> None:
    assert [name for name in march_names() if tool_of(name) is None] == []


@pytest.mark.parametrize("name", TOOLS)
def test_every_source_is_used(name: str) -> None:
    data = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    said = str(data["keys"])
    assert [source for source in data["sources"] if f"'source': '{source}'" not in said] == []


def test_a_source_that_is_not_there() -> None:
    data = yaml.safe_load((FOLDER / "hb_mapper.yaml").read_text())
    data["keys"]["custom_op"]["custom_op_dir"]["source"] = "hearsay"
    with pytest.raises(ValidationError, match="hearsay"):
        Tool.model_validate(data)


def test_advice_says_what_to_do() -> None:
    with pytest.raises(ValidationError, match="set, drop or fix"):
        Advice(weight="high", text="slow", source="guide")


def test_true_is_no_1_to_advice() -> None:
    advice = Advice(when=(True,), set=False, weight="low", text="slow", source="guide")
    assert advice.applies(True)
    assert not advice.applies(1)


@pytest.mark.shared
def test_files_of_the_vendor_have_no_error() -> None:
    found = {path.name: Settings(data := read(path).data, tool_for(data)) for path in sorted(SAMPLES.glob("*.yaml"))}
    assert found
    for name, settings in found.items():
        assert settings.tool.tool == ("hb_compile" if name.startswith("s100") else "hb_mapper"), name
        assert [one for one in lint(settings) if one.severity is Severity.ERROR] == [], name
