"""Values of the form ``NAME=…``, read into what the Python API takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from surgery.errors import InputError
from surgery.ir.sizes import read_sizes

V = TypeVar("V")


def shapes(texts: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """``--input-shape`` values by input name.

    >>> shapes(["x=1x3x640x640", "n=1"])
    {'x': (1, 3, 640, 640), 'n': (1,)}
    """
    return _named("--input-shape", texts, read_sizes, "NAME=1x3x640x640")


def ranges(texts: Iterable[str]) -> dict[str, tuple[float, float]]:
    """``--input-range`` values by input name.

    >>> ranges(["x=-1:1"])
    {'x': (-1.0, 1.0)}
    """
    return _named("--input-range", texts, _range, "NAME=lo:hi")


def budget(texts: Iterable[str]) -> dict[str, float]:
    """``--budget`` values by metric.

    >>> budget(["cosine=0.999"])
    {'cosine': 0.999}
    """
    return _named("--budget", texts, float, "METRIC=BOUND")


def settings(texts: Iterable[str]) -> dict[str, str]:
    """``--set`` values by ``PASS.FIELD``, not yet converted.

    >>> settings(["clamp-conv-channels.mode=pad"])
    {'clamp-conv-channels.mode': 'pad'}
    """
    return _named("--set", texts, str, "PASS.FIELD=VALUE", first=True)


def texts(option: str, given: Iterable[str], form: str) -> dict[str, str]:
    """Values of ``option`` by input name.

    >>> texts("--input-type", ["x=nv12"], "NAME=nv12")
    {'x': 'nv12'}
    """
    return _named(option, given, str, form)


def _named(
    option: str, texts: Iterable[str], read: Callable[[str], V], form: str, *, first: bool = False
) -> dict[str, V]:
    found: dict[str, V] = {}
    for text in texts:
        name, equals, value = text.partition("=") if first else text.rpartition("=")
        if not (name and equals):
            raise InputError(f"{text!r} has not the form {form}", where=option)
        if name in found:
            raise InputError(f"{name!r} is given twice", where=option)
        try:
            found[name] = read(value)
        except ValueError as error:
            raise InputError(f"{text!r} has not the form {form}", where=option) from error
    return found


def _range(text: str) -> tuple[float, float]:
    low, high = (float(end) for end in text.split(":"))
    return low, high


@dataclass(frozen=True)
class Told:
    """What ``calibrate`` is given: tables, profiles by model, and models without any."""

    tables: tuple[Path, ...]
    profiles: dict[Path, list[Path]]
    models: tuple[Path, ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every file."""
        told = (file for files in self.profiles.values() for file in files)
        return (*self.tables, *self.profiles, *told, *self.models)


def measured(texts: Iterable[str]) -> Told:
    """Tables, ``MODEL=FILE`` and models apart; a file whose own name has an equals sign in it is that file.

    >>> told = measured(["t.csv", "m.onnx=a.json", "m.onnx=b.json", "n.onnx"])
    >>> [str(path) for path in told.paths]
    ['t.csv', 'm.onnx', 'a.json', 'b.json', 'n.onnx']
    """
    tables, models, profiles = list[Path](), list[Path](), dict[Path, list[Path]]()
    for text in texts:
        model, equals, file = text.partition(".onnx=")
        if equals and not Path(text).exists():
            profiles.setdefault(Path(f"{model}.onnx"), []).append(Path(file))
        else:
            (models if text.endswith(".onnx") else tables).append(Path(text))
    return Told(tuple(tables), profiles, tuple(models))
