"""The examples of README and docs/ are run: Python blocks as they are, console blocks line by line."""

from __future__ import annotations

import doctest
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT

FENCE = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LOOSE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(kind: str) -> list[tuple[Path, str]]:
    """The fenced blocks of one kind, with their page."""
    return [(page, text) for page in PAGES for lang, text in FENCE.findall(page.read_text("utf-8")) if lang == kind]


def name(block: object) -> str:
    return str(block.relative_to(ROOT)) if isinstance(block, Path) else str(block).splitlines()[0][:40]


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Command and expected output of each ``$`` line."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)
    assert not parts[0].strip(), "a console block begins with a command"
    for part in parts[1:]:
        command, _, output = part.partition("\n")
        yield command, output


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the shipped models and the examples of the documentation in it."""
    for folder in ("models", "docs/examples"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("page", "code"), blocks("python"), ids=name)
def test_python_examples_run(page: Path, code: str, desk: Path) -> None:
    example = desk / f"{page.stem}.py"
    example.write_text(code, "utf-8")
    runpy.run_path(str(example), run_name="__main__")


@pytest.mark.parametrize(("page", "block"), blocks("console"), ids=name)
@pytest.mark.usefixtures("desk")
def test_console_examples_print_what_they_show(page: Path, block: str) -> None:
    checker = doctest.OutputChecker()
    for command, expected in commands(block):
        found = _run(command)
        assert checker.check_output(expected, found, LOOSE), f"{page.name}: $ {command}\n{found}"


def _run(command: str) -> str:
    words = shlex.split(command)
    if words[0] == "echo" and words[1] == "$?":
        raise AssertionError("say exit codes in prose")
    assert words[0] == "surgery", f"only surgery is run here, not {words[0]}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "surgery", *words[1:]], capture_output=True, text=True, env=environment, check=False
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "script",
    [
        "doc_passes.py",
        "doc_marches.py",
        "gain_table.py",
        "heads_table.py",
        "efficiency_table.py",
        "compare_removal.py",
        "config_corpus.py",
    ],
)
def test_pages_that_scripts_write_are_current(script: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / script), "--check"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
