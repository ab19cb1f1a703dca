"""BatchNormalization by the statistics that it holds."""

from __future__ import annotations

from collections.abc import Mapping

from surgery.host.emitter import Emitter
from surgery.host.loops import loop
from surgery.host.step import Sizes, Step


def _parts(step: Step) -> list[str]:
    """Gain, bias, mean and variance: identifiers of arrays with one element per channel."""
    if step.node.attrs.get("training_mode"):
        step.refuse("it computes statistics, it must hold them")
    return [step.need(index).id for index in range(1, 5)]


def _text(step: Step) -> list[str]:
    ones = (-1, *(1,) * (len(step.x.shape) - 2))
    gain, bias, mean, variance = (f"{name}.reshape({ones})" for name in _parts(step))
    kind, epsilon = step.y.numpy, step.number("epsilon", 1e-5)
    return [f"{step.y.id} = ({step.x.id} - {mean}) / np.sqrt({variance} + {kind}({epsilon})) * {gain} + {bias}"]


def _loop(step: Step) -> list[str]:
    x, y = step.x, step.y
    gain, bias, mean, variance = _parts(step)
    deviation = f"std::sqrt({variance}[at[1]] + {y.cpp}({step.number('epsilon', 1e-5)}))"
    line = f"({x.id}[at[0]] - {mean}[at[1]]) / {deviation} * {gain}[at[1]] + {bias}[at[1]]"
    by_channel: Sizes = tuple(int(axis == 1) for axis in range(len(y.shape)))
    return loop(y.shape, [x.strides, by_channel, y.strides], f"{y.id}[at[2]] = {line};")


NORMALISE: Mapping[str, Emitter] = {"BatchNormalization": Emitter(_text, _loop)}
"""Emitters of operators that shift and scale channels."""
