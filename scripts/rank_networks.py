"""Small networks of ranks other than 4, as exporters write them: what ``normalise-rank`` is for, at real sizes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import onnx.parser
from onnx import numpy_helper

OPSET, IR = 11, 7
POINT = "kernel_shape = [1, 1], dilations = [1, 1], strides = [1, 1], pads = [0, 0, 0, 0], group = 1"
LINE = "kernel_shape = [3], dilations = [1], strides = [1], pads = [1, 1], group = 1"
CUBE = "kernel_shape = [3, 3, 3], dilations = [1, 1, 1], strides = [1, 1, 1], pads = [1, 1, 1, 1, 1, 1], group = 1"
TOKENS = "r = Reshape (a, rows)  t = Transpose <perm = [0, 2, 1]> (r)"
ATTENTION = """n = Transpose <perm = [0, 1, 3, 2]> (k)  o = MatMul (q, n)  c = Mul (o, scale)
    p = Softmax <axis = 3> (c)
    d = MatMul (p, v)  e = Transpose <perm = [0, 2, 1, 3]> (d)  u = Reshape (e, tokens)
    f = Transpose <perm = [0, 2, 1]> (u)  b = Reshape (f, grid)"""
FUSED = "h = MatMul (t, qkv)  g = Reshape (h, heads)  j = Transpose <perm = [2, 0, 3, 1, 4]> (g)"


def networks() -> Iterator[tuple[str, onnx.ModelProto]]:
    """Every network by name."""
    yield from _moves()
    yield from _attention()
    yield from _lines()
    yield from _volumes()
    yield (
        "a sum at rank 2",
        middle("r = Reshape (a, k)  s = Sigmoid (r)  t = Tanh (r)  u = Add (s, t)  b = Reshape (u, l)",
               (1, 64, 32, 32), (1, 64, 32, 32), k=[64, 1024], l=[1, 64, 32, 32]),
    )  # fmt: skip


def _moves() -> Iterator[tuple[str, onnx.ModelProto]]:
    chains = {
        "channel shuffle, rank 5": ((1, 2, 32, 32, 32), (0, 2, 1, 3, 4), (1, 64, 32, 32)),
        "channel shuffle, rank 3": ((2, 32, 1024), (1, 0, 2), (1, 64, 32, 32)),
        "pixel shuffle by 2": ((1, 16, 2, 2, 32, 32), (0, 1, 4, 2, 5, 3), (1, 16, 64, 64)),
        "pixel shuffle by 3": ((1, 7, 3, 3, 32, 32), (0, 1, 4, 2, 5, 3), (1, 7, 96, 96)),
        "pixel shuffle by 4": ((1, 4, 4, 4, 32, 32), (0, 1, 4, 2, 5, 3), (1, 4, 128, 128)),
        "pixel unshuffle by 2": ((1, 64, 16, 2, 16, 2), (0, 1, 3, 5, 2, 4), (1, 256, 16, 16)),
        "space to depth by 2": ((1, 64, 16, 2, 16, 2), (0, 3, 5, 1, 2, 4), (1, 256, 16, 16)),
    }
    for name, (shape, perm, after) in chains.items():
        body = f"r = Reshape (a, k)  t = Transpose <perm = {list(perm)}> (r)  b = Reshape (t, l)"
        channels = 63 if "by 3" in name else 64
        yield name, middle(body, (1, channels, 32, 32), after, k=list(shape), l=list(after))
    for block in (2, 4):
        body = f'b = DepthToSpace <blocksize = {block}, mode = "CRD"> (a)'
        after = (1, 64 // block**2, 32 * block, 32 * block)
        yield f"DepthToSpace of {block}", middle(body, (1, 64, 32, 32), after)


def _attention() -> Iterator[tuple[str, onnx.ModelProto]]:
    held = {"rows": [1, 64, 196], "scale": np.float32(0.25), "tokens": [1, 196, 64], "grid": [1, 64, 14, 14]}
    three = {"qkv": (64, 192), "heads": [1, 196, 3, 4, 16]}
    gathers = "  ".join(f"{n} = Gather <axis = 0> (j, {i})" for n, i in zip("qkv", ("i0", "i1", "i2"), strict=True))
    squeezes = "  ".join(f"{n} = Squeeze <axes = [0]> ({n}1)" for n in "qkv")
    each = "  ".join(
        f"{n}2 = Reshape ({n}1, each)  {n} = Transpose <perm = [0, 2, 1, 3]> ({n}2)" for n in "qkv"
    )  # fmt: skip
    bodies: dict[str, tuple[str, dict[str, Any]]] = {
        "attention, Gathers of rank 5": (f"{FUSED}  {gathers}", {**three, "i0": 0, "i1": 1, "i2": 2}),
        "attention, a Split of rank 5": (f"{FUSED}  q1, k1, v1 = Split <axis = 0> (j)  {squeezes}", three),
        "attention, a Split of rank 3": (
            f"h = MatMul (t, qkv)  q1, k1, v1 = Split <axis = 2> (h)  {each}",
            {"qkv": (64, 192), "each": [1, 196, 4, 16]},
        ),
    }
    for name, (body, more) in bodies.items():
        yield name, middle(f"{TOKENS}  {body}  {ATTENTION}", (1, 64, 14, 14), (1, 64, 14, 14), **held, **more)


def _lines() -> Iterator[tuple[str, onnx.ModelProto]]:
    body = f"""a = Conv <{LINE}> (x, w)  b = Relu (a)  c = Conv <{LINE}> (b, v)  d = Sigmoid (c)  e = Mul (c, d)
        f = Add (e, a)  g = MaxPool <kernel_shape = [2], strides = [2]> (f)  y = Conv <{LINE}> (g, u)"""
    held: dict[str, Any] = {"w": (64, 16, 3), "v": (64, 64, 3), "u": (32, 64, 3)}
    yield "a Conv1d network", model(body, (1, 16, 1024), (1, 32, 512), **held)
    yield "a lone Conv1d", model(f"y = Conv <{LINE}> (x, w)", (1, 64, 1024), (1, 64, 1024), w=(64, 64, 3))
    inner = f"r = Reshape (a, k)  c = Conv <{LINE}> (r, w)  s = Relu (c)  b = Reshape (s, l)"
    held = {"k": [1, 64, 1024], "l": [1, 64, 32, 32], "w": (64, 64, 3)}
    yield "a Conv1d inside", middle(inner, (1, 64, 32, 32), (1, 64, 32, 32), **held)


def _volumes() -> Iterator[tuple[str, onnx.ModelProto]]:
    body = f"""a = Conv <{CUBE}> (x, w)  b = Relu (a)
        c = MaxPool <kernel_shape = [1, 2, 2], strides = [1, 2, 2]> (b)  d = Conv <{CUBE}> (c, v)  y = Relu (d)"""
    yield (
        "a Conv3d network",
        model(body, (1, 3, 8, 64, 64), (1, 32, 8, 32, 32), w=(16, 3, 3, 3, 3), v=(32, 16, 3, 3, 3)),
    )


def middle(body: str, x: tuple[int, ...], b: tuple[int, ...], **held: Any) -> onnx.ModelProto:
    """``body``, which makes b of a, between two 1x1 convolutions."""
    text = f"a = Conv <{POINT}> (x, first)  {body}  y = Conv <{POINT}> (b, last)"
    weights = {"first": (x[1], x[1], 1, 1), "last": (32, b[1], 1, 1)}
    return model(text, x, (b[0], 32, *b[2:]), **weights, **held)


def model(body: str, x: tuple[int, ...], y: tuple[int, ...], **held: Any) -> onnx.ModelProto:
    """A model from x to y; constants are arrays, lists or numbers of int64, or shapes of seeded weights."""
    ends = [f"float[{','.join(map(str, shape))}]" for shape in (x, y)]
    header = f'<ir_version: {IR}, opset_import: ["" : {OPSET}]>'
    made = onnx.parser.parse_model(f"{header} g ({ends[0]} x) => ({ends[1]} y) {{ {body} }}")
    rng = np.random.default_rng(0)
    for name, value in held.items():
        array = rng.normal(0, 0.1, value).astype(np.float32) if isinstance(value, tuple) else np.array(value)
        made.graph.initializer.append(numpy_helper.from_array(array, name))
    return made
