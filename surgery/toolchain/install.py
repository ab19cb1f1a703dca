"""Where the toolchain is: a folder that was named, the environment variable, or the usual places."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

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
    """One environment that holds the toolchain: ``root/bin/python`` and ``root/bin/hb_mapper``."""

    root: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.root / "bin" / "python"

    @property
    def complete(self) -> bool:
        """Whether interpreter and tool are there; whether they work, only running them tells."""
        return all(os.access(self.root / "bin" / name, os.X_OK) for name in ("python", "hb_mapper", "hbdk-cc"))

    @cached_property
    def packages(self) -> dict[str, str]:
        """Versions of the installed packages that decide results, by name; part of every cache key."""
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


def usual_places() -> Iterator[Path]:
    """Where an installation is looked for when none is named."""
    return (Path(place).expanduser() for place in _PLACES)


def _checked(root: Path) -> Installation:
    found = Installation(root.expanduser())
    if not found.complete:
        raise WitnessError(
            "no installation of the vendor's toolchain (bin/python, bin/hb_mapper, bin/hbdk-cc)",
            where=str(root),
            hint=f"surgery witness setup {root} installs it",
        )
    return found
