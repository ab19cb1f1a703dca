"""Host code of a run: its three files, checked against the graphs it was printed from, and written together."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from surgery.drift.metrics import Array
from surgery.errors import DefectError, InputError
from surgery.host.check import difference
from surgery.host.manifest import HostDocument, head_documents, side_document
from surgery.host.names import comment, identifier
from surgery.host.program import Program, Side, read_program
from surgery.host.source import functions_of, printed
from surgery.ir import Model
from surgery.ir.session import open_session
from surgery.pipeline.heads import Head
from surgery.pipeline.iomap import as_model
from surgery.pipeline.view import folded
from surgery.report.base import ModelRef
from surgery.report.write import check_writable, write_text

if TYPE_CHECKING:
    from surgery.pipeline.result import RunResult


@dataclass(frozen=True)
class HostCode:
    """The generated files.

    Attributes:
        name: of the files without suffix, and of the C++ namespace: an identifier.
        python, cpp: source.
        manifest: the document beside them.
    """

    name: str
    python: str
    cpp: str
    manifest: HostDocument

    @property
    def files(self) -> dict[str, str]:
        """Content by name of file; a name is an identifier and a suffix, so that none leaves its folder."""
        return {
            f"{self.name}.py": self.python,
            f"{self.name}.hpp": self.cpp,
            f"{self.name}.json": self.manifest.to_json(),
        }

    def save(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write the files into ``folder``, which is made if its parent is there; each is whole or not there.

        Raises:
            InputError: the folder cannot be made or written.
        """
        place = Path(folder)
        check_folder(place)
        place.mkdir(exist_ok=True)
        for name, text in self.files.items():
            write_text(text, place / name)
        return [place / name for name in self.files]

    def functions(self) -> Mapping[str, Callable[..., Any]]:
        """``prologue``, ``epilogue`` and (where it is there) ``detect`` of the Python module, ready to call."""
        return functions_of(self.python)


def check_folder(folder: Path) -> None:
    """InputError unless files can be made in ``folder``, which may have to be made in its parent."""
    if folder.exists() and not folder.is_dir():
        raise InputError("is a file, a folder is needed", where=str(folder))
    check_writable((folder if folder.is_dir() else folder.parent) / "host_code")


def host_code(result: RunResult, name: str) -> HostCode:
    """The host code of what moved out of the model in ``result``, checked on its samples.

    Args:
        result: of a run, whatever it took off the model.
        name: from which the names of files and namespace are made.

    Raises:
        NoEmitter: an operator that moved is not printed; nothing is left out silently.
        DefectError: the generated module does not compute what the graphs do.
    """
    called = f"{identifier(name)}_host"
    graphs = _graphs(result)
    io, model = result.io, result.model
    wanted = {
        "prologue": [t.name for t in model.graph.inputs],
        "epilogue": list(io.outputs) if io else [t.name for t in model.graph.outputs],
    }
    sides: tuple[Side, ...] = ("prologue", "epilogue")
    programs = [read_program(side, graphs.get(side), wanted[side]) for side in sides]
    about = [f"Host code of {comment(str(result.original.path or 'a model'))} for {comment(result.target.name)}."]
    about.append("Written by surgery: what it took off the model, for the host to compute.")
    heads = _heads(result)
    source = printed(programs, called, about, heads)
    manifest = HostDocument(
        model=ModelRef.of(result.original),
        march=result.target.name,
        opset=model.opset,
        python=f"{called}.py",
        cpp=f"{called}.hpp",
        namespace=called,
        prologue=side_document(programs[0]),
        epilogue=side_document(programs[1]),
        heads=head_documents(heads),
        detect=source.detects,
    )
    code = HostCode(called, source.python, source.cpp, manifest)
    _check(code, graphs, programs, result)
    return code


def _heads(result: RunResult) -> list[Head]:
    """The heads whose tensors are outputs still: what a later pass took off is told by its operators alone."""
    names = {t.name for t in result.model.graph.outputs}
    heads = result.io.heads if result.io else ()
    return [head for head in heads if names.issuperset(part.tensor for part in head.parts)]


def _graphs(result: RunResult) -> dict[str, Model | None]:
    """Both sides as models with their constants folded; None where nothing moved."""
    io, opset = result.io, result.model.opset
    graphs = {"prologue": io.prologue, "epilogue": io.epilogue} if io else {}
    return {side: folded(as_model(graph, opset)) if graph.node else None for side, graph in graphs.items()}


def _check(code: HostCode, graphs: Mapping[str, Model | None], programs: list[Program], result: RunResult) -> None:
    """Run the module beside onnxruntime on what the run was verified on: original inputs, and the model's outputs."""
    samples = result.inputs.samples[:1] if result.inputs else []
    functions = code.functions()
    for sample in samples:
        fed = _compared(functions["prologue"], graphs.get("prologue"), programs[0], sample)
        made = open_session(result.model).run(fed)
        _compared(functions["epilogue"], graphs.get("epilogue"), programs[1], made)


def _compared(
    function: Callable[..., Mapping[str, Array]], model: Model | None, program: Program, tensors: Mapping[str, Array]
) -> Mapping[str, Array]:
    """What the module computes, once it was found to be what onnxruntime computes from the graph."""
    found = function(tensors)
    if model is None:
        return found
    feeds = {slot.name: np.ascontiguousarray(tensors[slot.name]) for slot in program.inputs}
    known = open_session(model).run(feeds)
    if wrong := difference(program, known, found):
        raise DefectError(f"the generated {program.side} does not compute what its graph does: {wrong}")
    return found
