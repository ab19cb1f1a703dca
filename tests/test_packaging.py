"""What is installed: dependencies, entry points, package data, import contracts, documents."""

from __future__ import annotations

import configparser
import importlib
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CODE = ("surgery", "passes")


def _setup() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config


def _lines(section: str, key: str) -> list[str]:
    return _setup()[section][key].strip().splitlines()


PASSES = dict(line.split(" = ") for line in _lines("options.entry_points", "surgery.passes"))


def test_every_dependency_is_bounded() -> None:
    bounded = re.compile(r"[\w.-]+ >=\d[\d.]*, <\d[\d.]*")
    assert [line for line in _lines("options", "install_requires") if not bounded.fullmatch(line)] == []


def test_the_console_script_and_python_m_run_the_same_main() -> None:
    assert _lines("options.entry_points", "console_scripts") == ["surgery = surgery.cli:main"]
    assert "from surgery.cli import main\n\nmain()" in (ROOT / "surgery" / "__main__.py").read_text()
    assert callable(importlib.import_module("surgery.cli").main)


@pytest.mark.parametrize("name", PASSES)
def test_entry_points_name_passes_by_their_own_name(name: str) -> None:
    module, _, cls = PASSES[name].partition(":")
    assert getattr(importlib.import_module(module), cls).name == name


def _sources() -> set[str]:
    """Every file of the two packages that is not a by-product, relative to the root."""
    files = (file for package in CODE for file in (ROOT / package).rglob("*") if file.is_file())
    return {str(file.relative_to(ROOT)) for file in files if "__pycache__" not in file.parts}


def test_the_wheel_holds_every_file(tmp_path: Path) -> None:
    for name in (*CODE, "setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, tmp_path / name)
    build = "from setuptools.build_meta import build_wheel; build_wheel('dist')"
    subprocess.run([sys.executable, "-c", build], cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert _sources() - set(archive.namelist()) == set()


def _lay_out(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        for package in file.relative_to(root).parents[:-1]:
            (root / package / "__init__.py").touch()
        file.write_text(text)


LAYERS = (
    "cli", "api", "host", "tradeoff", "report", "pipeline", "channels", "cost", "drift", "rewrite", "target", "ir",
)  # fmt: skip
BREACHES = {
    "Arrows point one way": ("surgery/ir/a.py", "import surgery.target"),
    "channels, rewrite and drift stand on ir alone": ("surgery/channels/a.py", "import surgery.target"),
    "The core knows no pass": ("surgery/pipeline/a.py", "import passes.fold"),
    "A pass imports no other pass": ("passes/noops/a.py", "from passes import fold"),
    "Passes see costs, numbers and reports through their context only": ("passes/fold/a.py", "import surgery.cost"),
    "onnx-graphsurgeon is behind one adapter": ("surgery/ir/b.py", "import onnx_graphsurgeon"),
}


def _broken(root: Path, files: dict[str, str]) -> set[str]:
    """Names of the import contracts that a tree of empty modules and ``files`` breaks."""
    empty = {f"surgery/{layer}/__init__.py": "" for layer in LAYERS} | dict.fromkeys(
        ["surgery/errors.py", "passes/fold/__init__.py", "passes/noops/__init__.py"], ""
    )
    _lay_out(root, empty | {"surgery/ir/graph.py": "import onnx_graphsurgeon"} | files)
    shutil.copy2(ROOT / "setup.cfg", root)
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run([sys.executable, "-c", command], cwd=root, check=False, capture_output=True, text=True)
    verdicts = dict(re.findall(r"^(.+) (KEPT|BROKEN)\b", done.stdout, re.MULTILINE))
    assert set(verdicts) == set(BREACHES), done.stdout + done.stderr
    return {name for name, verdict in verdicts.items() if verdict == "BROKEN"}


def test_import_contracts_see_every_breach(tmp_path: Path) -> None:
    pytest.importorskip("importlinter")
    assert _broken(tmp_path / "sound", {}) == set()
    assert _broken(tmp_path / "broken", dict(BREACHES.values())) == set(BREACHES)


def test_ci_runs_lint_demo_witness_and_test() -> None:
    steps = re.findall(r"^step (\w+)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert steps == ["setup", "lint", "demo", "witness", "test"]


@pytest.mark.parametrize("name", ["README.md", "LICENSE", "CONTRIBUTING.md", "CHANGELOG.md", "models/README.md"])
def test_documents_are_there(name: str) -> None:
    assert len((ROOT / name).read_text()) > 500
