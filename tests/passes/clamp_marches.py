"""Marches with limits small enough for small models, and models with seeded weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import numpy_helper

from surgery.ir import Model
from tests.support import proto_of

HEAD = """
march: {name}
sources: {{made: {{where: this test, trust: made up}}}}
ops:
  Conv:
    device: bpu
    source: made
    limits:
      - {{param: in_channels_per_group, max: 8}}
      - {{param: out_channels_per_group, max: 8}}
      - {{param: weight_out_channels, max: 16}}
      - {{param: kernel_volume, max: 72}}
      - {{param: kernel_h, max: 7}}
      - {{param: stride, values: [1, 2], when: feeds_shortcut_add}}
  ConvTranspose:
    device: bpu
    source: made
    limits: [{{param: in_channels, max: 8}}, {{param: out_channels, max: 8}}]
  Gemm:
    device: bpu
    source: made
    limits: [{{param: kernel_volume, max: 8}}, {{param: weight_out_channels, max: 8}}]
  MatMul:
    device: bpu
    source: made
    limits: [{{id: K, param: inner, max: 8}}, {{id: N, param: columns, max: 8}}]
  Elu: {{device: cpu, source: made}}
  Relu Sigmoid Mul MaxPool GlobalAveragePool Flatten BatchNormalization PRelu Clip Sub Softmax:
    device: bpu
    source: made
"""
WIDE = """
  Add Concat Split Slice: {device: bpu, source: made}
"""
NARROW = """
  Add Split: {device: bpu, source: made}
  Concat:
    device: bpu
    source: made
    limits: [{param: operand_channels, max: 8}, {id: out_channels, param: "output_dims[1]", max: 8}]
"""
BARE = """
  Concat Slice: {device: bpu, source: made}
  Add: {device: bpu, source: made, limits: [{param: operand_channels, max: 4}]}
  Split: {device: cpu, source: made}
"""


UNCUT = """
  Add Concat: {device: bpu, source: made}
  Split Slice: {device: cpu, source: made}
"""
UNSUMMED = """
  Split Slice Concat: {device: bpu, source: made}
  Add: {device: cpu, source: made}
"""
TAILS = {"wide": WIDE, "narrow": NARROW, "bare": BARE, "uncut": UNCUT, "unsummed": UNSUMMED}
"""wide takes any Concat, narrow 8 channels of it; bare adds 4 channels and has no Split; the others lack even more."""


def marches(folder: Path) -> dict[str, str]:
    """The files of the marches, by name."""
    paths = {name: folder / f"{name}.yaml" for name in TAILS}
    for name, path in paths.items():
        path.write_text(HEAD.format(name=name) + TAILS[name], encoding="utf-8")
    return {name: str(path) for name, path in paths.items()}


def seeded(text: str, opset: int = 17, dtype: str = "float32", **weights: tuple[int, ...]) -> Model:
    """The model of ``text`` with random constants of the shapes ``weights``."""
    proto, rng = proto_of(text, opset=opset), np.random.default_rng(0)
    for name, shape in weights.items():
        values = rng.standard_normal(shape).astype(dtype)
        proto.graph.initializer.append(numpy_helper.from_array(values, name))
    return Model.load(proto)
