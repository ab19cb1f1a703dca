"""The versions that a model's header states."""

from __future__ import annotations

import onnx

from surgery.ir import Model
from surgery.ir.edit import Editor


def set_versions(model: Model, opset: int, ir_version: int, editor: Editor) -> None:
    """State ``opset`` and ``ir_version``; imports of domains that no node uses are left out. Undoable."""
    old, new = model.header, onnx.ModelProto()
    new.CopyFrom(old)
    used = {node.domain for graph in model.graphs() for node in graph.nodes if not node.is_onnx}
    imports = [onnx.helper.make_opsetid(name, version) for name, version in model.opsets.items() if name in used]
    del new.opset_import[:]
    new.opset_import.extend([onnx.helper.make_opsetid("", opset), *imports])
    new.ir_version = ir_version
    editor.record(lambda: setattr(model, "header", old))
    model.header = new
