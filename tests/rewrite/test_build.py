"""Builders: one call, written as the model's opset wants it, with the same numbers in each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest

from surgery.ir import Tensor
from surgery.ir.session import open_session
from surgery.rewrite import Rewriter, build
from tests.rewrite.world import world

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4) - 11

Builder = Callable[[Rewriter, Tensor], Tensor]
BUILT: dict[str, tuple[Builder, Any]] = {
    "reduce mean": (lambda rw, x: build.reduce(rw, "ReduceMean", x, [2]), X.mean(axis=2, keepdims=True)),
    "reduce sum": (lambda rw, x: build.reduce(rw, "ReduceSum", x, [0, 1], keepdims=False), X.sum(axis=(0, 1))),
    "squeeze": (lambda rw, x: build.squeeze(rw, build.unsqueeze(rw, x, [1]), [1]), X),
    "unsqueeze": (lambda rw, x: build.unsqueeze(rw, x, [0, 3]), X[None, :, :, None]),
    "clip": (lambda rw, x: build.clip(rw, x, -2.0, 3.0), X.clip(-2, 3)),
    "clip below": (lambda rw, x: build.clip(rw, x, 0.0, None), X.clip(0)),
    "clip above": (lambda rw, x: build.clip(rw, x, None, 1.0), X.clip(None, 1)),
    "reshape": (lambda rw, x: build.reshape(rw, x, [0, -1]), X.reshape(2, 12)),
    "transpose": (lambda rw, x: build.transpose(rw, x, [2, 0, 1]), X.transpose(2, 0, 1)),
    "concat": (lambda rw, x: build.concat(rw, [x, x], 1), np.concatenate([X, X], 1)),
    "concat of one": (lambda rw, x: build.concat(rw, [x], 1), X),
    "slice": (lambda rw, x: build.slice_(rw, x, [1, 2], [1, 0], [3, 2]), X[:, 1:3, :2]),
    "split": (lambda rw, x: build.split(rw, x, [1, 3], 2)[1], X[:, :, 1:]),
    "split in one": (lambda rw, x: build.split(rw, x, [4], 2)[0], X),
    "pad": (
        lambda rw, x: build.pad(rw, x, [0, 1, 0, 0, 0, 2], 5.0),
        np.pad(X, ((0, 0), (1, 0), (0, 2)), constant_values=5),
    ),
    "crop": (lambda rw, x: build.pad(rw, x, [0, -1, 0, 0, 0, -1]), X[:, 1:, :3]),
}


@pytest.mark.parametrize("opset", [9, 11, 13, 18, 21])
@pytest.mark.parametrize("name", BUILT)
def test_every_opset_computes_the_same(name: str, opset: int) -> None:
    builder, expected = BUILT[name]
    w = world("g (float[2,3,4] x) => (float y) { y = Identity (x) }".replace("float y", "float[?,?,?] y"), opset)
    node = w.node("Identity")
    w.rw.begin("pass/rule", node)
    out = builder(w.rw, w.main.inputs[0])
    if out is not w.main.inputs[0]:
        assert out.shape == expected.shape
    w.rw.set_input(node, 0, out)
    w.editor.settle()
    proto = w.model.to_proto()
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    onnx.checker.check_model(w.model.to_proto("inputs"))
    found = open_session(w.model, outputs=[node.outputs[0].name]).run({"x": X})["y"]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
