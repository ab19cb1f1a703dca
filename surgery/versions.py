"""What decides the numbers of a run besides the model and the options."""

from __future__ import annotations

import platform
from importlib.metadata import version


def versions() -> dict[str, str]:
    """Versions of Python, of this tool and of the libraries that compute for it."""
    libraries = ("surgery", "onnx", "onnxruntime", "numpy", "onnx-graphsurgeon")
    return {"python": platform.python_version(), **{name: version(name) for name in libraries}}
