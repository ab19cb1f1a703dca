"""Small models of ranks other than 4, between functions that no rule touches."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import numpy_helper

from passes.rank import NormaliseRank
from surgery.ir import Model
from tests.support import Applied, apply_pass, proto_of


def net(body: str, x: str, y: str, opset: int = 13, **constants: Any) -> Model:
    """A model of nodes from x to y; constants are arrays, lists of int64, or the shape of random floats."""
    proto = proto_of(f"g (float{x} x) => (float{y} y) {{ {body} }}", opset=opset, ir_version=8)
    rng = np.random.default_rng(0)
    for name, value in constants.items():
        if isinstance(value, tuple):
            array = rng.standard_normal(value).astype(np.float32)
        else:
            array = np.array(value, np.int64) if isinstance(value, (list, int)) else value
        proto.graph.initializer.append(numpy_helper.from_array(array, name))
    return Model.load(proto)


def run(model: Model, march: str = "bayes-e", **options: Any) -> Applied:
    """The pass, judged by onnxruntime."""
    return apply_pass(model, NormaliseRank(), march, **options)


def moved(x: list[int], shape: list[int], perm: list[int], after: list[int], **more: Any) -> Model:
    """Reshape, Transpose, Reshape; ``w`` are weights to spare."""
    body = f"a = Mul (x, w)  r = Reshape (a, k)  t = Transpose <perm = {perm}> (r)  y = Reshape (t, l)"
    held = {"w": np.full((64, 64, 1, 1), 1.5, np.float32)[:1, :1]} | more
    return net(body, str(x), str(after), k=shape, l=after, **held)
