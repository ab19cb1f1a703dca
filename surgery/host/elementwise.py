"""Elementwise operators: arithmetic, comparisons, activations, casts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from surgery.host.emitter import Emitter, Formula, elementwise
from surgery.host.step import Step

_PLAIN = {
    "Abs": ("np.abs({0})", "{T}({0} < 0 ? -{0} : {0})"),
    "Add": ("{0} + {1}", "{T}({0} + {1})"),
    "And": ("{0} & {1}", "{0} && {1}"),
    "Ceil": ("np.ceil({0})", "std::ceil({0})"),
    "Cos": ("np.cos({0})", "std::cos({0})"),
    "Equal": ("{0} == {1}", "{0} == {1}"),
    "Exp": ("np.exp({0})", "std::exp({0})"),
    "Floor": ("np.floor({0})", "std::floor({0})"),
    "Greater": ("{0} > {1}", "{0} > {1}"),
    "GreaterOrEqual": ("{0} >= {1}", "{0} >= {1}"),
    "HardSwish": ("{0} * np.clip({0} / 6 + {T}(0.5), 0, 1)",
                  "{0} * std::min(std::max({0} / {T}(6) + {T}(0.5), {T}(0)), {T}(1))"),
    "Less": ("{0} < {1}", "{0} < {1}"),
    "LessOrEqual": ("{0} <= {1}", "{0} <= {1}"),
    "Log": ("np.log({0})", "std::log({0})"),
    "Mul": ("{0} * {1}", "{T}({0} * {1})"),
    "Neg": ("-{0}", "{T}(-{0})"),
    "Not": ("~{0}", "!{0}"),
    "Or": ("{0} | {1}", "{0} || {1}"),
    "PRelu": ("np.where({0} < 0, {0} * {1}, {0})", "{0} < 0 ? {T}({0} * {1}) : {0}"),
    "Pow": ("np.power({0}, {1}).astype({T}, copy=False)", "{T}(std::pow({0}, {1}))"),
    "Reciprocal": ("1 / {0}", "{T}(1) / {0}"),
    "Relu": ("np.maximum({0}, 0)", "{0} > 0 ? {0} : {T}(0)"),
    "Round": ("np.rint({0})", "half_even({0})"),
    "Sigmoid": ("1 / (1 + np.exp(-{0}))", "{T}(1) / ({T}(1) + std::exp(-{0}))"),
    "Sign": ("np.sign({0})", "{T}(({0} > 0) - ({0} < 0))"),
    "Sin": ("np.sin({0})", "std::sin({0})"),
    "Softplus": ("np.logaddexp({0}, {T}(0))",
                 "std::max({0}, {T}(0)) + std::log1p(std::exp(-std::abs({0})))"),
    "Sqrt": ("np.sqrt({0})", "std::sqrt({0})"),
    "Sub": ("{0} - {1}", "{T}({0} - {1})"),
    "Tanh": ("np.tanh({0})", "std::tanh({0})"),
    "Where": ("np.where({0}, {1}, {2})", "{0} ? {1} : {2}"),
    "Xor": ("{0} ^ {1}", "{0} != {1}"),
}  # fmt: skip


def _div(step: Step) -> Formula:
    if step.y.dtype.kind == "f":
        return Formula("{0} / {1}", "{0} / {1}")
    return Formula("(np.sign({0}) * np.sign({1}) * (np.abs({0}) // np.abs({1}))).astype({T})", "{T}({0} / {1})")


def _many(python: str, cpp: str) -> Emitter:
    """Minimum, maximum and sum of any number of inputs."""

    def formula(step: Step) -> Formula:
        one, other = "{0}", "{0}"
        for index in range(1, len(step.ins)):
            one = python.replace("{a}", one).replace("{b}", f"{{{index}}}")
            other = cpp.replace("{a}", other).replace("{b}", f"{{{index}}}")
        return Formula(one, other)

    return elementwise(formula)


def _clip(step: Step) -> Formula:
    """The bounds are attributes before opset 11, then inputs of which each may be left out."""
    sides = {"maximum": ("min", 1), "minimum": ("max", 2)}
    python = cpp = "{0}"
    for function, (name, index) in sides.items():
        value = step.node.attrs.get(name)
        if step.given(index) is not None:
            bound = spelt = f"{{{index}}}"
        elif value is not None and abs(value) < float(np.finfo(np.float32).max):
            bound = spelt = f"{{T}}({step.number(name, 0.0)})"
        else:
            continue
        python, cpp = f"np.{function}({python}, {bound})", f"std::{function[:3]}<{{T}}>({cpp}, {spelt})"
    return Formula(python, cpp)


def _leaky_relu(step: Step) -> Formula:
    alpha = step.number("alpha", 0.01)
    return Formula(f"np.where({{0}} < 0, {{0}} * {{T}}({alpha}), {{0}})", f"{{0}} < 0 ? {{0}} * {{T}}({alpha}) : {{0}}")


def _elu(step: Step) -> Formula:
    alpha = step.number("alpha", 1.0)
    return Formula(
        f"np.where({{0}} < 0, {{T}}({alpha}) * np.expm1(np.minimum({{0}}, 0)), {{0}})",
        f"{{0}} < 0 ? {{T}}({alpha}) * std::expm1({{0}}) : {{0}}",
    )


def _hard_sigmoid(step: Step) -> Formula:
    alpha, beta = step.number("alpha", 0.2), step.number("beta", 0.5)
    line = f"{{0}} * {{T}}({alpha}) + {{T}}({beta})"
    return Formula(f"np.clip({line}, 0, 1)", f"std::min(std::max({line}, {{T}}(0)), {{T}}(1))")


def _cast(step: Step) -> Formula:
    if step.y.dtype.kind == "b":
        return Formula("{0} != 0", "{0} != 0")
    return Formula("{0}.astype({T})", "static_cast<{T}>({0})")


ELEMENTWISE: Mapping[str, Emitter] = {
    **{op: elementwise(Formula(*pair)) for op, pair in _PLAIN.items()},
    "Cast": elementwise(_cast),
    "Clip": elementwise(_clip),
    "Div": elementwise(_div),
    "Elu": elementwise(_elu),
    "HardSigmoid": elementwise(_hard_sigmoid),
    "LeakyRelu": elementwise(_leaky_relu),
    "Max": _many("np.maximum({a}, {b})", "std::max<{T}>({a}, {b})"),
    "Min": _many("np.minimum({a}, {b})", "std::min<{T}>({a}, {b})"),
    "Sum": _many("{a} + {b}", "({a} + {b})"),
}
"""Emitters of operators whose every output element depends on one element of each input."""
