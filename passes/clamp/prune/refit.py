"""Fitting the weights of the layers that are left, so that they compute what they did before.

Layer by layer, in order: on calibration samples, the thinned model reads ``X``, where the layer computed ``Y`` in the
model before. Its weights become those of least squares,

    min |X W + b - Y|^2 + p |W - W0|^2

with the old weights ``W0`` where the samples say nothing. The penalty ``p`` is the one that serves best the places
that were left out of the fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from passes.clamp.layer import Layer, read
from passes.clamp.prune.columns import Problem, problems, with_weights
from passes.clamp.prune.data import Array, Samples, channels_last, values
from surgery.ir import Constant, Model, Node
from surgery.rewrite import Mismatch, Rewriter

PLACES = 2048
"""Most places of a layer's output that its weights are fitted on, which bounds the equations to be solved."""
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Penalties that are tried, over the mean square of a column times the number of places."""
LEFT_OUT = 4
"""One of so many places is left out to judge a penalty by."""


@dataclass(frozen=True)
class Target:
    """What a layer computed before: the value's name, its channels that stay, the axis they lie on."""

    node: Node
    value: str
    stays: Array
    axis: int


class Refit:
    """Fits the layers of a thinned model to the model before.

    Args:
        before: the model before, in which values have the names in the targets.
        after: the thinned model; weights are replaced in place.
        rw: records the edits.
        samples: to fit on.
    """

    def __init__(self, before: Model, after: Model, rw: Rewriter, samples: Samples) -> None:
        self.before, self.after, self.rw, self.samples = before, after, rw, samples

    def run(self, targets: Sequence[Target]) -> int:
        """Fit the layers at ``targets``, in this order; returns how many could be."""
        return sum(self._fit(target) for target in targets)

    def _fit(self, target: Target) -> bool:
        layer = read(target.node)
        if layer.weight.consumers != [layer.node] or not _is_plain(layer):
            return False
        self._write(layer, *self._matrices(layer, target))
        return True

    def _matrices(self, layer: Layer, target: Target) -> tuple[list[Array], Array]:
        """The fitted matrix of every group, and the bias of all outputs."""
        read_ = [v[layer.x.name] for v in values(self.after, [layer.x.name], self.samples)]
        made = [v[target.value] for v in values(self.before, [target.value], self.samples)]
        if not all(np.isfinite(array).all() for array in (*read_, *made)):
            raise Mismatch(f"what {layer.node.name!r} reads or computes on the samples is not finite", layer.node)
        rows = [channels_last(y.astype(np.float64), target.axis)[:, target.stays] for y in made]
        wanted, chosen = _some(rows)
        parts = [list(problems(layer, x.astype(np.float64))) for x in read_]
        fitted = []
        for group in range(len(parts[0])):
            x = np.concatenate([part[group].x for part in parts])[chosen]
            w = parts[0][group].w
            y = wanted[:, group * w.shape[1] : (group + 1) * w.shape[1]]
            fitted.append(fit(Problem(x, w), y, centred=_has_bias(layer)))
        return [w for w, _ in fitted], np.concatenate([b for _, b in fitted])

    def _write(self, layer: Layer, matrices: list[Array], bias: Array) -> None:
        node, weight = layer.node, layer.weight
        new = self.rw.constant(with_weights(layer, matrices), name=f"{weight.name}/refit")
        self.rw.set_input(node, 1, new)
        if _has_bias(layer):
            beta = float(node.attrs.get("beta", 1.0)) if node.op == "Gemm" else 1.0
            self.rw.set_input(node, 2, self.rw.constant(bias / (beta or 1.0), like=weight, name=f"{node.name}/bias"))


def fit(problem: Problem, y: Array, *, centred: bool) -> tuple[Array, Array]:
    """Weights and bias (zeros unless ``centred``) that make ``y`` [places, outputs] of ``problem.x``."""
    x, w = problem
    x_mean, y_mean = (a.mean(axis=0) if centred else np.zeros(a.shape[1]) for a in (x, y))
    x, rest = x - x_mean, y - y_mean - (x - x_mean) @ w
    check = np.arange(len(x)) % LEFT_OUT == LEFT_OUT - 1
    errors = [np.square(rest[check] - x[check] @ step).sum() for step in ridges(x[~check], rest[~check], PENALTIES)]
    unfitted = np.square(rest[check]).sum()
    best = int(np.argmin(errors))
    fitted = w if errors[best] >= unfitted else w + ridges(x, rest, PENALTIES[best : best + 1])[0]
    return fitted, y_mean - x_mean @ fitted


def ridges(x: Array, y: Array, penalties: Sequence[float]) -> list[Array]:
    """Solutions of ``min |x w - y|^2 + p |w|^2`` for penalties over the mean square of a column.

    Solved for whichever is fewer, places or columns: ``(x'x + p)^-1 x'y`` is ``x'(xx' + p)^-1 y``.
    """
    wide = x.shape[0] < x.shape[1]
    gram = x @ x.T if wide else x.T @ x
    scale = float(np.trace(gram)) / x.shape[1] or 1.0
    right = y if wide else x.T @ y
    found = []
    for penalty in penalties:
        solved = cho_solve(cho_factor(gram + penalty * scale * np.eye(len(gram))), right)
        found.append(x.T @ solved if wide else solved)
    return found


def _some(rows: list[Array]) -> tuple[Array, Array]:
    """At most PLACES rows of all samples, evenly spread, and which they are."""
    every = np.concatenate(rows)
    chosen = np.unique(np.linspace(0, len(every) - 1, min(PLACES, len(every))).astype(np.int64))
    return every[chosen], chosen


def _has_bias(layer: Layer) -> bool:
    """Whether the layer can have a bias of its own: what a MatMul computes is added to elsewhere."""
    return layer.node.op != "MatMul"


def _is_plain(layer: Layer) -> bool:
    """Whether its bias is one number per output, or none."""
    bias, outputs = layer.bias, layer.work.groups * layer.work.outputs
    return bias is None or (isinstance(bias, Constant) and bias.shape in ((outputs,), (1, outputs)))
