"""The catalogue: passes are found by entry point, imported on use, and a broken plugin is named."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from surgery.errors import InputError
from surgery.pipeline import Pass, registry

PLUGIN = """
from surgery.pipeline import Pass

class Mine(Pass):
    \"\"\"A pass of somebody else.\"\"\"

    name = "mine"

NO_PASS = 3
"""


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """The catalogue is read once; each test reads its own."""
    registry._entries.cache_clear()
    yield
    registry._entries.cache_clear()


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file in which a distribution ``plugin 2.0`` on the path names its passes."""
    (tmp_path / "plugin_of_a_test.py").write_text(PLUGIN)
    (tmp_path / "broken_of_a_test.py").write_text("import no_such_module_at_all\n")
    info = tmp_path / "plugin-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 2.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield info / "entry_points.txt"
    for name in ("plugin_of_a_test", "broken_of_a_test"):
        sys.modules.pop(name, None)


def declare(file: Path, **passes: str) -> None:
    lines = [f"{name.replace('_', '-')} = {value}" for name, value in passes.items()]
    file.write_text("\n".join([f"[{registry.GROUP}]", *lines, ""]))


def refusal(name: str) -> str:
    with pytest.raises(InputError) as caught:
        registry.load(name)
    return str(caught.value)


def test_passes_are_found() -> None:
    assert {"fold-constants", "remove-noops", "strip-io-nodes"} <= set(registry.names())
    assert registry.names() == sorted(registry.names())
    assert issubclass(registry.load("remove-noops"), Pass)


def test_a_plugin_is_found_and_imported_on_use(installed: Path) -> None:
    declare(installed, mine="plugin_of_a_test:Mine")
    assert "mine" in registry.names()
    assert "plugin_of_a_test" not in sys.modules
    assert registry.load("mine").summary() == "A pass of somebody else."


def test_an_unknown_pass_offers_the_nearest() -> None:
    assert "did you mean remove-noops" in refusal("remove-noop")


def test_two_owners_of_a_name_are_both_named(installed: Path) -> None:
    declare(installed, remove_noops="plugin_of_a_test:Mine")
    told = refusal("remove-noops")
    assert "two packages define the pass 'remove-noops'" in told
    assert "plugin_of_a_test:Mine of plugin 2.0" in told
    assert "passes.noops:RemoveNoops" in told


def test_one_entry_found_twice_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """As happens where a project is installed and on the path, too."""
    entry = EntryPoint("mine", "a:B", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda **_: (entry, entry))
    assert registry.names() == ["mine"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("broken_of_a_test:Mine", "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
        ("plugin_of_a_test:Yours", "AttributeError: module 'plugin_of_a_test' has no attribute 'Yours'"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_named(installed: Path, value: str, reason: str) -> None:
    declare(installed, mine=value)
    told = refusal("mine")
    assert told.startswith(f"{value} of plugin 2.0: the pass 'mine' cannot be imported: {reason}")
    assert "remove-noops" in registry.names()
    assert registry.load("remove-noops")


@pytest.mark.parametrize("value", ["plugin_of_a_test:Mine", "plugin_of_a_test:NO_PASS"])
def test_what_is_no_pass_of_that_name_is_refused(installed: Path, value: str) -> None:
    declare(installed, yours=value)
    assert refusal("yours") == f"entry point 'yours' names {value} of plugin 2.0, which is no pass of that name"
