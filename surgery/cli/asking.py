"""``--witness [DIR]``: an option whose value may be left out, which the parser by itself cannot read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from typer.core import TyperCommand

FLAG, AUTO = "--witness", "auto"


class Asking(TyperCommand):
    """A verb that reads a ``--witness`` without a folder as ``--witness auto``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Complete the option, and parse."""
        return super().parse_args(ctx, completed(args))


def completed(args: list[str]) -> list[str]:
    """``args`` with the value of every ``--witness`` that has none.

    A value is a folder with a ``bin``, a YAML file, or auto.

    >>> completed(["--witness", "model.onnx"]), completed(["m.onnx", "--witness"])
    (['--witness', 'auto', 'model.onnx'], ['m.onnx', '--witness', 'auto'])
    """
    done: list[str] = []
    for at, word in enumerate(args):
        done.append(word)
        following = args[at + 1] if at + 1 < len(args) else "-"
        if word == FLAG and not _is_place(following):
            done.append(AUTO)
    return done


def _is_place(word: str) -> bool:
    return word == AUTO or (Path(word) / "bin").is_dir() or word.endswith((".yaml", ".yml"))
