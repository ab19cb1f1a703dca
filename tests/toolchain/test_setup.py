"""Installing: what can fail is said before anything is written."""

from __future__ import annotations

import shutil
import subprocess
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from surgery.toolchain import Installation, WitnessError, setup
from surgery.toolchain.setup import Plan
from tests.toolchain.fake import install

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - what shutil returns


class Commands:
    """Stands for ``subprocess.run``: fails for commands that hold a word."""

    def __init__(self, failing: str = "", makes: Path | None = None) -> None:
        self.failing, self.makes, self.seen = failing, makes, list[str]()

    def __call__(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        line = " ".join(command)
        self.seen.append(line)
        if self.makes is not None:
            self.makes.mkdir(exist_ok=True)
        failed = bool(self.failing) and self.failing in line
        return subprocess.CompletedProcess(command, int(failed), "", "ERROR: No matching distribution\nmore\n")


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> Commands:
    commands = Commands()
    monkeypatch.setattr(subprocess, "run", commands)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 100 << 30))
    return commands


@pytest.mark.usefixtures("ready")
def test_plan(tmp_path: Path) -> None:
    assert setup.plan(tmp_path / "new") == Plan(tmp_path / "new", "python3.10")
    assert not (tmp_path / "new").exists()


@pytest.mark.usefixtures("ready")
def test_no_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(WitnessError, match=r"no CPython 3\.10"):
        setup.plan(tmp_path)


def test_a_python_without_venv(ready: Commands, tmp_path: Path) -> None:
    ready.failing = "import ensurepip"
    with pytest.raises(WitnessError, match=r"no CPython 3\.10 with venv"):
        setup.plan(tmp_path)


@pytest.mark.usefixtures("ready")
def test_no_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 1 << 30))
    with pytest.raises(WitnessError, match=r"1\.1 GB free, 7\.5 GB are needed"):
        setup.plan(tmp_path / "a" / "b")


def test_no_network(ready: Commands, tmp_path: Path) -> None:
    ready.failing = "pip download"
    with pytest.raises(WitnessError, match="cannot be downloaded: No matching distribution"):
        setup.plan(tmp_path)


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize(("system", "machine"), [("darwin", "x86_64"), ("linux", "aarch64")])
def test_other_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str, machine: str) -> None:
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    with pytest.raises(WitnessError, match=f"x86-64 Linux, not on {machine} {system}"):
        setup.plan(tmp_path)


def test_install(ready: Commands, tmp_path: Path) -> None:
    told: list[str] = []
    setup.install(Plan(tmp_path / "new", "python3.10"), told.append)
    assert told == ready.seen
    assert told[0] == f"python3.10 -m venv {tmp_path}/new"
    assert told[1].endswith("rdkx5-yolo-mapper setuptools<70")


@pytest.mark.parametrize("fresh", [True, False])
def test_half_an_installation_goes_unless_it_was_there(ready: Commands, tmp_path: Path, *, fresh: bool) -> None:
    folder = tmp_path / "new"
    if not fresh:
        folder.mkdir()
    ready.failing, ready.makes = "pip install", folder
    with pytest.raises(WitnessError, match="the installation failed: No matching distribution"):
        setup.install(Plan(folder, "python3.10"), lambda _: None)
    assert folder.exists() is not fresh


@pytest.mark.parametrize("fresh", [True, False])
def test_an_interrupt_leaves_no_half_installation(
    ready: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, fresh: bool
) -> None:
    folder = tmp_path / "new"
    if not fresh:
        folder.mkdir()

    def interrupted(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        if "pip" in command:
            raise KeyboardInterrupt
        return ready(command, **options)

    ready.makes = folder
    monkeypatch.setattr(subprocess, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        setup.install(Plan(folder, "python3.10"), lambda _: None)
    assert folder.exists() is not fresh


@pytest.mark.usefixtures("ready")
def test_a_repair_needs_no_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 1 << 20))
    assert setup.plan(install(tmp_path / "there")).folder == tmp_path / "there"


def test_inspect(tmp_path: Path) -> None:
    found = setup.inspect(Installation(install(tmp_path / "tool")))
    assert found["marches"] == "bernoulli2, bayes, bayes-e"


def test_inspect_names_what_is_broken(tmp_path: Path) -> None:
    with pytest.raises(WitnessError, match="no pkg_resources"):
        setup.inspect(Installation(install(tmp_path / "tool", broken=True)))
