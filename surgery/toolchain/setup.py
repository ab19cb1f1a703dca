"""Installing the toolchain: what can fail is found out before anything is written; then it is tried out."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnx import TensorProto, helper

from surgery.ir import Model
from surgery.toolchain.cache import Cache
from surgery.toolchain.install import MARCHES, Installation
from surgery.toolchain.witness import Witness
from surgery.toolchain.worker import WitnessError

PACKAGE = "rdkx5-yolo-mapper"
REPAIRS = ("setuptools<70",)
"""What newer packages broke: hbdk-config imports pkg_resources, which setuptools dropped."""
NEEDED = 7 << 30
"""Bytes of free disk; the installation takes 6 GB, most of it torch."""
PLAN = f"""\
This downloads {PACKAGE}, the toolchain that D-Robotics publishes (hb_mapper; marches {", ".join(MARCHES)}),
with what it depends on, into a new Python 3.10 environment at {{folder}}: 6 GB, two minutes.
It is proprietary software of its vendor."""


@dataclass(frozen=True)
class Plan:
    """Where to install, and with which interpreter."""

    folder: Path
    python: str


def plan(folder: Path) -> Plan:
    """Check what an installation needs.

    Raises:
        WitnessError: no CPython 3.10, not x86-64 Linux, no space, or the package cannot be reached.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise WitnessError(f"the toolchain runs on x86-64 Linux, not on {platform.machine()} {sys.platform}")
    folder = folder.expanduser().absolute()
    made = Plan(folder, _python())
    if not Installation(folder).complete:  # a repair brings little
        _check_space(folder)
    _check_package(made.python)
    return made


def _python() -> str:
    for name in ("python3.10", *map(str, sorted(Path.home().glob(".pyenv/versions/3.10*/bin/python3.10")))):
        if shutil.which(name) and _says(name, "import ensurepip, venv"):
            return name
    raise WitnessError("no CPython 3.10 with venv, which the toolchain needs", hint="install python3.10 and its venv")


def _says(python: str, program: str) -> bool:
    return subprocess.run([python, "-c", program], capture_output=True, check=False).returncode == 0


def _check_space(folder: Path) -> None:
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if free < NEEDED:
        raise WitnessError(f"{free / 1e9:.1f} GB free, {NEEDED / 1e9:.1f} GB are needed", where=str(there))


def _check_package(python: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        done = _pip(python, "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE)
    if done.returncode != 0:
        raise WitnessError(f"{PACKAGE} cannot be downloaded: {_last(done.stderr)}", hint="is there a network?")


def install(steps: Plan, tell: Callable[[str], None]) -> None:
    """Install, or repair what is there; what is not whole in the end is removed if it was not there before.

    Raises:
        WitnessError: a step failed; the message is its last line.
    """
    fresh = not steps.folder.exists()
    commands = (
        [steps.python, "-m", "venv", str(steps.folder)],
        [str(steps.folder / "bin/python"), "-m", "pip", "install", "--quiet", PACKAGE, *REPAIRS],
    )
    try:
        for command in commands:
            tell(" ".join(command))
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise WitnessError(f"the installation failed: {_last(done.stderr)}", where=str(steps.folder))
    except BaseException:
        if fresh:
            shutil.rmtree(steps.folder, ignore_errors=True)
        raise


def inspect(installation: Installation) -> dict[str, str]:
    """Versions and marches, by compiling a small network for each march.

    Raises:
        WitnessError: it does not start, or does not compile; a known defect is named with its repair.
    """
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder, Witness(installation, Cache(Path(folder))) as witness:
        for march in MARCHES:
            answer = witness.check(smallest(), march)
            if answer.refusal is not None:
                hint = f"surgery witness setup {installation.root} repairs it"
                raise WitnessError(f"it does not work: {answer.refusal.text}", where=str(installation.root), hint=hint)
            found |= answer.versions
    return {**found, "marches": ", ".join(MARCHES)}


def smallest() -> Model:
    """One convolution, which every march takes."""
    taps = helper.make_tensor("w", TensorProto.FLOAT, [8, 8, 1, 1], [0.1] * 64)
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8, 16, 16])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8, 16, 16])
    attributes: dict[str, Any] = {
        "kernel_shape": [1, 1],
        "strides": [1, 1],
        "dilations": [1, 1],
        "pads": [0] * 4,
        "group": 1,
    }
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="conv", **attributes)
    graph = helper.make_graph([node], "smallest", [image], [made], [taps])
    return Model.load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=7))


def _pip(python: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([python, "-m", "pip", *words], capture_output=True, text=True, check=False)


def _last(text: str) -> str:
    lines: Sequence[str] = [line for line in text.strip().splitlines() if line.startswith("ERROR")] or text.splitlines()
    return lines[-1].removeprefix("ERROR: ") if lines else "no message"
