"""The ``surgery`` command: one file per verb, no logic. Nothing here imports onnx, onnxruntime or numpy early."""

from __future__ import annotations

from surgery.cli.app import main

__all__ = ["main"]
