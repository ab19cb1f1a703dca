"""What many tests need: models from ONNX text."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx.parser

from surgery.ir import Model

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


def proto_of(text: str, *, opset: int = 17, ir_version: int = 8) -> onnx.ModelProto:
    """The ModelProto of ONNX text; the model header is added when the text starts with the graph."""
    if not text.lstrip().startswith("<"):
        text = f'<ir_version: {ir_version}, opset_import: ["": {opset}]> {text}'
    return onnx.parser.parse_model(text)


def model_of(text: str, *, opset: int = 17, ir_version: int = 8) -> Model:
    """The loaded model of ONNX text."""
    return Model.load(proto_of(text, opset=opset, ir_version=ir_version))
