"""Which line of which file, and which sub-module, an exported node came from."""

from __future__ import annotations

import ast
import linecache
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from surgery.training import exporters
from surgery.training.torches import need

if TYPE_CHECKING:
    from surgery.ir import Node

SCOPES = "pkg.torch.onnx.name_scopes"
"""The metadata in which the exporter of ``torch.export`` keeps the paths of the modules around a node."""

_DYNAMO = re.compile(r'^ *File "(.+)", line (\d+), in ', re.MULTILINE)
_LEGACY = re.compile(r"^(.+)\((\d+)\): ", re.MULTILINE)


class Location(NamedTuple):
    """A line of code; ``file`` and ``line`` are None where none of the user's is known."""

    file: str | None = None
    line: int | None = None

    @property
    def text(self) -> str:
        """The line as it is in the file, "" where it cannot be read."""
        return linecache.getline(self.file, self.line).strip() if self.file and self.line else ""


def location(node: Node) -> Location:
    """The innermost line that is neither torch's nor of this package."""
    library = str(Path(need("torch").__path__[0]))
    inner = (frame for frame in _frames(node) if not str(frame.file).startswith(library))
    return next(inner, Location())


def _frames(node: Node) -> Iterator[Location]:
    """The stack within the module's ``forward``, innermost first."""
    told = node.metadata.get(exporters.LOCATION, "")
    found = _DYNAMO.findall(told)[::-1] if told else _LEGACY.findall(node.doc_string)
    for file, line in found:
        if Path(file) == Path(exporters.__file__):
            return
        yield Location(file, int(line))


def module_path(node: Node, known: Collection[str]) -> str:
    """The path of the sub-module that a node belongs to: the innermost of its scopes that is among ``known``."""
    if SCOPES in node.metadata:
        scopes = ast.literal_eval(node.metadata[SCOPES])
        return next((scope for scope in reversed(scopes) if scope in known), "")
    path, last = "", ""
    for scope in node.name.split("/")[1:-1]:
        # TorchScript calls the members of a container by the container's name: /layer/layer.0/conv
        outer = path.removesuffix(last) if last and scope.startswith(f"{last}.") else f"{path}." if path else ""
        if outer + scope not in known:
            break
        path, last = outer + scope, scope
    return path
