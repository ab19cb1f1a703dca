"""Images on their way to a network: what lift-normalisation takes off, and the sentences by which it does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from surgery.ir import Model
from surgery.pipeline.lifted import Lifted
from tests.support import model_of

WEIGHTS = ", ".join(f"{(7 * i % 19 - 9) / 10}" for i in range(8 * 3 * 3 * 3))
CONV = "Conv <kernel_shape = [3, 3], strides = [1, 1], dilations = [1, 1], group = 1, pads = [1, 1, 1, 1]>"
MEANS = "float[1,3,1,1] m = {123.5, 116.25, 103.5}"
SCALES = "float[3,1,1] s = {0.5, 0.25, 0.125}"
REVERSE = "int64[3] i = {2, 1, 0}"


@dataclass(frozen=True)
class Image:
    """``body`` makes ``n``, which the network reads, of ``x``; ``lifted`` is what the toolchain is to do."""

    body: str
    lifted: Lifted = Lifted()  # noqa: RUF009 - frozen
    constants: str = "float half = {0.5}"
    x: str = "float[1,3,16,16]"
    pixels: Literal["auto", 1, 255] = "auto"

    def model(self, opset: int = 11) -> Model:
        """The image, and a network of one convolution behind it."""
        text = f"""g ({self.x} x) => (float[1,8,16,16] y) <float[8,3,3,3] w = {{{WEIGHTS}}}, {self.constants}>
        {{ {self.body}  [c] c = {CONV} (n, w)  [r] y = Relu (c) }}"""
        return model_of(text, opset=opset, ir_version=7)


COLOURS = (123.5, 116.25, 103.5)
LIFTED = {
    "Sub and Div": Image(
        "[a] a = Sub (x, m)  [b] n = Div (a, d)",
        Lifted(mean=COLOURS, scale=(1 / 64, 1 / 32, 1 / 16)),
        f"{MEANS}, float[3,1,1] d = {{64, 32, 16}}",
    ),
    "Add and Mul by numbers": Image(
        "[a] a = Add (x, m)  [b] n = Mul (a, d)",
        Lifted(mean=(128.0,) * 3, scale=(0.0078125,) * 3),
        "float m = {-128}, float d = {0.0078125}",
    ),
    "a constant less the image": Image(
        "[a] n = Sub (d, x)", Lifted(mean=(128.0,) * 3, scale=(-1.0,) * 3), "float d = {128}"
    ),
    "mean alone": Image("[a] n = Sub (x, m)", Lifted(mean=COLOURS), MEANS),
    "BatchNormalization": Image(
        "[a] n = BatchNormalization <epsilon = 0.0> (x, g, o, e, v)",
        Lifted(mean=(120.0, 116.0, 104.0), scale=(0.5, 0.25, 0.125)),
        "float[3] g = {1, 1, 1}, float[3] o = {0, 0, 0}, float[3] e = {120, 116, 104}, float[3] v = {4, 16, 64}",
    ),
    "Gather, then arithmetic": Image(
        "[g] g = Gather <axis = 1> (x, i)  [a] n = Sub (g, m)",
        Lifted(mean=COLOURS, swapped=True),
        f"{REVERSE}, {MEANS}",
    ),
    "arithmetic, then Gather": Image(
        "[a] a = Sub (x, m)  [g] n = Gather <axis = 1> (a, i)",
        Lifted(mean=COLOURS[::-1], swapped=True),
        f"{REVERSE}, {MEANS}",
    ),
    "Slice backwards": Image(
        "[g] n = Slice (x, b, e, a, t)",
        Lifted(swapped=True),
        "int64[1] b = {2}, int64[1] e = {-2147483648}, int64[1] a = {1}, int64[1] t = {-1}",
    ),
    "Split and Concat": Image(
        "[p] p, q, r = Split <axis = 1> (x)  [g] n = Concat <axis = 1> (r, q, p)", Lifted(swapped=True)
    ),
    "Slices and Concat": Image(
        """[p] p = Slice (x, zero, one, one)  [q] q = Slice (x, one, two, one)  [t] t = Slice (x, two, three, one)
        [g] n = Concat <axis = 1> (t, q, p)""",
        Lifted(swapped=True),
        "int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}, int64[1] three = {3}",
    ),
    "1x1 Conv": Image(
        "[g] n = Conv (x, k, o)",
        Lifted(mean=(-2.0, 4.0, 0.0), scale=(0.5, 0.25, 1.0), swapped=True),
        "float[3,3,1,1] k = {0, 0, 0.5, 0, 0.25, 0, 1, 0, 0}, float[3] o = {1, -1, 0}",
        pixels=255,
    ),
    "each channel by itself": Image(
        """[p] p = Gather <axis = 1> (x, zero)  [q] q = Gather <axis = 1> (x, one)  [t] t = Gather <axis = 1> (x, two)
        [u] u = Unsqueeze <axes = [1]> (p)  [v] v = Unsqueeze <axes = [1]> (q)  [o] o = Unsqueeze <axes = [1]> (t)
        [a] a = Mul (u, half)  [b] b = Add (a, half)  [g] n = Concat <axis = 1> (b, v, o)""",
        Lifted(mean=(-255.0, 0.0, 0.0), scale=(0.5 / 255, 1 / 255, 1 / 255)),
        "int64 zero = {0}, int64 one = {1}, int64 two = {2}, float half = {0.5}",
        pixels=1,
    ),
    "integers in NHWC": Image(
        "[k] k = Cast <to = 1> (x)  [t] t = Transpose <perm = [0, 3, 1, 2]> (k)  [a] n = Mul (t, s)",
        Lifted(scale=(0.5, 0.25, 0.125)),
        SCALES,
        "uint8[1,16,16,3]",
    ),
    "Transpose alone": Image("[t] n = Transpose <perm = [0, 3, 1, 2]> (x)", x="float[1,16,16,3]"),
    "pixels that the application divides": Image(
        "[a] a = Sub (x, half)  [b] n = Div (a, half)",
        Lifted(mean=(127.5,) * 3, scale=(2 / 255,) * 3),
        pixels=1,
    ),
    "before two readers": Image(
        "[a] a = Sub (x, m)  [b] b = Mul (a, s)  [z] n = Max (a, b)", Lifted(mean=COLOURS), f"{MEANS}, {SCALES}"
    ),
    "as far as it goes": Image(
        "[a] a = Sub (x, m)  [b] n = Mul (a, f)",
        Lifted(mean=COLOURS),
        f"{MEANS}, float[16] f = {{{', '.join('1' * 16)}}}",
    ),
}

ONE_PATH = "the normalisation must be the only path"
REFUSED = {
    "ambiguous pixels": (
        Image("[a] a = Sub (x, half)  [b] n = Div (a, half)"),
        "the pixels of 'x' may be 0 to 1 or 0 to 255, lift-normalisation.pixels must say 1 or 255",
    ),
    "a constant per pixel": (
        Image("[a] n = Mul (x, f)", constants=f"float[16] f = {{{', '.join('1' * 16)}}}"),
        "Mul 'a' takes a constant of 16, it must be one number, or one per channel",
    ),
    "a value that is computed": (
        Image("[k] k = Shape (x)  [t] t = Cast <to = 1> (k)  [q] q = ReduceMax <keepdims = 0> (t)  [a] n = Mul (x, q)"),
        "Mul 'a' takes a value that is computed, it must be constant",
    ),
    "two images": (Image("[a] n = Add (x, x)"), "Add 'a' takes a value that is computed, it must be constant"),
    "not finite": (Image("[a] n = Mul (x, f)", constants="float f = {inf}"), "takes a constant that is not finite"),
    "two readers of the input": (
        Image("[a] a = Sub (x, m)  [z] n = Max (a, x)", constants=MEANS),
        f"'x' also feeds 'z', {ONE_PATH}",
    ),
    "symbolic channels": (
        Image("[a] n = Sub (x, m)", constants=MEANS, x="float[1,C,16,16]"),
        "the channels of 'x' are C, they must be a number",
    ),
    "more channels": (
        Image(
            "[a] a = Sub (x, half)  [z] n = Slice (a, o, e, e2)",
            constants="float half = {0.5}, int64[1] o = {0}, int64[1] e = {3}, int64[1] e2 = {1}",
            x="float[1,4,16,16]",
        ),
        "'x' has 4 channels, an image has 1 or 3; anything else is a feature map",
    ),
    "no image": (
        Image(
            "[a] a = Sub (x, half)  [z] n = Reshape (a, e)",
            constants="float half = {0.5}, int64[4] e = {1, 3, 16, 16}",
            x="float[3,256]",
        ),
        "'x' has 2 dims, an image has 4",
    ),
    "behind padding": (
        Image(
            "[p] p = Pad (x, e)  [a] a = Mul (p, s)  [z] n = Slice (a, b, f, h)",
            constants=f"""{SCALES}, int64[8] e = {{0, 0, 1, 1, 0, 0, 1, 1}}, int64[2] b = {{1, 1}},
            int64[2] f = {{17, 17}}, int64[2] h = {{2, 3}}""",
        ),
        "Mul 'a' is behind the padding of 'p', it must come before: the tool pads what it has normalised",
    ),
    "by 0": (Image("[a] n = Mul (x, f)", constants="float f = {0}", pixels=255), "'n' is scaled by 0"),
    "division by 0": (Image("[a] n = Div (x, f)", constants="float f = {0}"), "divides by the image, or by 0"),
    "division of a constant": (Image("[a] n = Div (half, x)"), "it must divide the image"),
    "another order": (
        Image("[g] n = Gather <axis = 1> (x, i)", constants="int64[3] i = {1, 2, 0}"),
        "'n' has the channels in the order 1, 2, 0, it must be that of the image or the reverse",
    ),
    "a channel twice": (
        Image("[g] n = Gather <axis = 1> (x, i)", constants="int64[3] i = {1, 1, 0}"),
        "'n' holds the channels 1, 1, 0, it must hold each once",
    ),
    "rows": (
        Image("[g] n = Gather <axis = 2> (x, i)", constants=f"int64[16] i = {{{', '.join(map(str, range(16)))}}}"),
        "Gather 'g' goes along axis 2, it must take channels apart or together",
    ),
    "a window": (
        Image("[g] n = Slice (x, b, e, h)", constants="int64[2] b = {0, 0}, int64[2] e = {3, 16}, int64[2] h = {1, 2}"),
        "Slice 'g' takes a window, it must take channels by constants",
    ),
    "an axis": (
        Image("[u] u = Unsqueeze <axes = [0]> (x)  [z] n = Squeeze <axes = [0]> (u)"),
        "Unsqueeze 'u' adds an axis, it must give back that of the channels",
    ),
    "turned": (
        Image("[t] n = Transpose <perm = [0, 1, 3, 2]> (x)"),
        "'n' is turned, batch, rows and columns must stay in order",
    ),
    "half precision": (
        Image("[k] k = Cast <to = 10> (x)  [z] n = Cast <to = 1> (k)"),
        "Cast 'k' makes float16, the network must be fed float32",
    ),
    "arithmetic of integers": (
        Image("[a] a = Mul (x, f)  [k] n = Cast <to = 1> (a)", constants="int32 f = {2}", x="int32[1,3,16,16]"),
        "Mul 'a' computes in int32, it must compute in float32",
    ),
    "mixed channels": (
        Image("[g] n = Conv (x, k)", constants="float[3,3,1,1] k = {1, 0, 1, 0, 1, 0, 1, 0, 0}"),
        "Conv 'g' mixes channels, each must come from one",
    ),
    "BatchNormalization of rows": (
        Image(
            "[g] g = BatchNormalization (x, o, o, o, o)  [t] n = Transpose <perm = [0, 3, 1, 2]> (g)",
            constants=f"float[16] o = {{{', '.join('1' * 16)}}}",
            x="float[1,16,16,3]",
        ),
        "does not work by the statistics it holds, over channels at axis 1",
    ),
}
