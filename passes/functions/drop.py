"""Functions that nothing calls leave the model."""

from __future__ import annotations

import onnx

from passes.functions.calls import reach
from surgery.ir import Graph, Model
from surgery.ir.edit import Editor
from surgery.ir.function import Key, functions
from surgery.pipeline import PassRun
from surgery.rewrite import Event, Stats
from surgery.rewrite.rewriter import Change

DROP = "drop-function"


def drop_uncalled(run: PassRun, stats: Stats) -> None:
    """Take out the functions that nothing calls, and the imports of their domains that nobody else uses."""
    model, known = run.model, list(functions(run.model))
    called = reach(model.graph, functions(model))
    gone = [name for name in known if name not in called]
    if not gone:
        return
    kept = [i for i, name in enumerate(known) if name in called]
    bodies = [model.functions[i] for i in kept]
    _assign(run.rw.editor, model, _header(model, kept, _idle(model.graph, bodies, gone)), bodies)
    for _, op, _ in gone:
        stats.matched += 1
        stats.applied += 1
        stats.fired[DROP] += 1
        stats.edits.append(Change(DROP, (op,), ()))
        if run.trace:
            stats.events.append(Event(DROP, op, op, "applied"))


def _idle(main: Graph, bodies: list[Graph], gone: list[Key]) -> set[str]:
    """The domains among those of ``gone`` that no node is of any more."""
    used = {n.domain for root in (main, *bodies) for graph in root.walk() for n in graph.nodes}
    return {domain for domain, _, _ in gone if domain} - used


def _header(model: Model, kept: list[int], idle: set[str]) -> onnx.ModelProto:
    header = onnx.ModelProto()
    header.CopyFrom(model.header)
    del header.functions[:], header.opset_import[:]
    header.functions.extend(model.header.functions[i] for i in kept)
    header.opset_import.extend(o for o in model.header.opset_import if o.domain not in idle)
    return header


def _assign(editor: Editor, model: Model, header: onnx.ModelProto, bodies: list[Graph]) -> None:
    old = (model.header, model.functions)
    model.header, model.functions = header, bodies

    def undo() -> None:
        model.header, model.functions = old

    editor.record(undo)
