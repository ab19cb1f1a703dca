"""What the vendor's toolchain makes of one activation written in several ways, between two convolutions.

usage: activation_forms.py [--march M]... [--level O2] [--size CxHxW]

Prints, per march and form: segments, operators on the CPU, operators between the convolutions, and latency in us. Exits
with 2 without the toolchain.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.parser import parse_model

from surgery.errors import SurgeryError
from surgery.ir import Model
from surgery.toolchain import Witness
from surgery.toolchain.config import Options
from surgery.toolchain.install import MARCHES

NUMBERS = {
    "half": 0.5, "one": 1.0, "root": 2**0.5, "inverse": 2**-0.5, "zero": 0.0, "three": 3.0, "six": 6.0, "sixth": 1 / 6,
    "cubic": 0.044715, "scale": (2 / np.pi) ** 0.5, "steep": 1.702,
}  # fmt: skip
FORMS = {
    "GELU, Erf form": "u = Div (a, root)  e = Erf (u)  f = Add (e, one)  g = Mul (a, f)  b = Mul (g, half)",
    "GELU, x halved first": "u = Div (a, root)  e = Erf (u)  f = Add (e, one)  h = Mul (a, half)  b = Mul (h, f)",
    "GELU, sum halved first": "u = Div (a, root)  e = Erf (u)  f = Add (e, one)  h = Mul (f, half)  b = Mul (a, h)",
    "GELU, x * 0.7071": "u = Mul (a, inverse)  e = Erf (u)  f = Add (e, one)  g = Mul (a, f)  b = Mul (g, half)",
    "GELU, tanh form": (
        "p = Pow (a, three)  m = Mul (p, cubic)  n = Add (a, m)  o = Mul (n, scale)  t = Tanh (o)"
        "  f = Add (t, one)  h = Mul (a, half)  b = Mul (h, f)"
    ),
    "GELU, sigmoid form": "u = Mul (a, steep)  e = Sigmoid (u)  b = Mul (a, e)",
    "SiLU": "e = Sigmoid (a)  b = Mul (a, e)",
    "SiLU, x / (1 + exp(-x))": "n = Neg (a)  e = Exp (n)  f = Add (e, one)  b = Div (a, f)",
    "HardSwish": "h = HardSigmoid <alpha = 0.16666667, beta = 0.5> (a)  b = Mul (a, h)",
    "HardSwish, x * Clip(x + 3) / 6": "u = Add (a, three)  k = Clip (u, zero, six)  m = Mul (a, k)  b = Div (m, six)",
    "Mish": "p = Softplus (a)  t = Tanh (p)  b = Mul (a, t)",
    "Mish, by Log and Exp": "e = Exp (a)  f = Add (e, one)  p = Log (f)  t = Tanh (p)  b = Mul (a, t)",
    "Softsign": "m = Abs (a)  f = Add (m, one)  b = Div (a, f)",
    "Sigmoid": "b = Sigmoid (a)",
}


def network(body: str, shape: tuple[int, int, int]) -> Model:
    """``body``, from a to b, between a padded and an unpadded convolution."""
    channels, height, width = shape
    before = "a = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w)"
    text = f"""<ir_version: 7, opset_import: ["": 11]> g (float[1,{channels},{height},{width}] x)
        => (float[1,{channels},{height - 2},{width - 2}] y) {{ {before}  {body}  y = Conv (b, w) }}"""
    proto: onnx.ModelProto = parse_model(text)
    weight = np.random.default_rng(0).standard_normal((channels, channels, 3, 3)) / channels
    held = {name: np.array(value) for name, value in NUMBERS.items() if f"{name})" in body or f"{name}," in body}
    for name, array in {"w": weight, **held}.items():
        proto.graph.initializer.append(numpy_helper.from_array(array.astype(np.float32), name))
    return Model.load(proto)


def main() -> int:
    """Ask about every form."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--march", action="append", choices=MARCHES, help="repeatable; by default all")
    parser.add_argument("--level", default="O2", help="of the compiler")
    parser.add_argument("--size", default="64x56x56", help="channels, height and width")
    options = parser.parse_args()
    channels, height, width = map(int, options.size.split("x"))
    try:
        with Witness() as witness:
            for march in options.march or MARCHES:
                for name, body in FORMS.items():
                    model = network(body, (channels, height, width))
                    answer = witness.compile(model, march, Options(options.level), limit=300)
                    if answer.placement is None or answer.performance is None:
                        print(f"{march:10} {name:32} {answer.refusal.text if answer.refusal else 'no answer'}")
                        continue
                    rows = answer.placement.rows
                    segments = len({row.segment for row in rows if row.segment is not None})
                    cpu, between = sum(row.device == "cpu" for row in rows), len(rows) - 2
                    us = f"{answer.performance.latency_us:7.0f} us"
                    print(f"{march:10} {name:32} segments {segments}, cpu {cpu}, operators {between}, {us}", flush=True)
    except SurgeryError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
