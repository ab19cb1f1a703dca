"""Several models and several marches in one call: what to work on, in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from surgery.errors import InputError

if TYPE_CHECKING:
    from surgery.ir import Model


@dataclass(frozen=True)
class Job:
    """One model for one march.

    Attributes:
        path: the model's file.
        march: as the user named it: a name or a march file.
        chip: the name of the march.
        alone: whether it is the only job of the call, whose error is the call's.
        place: the path below the folder it was found in; its name when it was named itself.
    """

    path: Path
    march: str
    chip: str
    alone: bool
    place: Path

    @property
    def name(self) -> str:
        """The model and the march, for progress."""
        return f"{self.path} on {self.chip}"

    @property
    def model(self) -> Model:
        """The model, loaded once for all marches; whoever edits it has to copy it."""
        return _load(self.path)


@lru_cache(maxsize=1)
def _load(path: Path) -> Model:
    from surgery.ir import Model

    return Model.load(path)


def jobs(paths: Iterable[Path], marches: Sequence[str], assume: str | None = None) -> list[Job]:
    """Every model, and for each of them every march.

    Raises:
        InputError: an unknown march, or a folder without models, before anything is done.
    """
    from surgery.target import load_target

    chips: dict[str, str] = {}
    for march in marches:
        chips.setdefault(load_target(march, assume).name, march)
    files = expand(paths)
    alone = len(chips) * len(files) == 1
    return [Job(path, march, chip, alone, place) for path, place in files.items() for chip, march in chips.items()]


def need_one(todo: Sequence[Job], path: Path | None, option: str = "--log") -> None:
    """InputError where the value of an option that is about one model on one march is given for several jobs."""
    if path is not None and len(todo) != 1:
        hint = "name one model and one march"
        raise InputError(f"is about one model on one march, not {len(todo)}", where=f"{option} {path}", hint=hint)


def expand(paths: Iterable[Path]) -> dict[Path, Path]:
    """The files named, and for a folder the ``.onnx`` files in it and below, sorted; each with its place.

    Raises:
        InputError: a folder without any.
    """
    files: dict[Path, Path] = {}
    for path in paths:
        inside = sorted(path.rglob("*.onnx")) if path.is_dir() else [path]
        if not inside:
            raise InputError("no .onnx file in this folder", where=str(path))
        files |= {file: file.relative_to(path) if path.is_dir() else Path(file.name) for file in inside}
    return files
