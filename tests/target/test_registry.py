"""The catalogue of marches: plugins are found by entry point, and a broken or doubled one is named."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from surgery.errors import InputError
from surgery.target import aliases, load_target, march_names, registry

NPU = "march: my-npu\naliases: [NPU 1]\nsources: {s: {where: w, trust: own}}\nops: {Relu: {device: bpu, source: s}}\n"
MODULE = "from pathlib import Path\nNPU = Path(__file__).parent / 'npu.yaml'\nNOWHERE = 'nowhere.yaml'\n"


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """The catalogue is read once; each test reads its own."""
    caches = (registry._entries, registry.path_of, registry._names_of, load_target)
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a package ``chips_of_a_test``, of a distribution ``plugin 2.0`` on the path."""
    package, info = tmp_path / "chips_of_a_test", tmp_path / "plugin-2.0.dist-info"
    for folder in (package, info):
        folder.mkdir()
    (package / "__init__.py").write_text(MODULE)
    (package / "npu.yaml").write_text(NPU)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 2.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield package
    sys.modules.pop("chips_of_a_test", None)


def declare(package: Path, *lines: str) -> None:
    (package.parent / "plugin-2.0.dist-info" / "entry_points.txt").write_text(
        "\n".join([f"[{registry.GROUP}]", *lines, ""])
    )


@pytest.mark.parametrize("value", ["chips_of_a_test:npu.yaml", "chips_of_a_test:NPU"])
def test_a_march_of_a_plugin(plugin: Path, value: str) -> None:
    declare(plugin, f"my-npu = {value}")
    assert "my-npu" in march_names()
    assert aliases()["npu 1"] == "my-npu"
    for name in ("my-npu", "My-NPU", "npu 1"):
        assert load_target(name).path == plugin / "npu.yaml"


def test_a_march_of_a_plugin_is_checked_as_a_file_of_a_user(plugin: Path) -> None:
    declare(plugin, "my-npu = chips_of_a_test:npu.yaml")
    (plugin / "npu.yaml").write_text(NPU.replace("source: s}", "source: s, limits: [{param: rnk, max: 1}]}"))
    with pytest.raises(InputError, match=r"npu.yaml:4: ops.Relu.limits.0.param: unknown name 'rnk'"):
        load_target("my-npu")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("my-npu = no_such_package:npu.yaml", "cannot be found: ModuleNotFoundError"),
        ("my-npu = chips_of_a_test:CHIP", "cannot be found: AttributeError"),
        ("my-npu = chips_of_a_test:NOWHERE", "is in no YAML file on disk (nowhere.yaml)"),
        ("my-npu = chips_of_a_test:other.yaml", "is in no YAML file on disk"),
        ("another = chips_of_a_test:npu.yaml", "calls itself 'my-npu'"),
    ],
)
def test_a_broken_plugin_is_named(plugin: Path, line: str, message: str) -> None:
    declare(plugin, line)
    with pytest.raises(InputError) as error:
        load_target(line.split(maxsplit=1)[0])
    told = str(error.value)
    assert "of plugin 2.0: the march" in told
    assert message in told
    assert "reinstall or remove it" in told


def test_a_shipped_name_has_one_owner(plugin: Path) -> None:
    declare(plugin, "bayes-e = chips_of_a_test:npu.yaml")
    with pytest.raises(InputError, match=r"'bayes-e' comes with surgery, and chips_of_a_test:npu.yaml of plugin 2.0"):
        march_names()


def test_two_owners_of_a_name_are_both_named(plugin: Path) -> None:
    declare(plugin, "my-npu = chips_of_a_test:npu.yaml", "my-npu = chips_of_a_test:NPU")
    with pytest.raises(InputError, match=r"two packages define the march 'my-npu': chips_of_a_test:npu.yaml of plugin"):
        march_names()


def test_a_board_has_one_march(plugin: Path) -> None:
    declare(plugin, "my-npu = chips_of_a_test:npu.yaml")
    (plugin / "npu.yaml").write_text(NPU.replace("NPU 1", "x5"))
    with pytest.raises(InputError, match="'x5' is a name of two marches, bayes-e and my-npu"):
        load_target("X5")
