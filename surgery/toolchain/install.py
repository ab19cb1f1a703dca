"""Where the toolchain is: a folder that was named, the environment variable, or the usual places."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

from surgery.toolchain.worker import WitnessError

VARIABLE = "SURGERY_WITNESS"
"""Environment variable with the folder of an installation."""
MARCHES = ("bernoulli2", "bayes", "bayes-e")
"""The marches of ``hb_mapper``, by the names that its ``--march`` takes."""
AUTO = "auto"
_PLACES = ("/opt/witness", "~/.local/share/surgery/witness")
_TELLING = re.compile(r"(rdkx5_yolo_mapper|horizon_\w+|hbdk\w*|hmct|onnx|onnxruntime|numpy)-(\d[^-]*)\.dist-info")


@dataclass(frozen=True)
class Installation:
    """One environment that holds the toolchain.

    Attributes:
        root: its folder, with ``bin/python`` and ``bin/hb_mapper``; or the configuration file.
        command: what starts its interpreter, when that is not ``bin/python``.
        folder: where the files of a run are put; the system's temporary folder when None.
    """

    root: Path
    command: tuple[str, ...] = ()
    folder: Path | None = None

    @property
    def python(self) -> tuple[str, ...]:
        """The command that starts its interpreter."""
        return self.command or (str(self.root / "bin" / "python"),)

    @property
    def complete(self) -> bool:
        """Whether interpreter and tool are there; whether they work, only running them tells."""
        return all(os.access(self.root / "bin" / name, os.X_OK) for name in ("python", "hb_mapper", "hbdk-cc"))

    @cached_property
    def packages(self) -> dict[str, str]:
        """Versions of the installed packages that decide results, by name; part of every cache key."""
        if self.command:
            return {"command": " ".join(self.command)}
        folders = (entry.name for place in self.root.glob("lib/python3*/site-packages") for entry in place.iterdir())
        found = (_TELLING.fullmatch(name) for name in folders)
        return dict(sorted((hit[1], hit[2]) for hit in found if hit))


def find(place: str | os.PathLike[str] | None = AUTO) -> Installation:
    """The installation at ``place``; for ``auto``, that of ``SURGERY_WITNESS`` or of the usual places.

    Raises:
        WitnessError: there is none.
    """
    if place is not None and str(place) != AUTO:
        return _checked(Path(place))
    if named := os.environ.get(VARIABLE):
        return _checked(Path(named))
    for usual in usual_places():
        if (found := Installation(usual)).complete:
            return found
    looked = ", ".join(map(str, usual_places()))
    raise WitnessError(
        f"the vendor's toolchain is not installed (looked at ${VARIABLE}, {looked})",
        hint="surgery witness setup DIR installs it, --witness DIR names one",
    )


def need_march(march: str) -> None:
    """Raise WitnessError for a march that the toolchain does not know."""
    if march not in MARCHES:
        raise WitnessError(f"this toolchain does not know march {march!r}, only {', '.join(MARCHES)}")


def _configured(file: Path) -> Installation:
    """The installation of a configuration file: ``command``, a list of words, and ``folder``, which both sides see."""
    said = yaml.safe_load(file.read_text())
    if not isinstance(said, dict) or set(said) - {"command", "folder"} or not isinstance(said.get("command"), list):
        hint = "command: [docker, exec, -i, NAME, python3] and folder: a folder mounted there under the same path"
        raise WitnessError("not the configuration of a toolchain", where=str(file), hint=hint)
    folder = Path(said["folder"]).expanduser() if said.get("folder") else None
    return Installation(file, tuple(map(str, said["command"])), folder)


def usual_places() -> Iterator[Path]:
    """Where an installation is looked for when none is named."""
    return (Path(place).expanduser() for place in _PLACES)


def _checked(named: Path) -> Installation:
    root = named.expanduser().absolute()  # its interpreter is started in another folder
    if root.suffix in (".yaml", ".yml") and root.is_file():
        return _configured(root)
    found = Installation(root)
    if not found.complete:
        raise WitnessError(
            "no installation of the vendor's toolchain (bin/python, bin/hb_mapper, bin/hbdk-cc)",
            where=str(named),
            hint=f"surgery witness setup {shlex.quote(str(named))} installs it",
        )
    return found
