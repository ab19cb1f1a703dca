"""A layer as one matrix product: its input as rows of columns, its weight as a matrix, one pair per group."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

import numpy as np

from passes.clamp.layer import Layer
from passes.clamp.prune.data import Array, channels_last
from surgery.ir import ops


class Problem(NamedTuple):
    """``x @ w`` is what the layer computes of a group, bias aside: x [places, columns], w [columns, outputs]."""

    x: Array
    w: Array


def is_product(layer: Layer) -> bool:
    """Whether a layer is a product of rows and one matrix per group, with weights on both sides."""
    if layer.node.op == "Conv":
        return ops.pads(layer.node) is not None
    return layer.node.op in ("Gemm", "MatMul") and layer.weight.rank == 2


def problems(layer: Layer, x: Array) -> Iterator[Problem]:
    """The matrix products of ``layer``, which is one, on the value ``x`` that it reads."""
    if layer.node.op == "Conv":
        yield from _conv(layer, x)
    else:
        yield Problem(channels_last(x, layer.in_axis), _matrix(layer))


def with_weights(layer: Layer, matrices: list[Array]) -> Array:
    """The weight of ``layer`` with these matrices, in its own form and dtype."""
    old = layer.weight.values
    if layer.node.op == "Conv":
        return np.concatenate([m.T for m in matrices]).reshape(old.shape).astype(old.dtype)
    turned = layer.weight_axes == (1, 0)
    alpha = float(ops.attr(layer.node, "alpha", 1.0)) if layer.node.op == "Gemm" else 1.0
    return ((matrices[0].T if turned else matrices[0]) / alpha).astype(old.dtype)


def _matrix(layer: Layer) -> Array:
    weight = layer.weight.values.astype(np.float64)
    alpha = float(ops.attr(layer.node, "alpha", 1.0)) if layer.node.op == "Gemm" else 1.0
    return alpha * (weight.T if layer.weight_axes == (1, 0) else weight)


def _conv(layer: Layer, x: Array) -> Iterator[Problem]:
    weight = layer.weight.values.astype(np.float64)
    windows, groups = _windows(layer, x), layer.work.groups
    inputs, outputs = weight.shape[1], weight.shape[0] // groups
    for group in range(groups):
        part = windows[:, group * inputs : (group + 1) * inputs]
        rows = np.moveaxis(part, 1, 1 + (part.ndim - 2) // 2).reshape(-1, prod(weight.shape[1:]))
        yield Problem(rows, weight[group * outputs : (group + 1) * outputs].reshape(outputs, -1).T)


def _windows(layer: Layer, x: Array) -> Array:
    """What each place of the output reads: [batch, channels, places..., taps...]."""
    node, kernel = layer.node, layer.weight.shape[2:]
    rank, pads = len(kernel), ops.pads(node) or [0] * (2 * len(kernel))
    strides, dilations = ops.spatial(node, "strides", rank), ops.spatial(node, "dilations", rank)
    padded = np.pad(x, [(0, 0), (0, 0), *zip(pads[:rank], pads[rank:], strict=True)])
    reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True))
    windows = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=tuple(range(2, 2 + rank)))
    steps = (slice(None, None, step) for step in (*strides, *dilations))
    return windows[(slice(None), slice(None), *steps)]
