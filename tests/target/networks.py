"""Small networks of which it is known where the toolchain puts every node.

``NEIGHBOURS`` and ``FOLDED`` hold one letter a node: Bpu, Cpu, Folded; ``test_witness.py`` asks the vendor's checker.
"""

from __future__ import annotations

import numpy as np
import onnx

from surgery.ir import Model
from tests.support import proto_of

CONV = "Conv<kernel_shape=[3, 3], pads=[1, 1, 1, 1]>"
POINT = "Conv<kernel_shape=[1, 1]>"
FILTER, LESSER = (f"Conv<kernel_shape={size}>" for size in ("[7,7], pads=[3,3,3,3]", "[6,5], pads=[2,2,2,2]"))
POOL = "MaxPool<kernel_shape=[3,3], pads=[1,1,1,1]>"
DILATED = "Conv<kernel_shape=[3, 3], pads=[2, 2, 2, 2], dilations=[2, 2]>"
WIDENED = "ConvTranspose<kernel_shape=[2, 2], strides=[2, 2]>"
SWAP = "Transpose<perm=[0,2,1,3,4]>"
TURN = "Transpose<perm=[0,1,3,2]>"
EXCHANGE = "Transpose<perm=[0,2,1,3]>"
TO_NHWC = "Transpose<perm=[0,2,3,1]>"
TO_NCHW = "Transpose<perm=[0,3,1,2]>"
HARD = "HardSigmoid<alpha = 0.16666667, beta = 0.5>"
ERF = "b = Div(a, root) d = Erf(b) e = Add(d, unit)"
TO_TOKENS = f"a = {CONV}(x, w) r = Reshape(a, tokens) t = Transpose<perm=[0,2,1]>(r)"
REST = "m = ReduceMean<axes=[-1]>(t) d = Sub(t, m)"
NORM = f"{REST} q = Pow(d, square) e = ReduceMean<axes=[-1]>(q) f = Add(e, tiny) s = Sqrt(f) z = Div(d, s)"
FAR_PAD = "LRN<size=3>(x) b = Pad(a, some)"
THIN = "m = GlobalMaxPool(x) r = Reshape(m, wide) h = Softmax<axis=3>(r) q = Flatten(h)"
FAR = "r = Reshape(x, turned) t = Neg(r)"
BARE = f"a = {CONV}(x, w) r = Reshape(a, bare)"
BOTH = "h = Softmax<axis=2>(a) e = Softmax<axis=1>(a) r = Reshape(h, joined) q = Reshape(e, joined) d = Add(r, q)"
BATCH = f"a = {CONV}(x, w) r = Reshape(a, heads) p0 = Transpose<perm=[0,2,1,3]>(r) t = Reshape(p0, batch)"
MIXED = "b = MatMul(t, v) h = Softmax<axis=1>(t) d = Reshape(b, rest) q = Reshape(h, rest) e = Add(d, q)"
MOST = "ReduceMax<axes=[3], keepdims=0>"
THIRTEEN = f"a = AveragePool<kernel_shape=[4,4]>(x) b = {CONV}(a, w)"
ALL = ("bernoulli2", "bayes", "bayes-e")
LATER = ("bayes", "bayes-e")
WIDER = 'Resize<mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor">'
MIRROR = 'Pad<mode = "reflect">'
FLOATS = ("Neg", "Softmax<axis=1>", "ReduceMax<axes=[1]>")
MEANS = ("ReduceMean<axes=[1]>(x)", "ReduceSum<axes=[1]>(x)", "ReduceL2<axes=[1]>(x)")
QUANTISED = (*MEANS, "Sub(x, whole)", "Mul(x, line)")
SCALED = f"q0 = QuantizeLinear(x, scale, zero) d0 = DequantizeLinear(q0, scale, zero) a = {CONV}(d0, w)"


def scaled(name: str) -> str:
    """The pair of nodes that says in which scale a value is quantised; the result is ``d_name``."""
    return f"q_{name} = QuantizeLinear({name}, scale, zero) d_{name} = DequantizeLinear(q_{name}, scale, zero)"


WEIGHTS = [
    ("o", "[1,1,1,1]", 1),
    ("v", "[8,8]", 64),
    ("u", "[8,8]", 64),
    ("w", "[8,8,3,3]", 576),
    ("p", "[8,8,1,1]", 64),
    ("c", "[8]", 8),
    ("alone", "[1]", 1),
    ("n", "[8,1,1]", 8),
    ("k", "", 1),
    ("whole", "[1,8,16,16]", 2048),
    ("pixels", "[16,16]", 256),
    ("line", "[1,16]", 16),
]
SHAPES = (
    "float[4] twice = {1, 1, 2, 2}, float[4] thrice = {1, 1, 3, 3},"
    "int64[5] five = {1, 8, 2, 8, 16}, int64[1] one = {0}, int64[1] axis = {1}, int64[1] two = {2},"
    "int64[8] none = {0, 0, 0, 0, 0, 0, 0, 0}, int64[8] some = {0, 0, 1, 1, 0, 0, 1, 1},"
    "float root = {1.4142135}, float unit = {1.0}, float low = {0.0}, float three = {3.0}, float six = {6.0},"
    "int64[5] apart = {1, 2, 4, 16, 16}, int64[4] joined = {1, 8, 16, 16}, int64[4] flat = {1, 8, 256, 1},"
    "int64[3] bare = {8, 16, 16}, int64[4] half_wide = {1, 8, 16, 8}, int64[4] half_high = {1, 8, 8, 16},"
    "int64[1] eight = {8}, int64[3] pixel = {1, 1, 8}, int64[2] row = {1, 8}, int64[4] rest = {1, 16, 16, 8},"
    "int64[4] quads = {1, 8, 4, 4}, int64[4] heads = {1, 4, 2, 256}, int64[3] batch = {2, 4, 256},"
    "int64[1] back = {-1}, int64[1] far = {-100}, int64[4] squares = {1, 8, 8, 32}, int64[4] upright = {1, 8, 1, 256},"
    "int64[4] kernels = {8, 8, 2, 1}, int64[1] first = {1}, int64[3] fewer = {1, 128, 8},"
    "int64[3] strip = {1, 1, 2048}, int64[1] four = {4},"
    "int64[4] fewest = {1, 16, 8, 8}, int64[3] fours = {4, 64, 8}, int64[2] flatter = {256, 8},"
    "int64[3] tokens = {1, 8, 256}, int64[3] turned = {1, 256, 8}, int64[4] wide = {1, 1, 1, 8},"
    "float scale = {0.05}, int8 zero = {0}, float half = {0.5}, float square = {2.0}, float tiny = {0.00001}"
)


WIDE = {
    "outwards": (8, 2304),
    "inwards": (2304, 8),
    "bias": (2304,),
    "out_odd": (8, 2049),
    "out_even": (8, 2050),
    "in_odd": (2049, 8),
    "out_far": (8, 4097),
    "far_row": (8, 4104),
    "out_batch": (1, 256, 4097),
    "fan_out": (672, 8, 1, 1),
    "fan_in": (8, 672, 7, 7),
    "less_in": (8, 672, 6, 5),
    "thin": (1, 8, 1, 1),
    "up": (8, 8, 2, 2),
}
"""Operands that only networks have which read them."""


def network(body: str) -> Model:
    """A graph given by its nodes (weights ``w`` 3x3, ``p`` 1x1, ``c`` per channel, ``k`` scalar), at opset 11.

    Every node is named after its first output. Every convolution has weights of its own, or equal ones were merged.
    """
    weights = "".join(f"float{shape} {name} = {{{', '.join(['0.5'] * size)}}}, " for name, shape, size in WEIGHTS)
    proto = proto_of(f"g (float[1,8,16,16] x) => (float y) <{weights}{SHAPES}> {{ {body} }}", opset=11)
    read = {name for node in proto.graph.node for name in node.input}
    ends = [name for node in proto.graph.node for name in node.output if name not in read]
    del proto.graph.output[:]
    whole = {node.output[0] for node in proto.graph.node if node.op_type == "QuantizeLinear"}
    kinds = {end: onnx.TensorProto.INT8 if end in whole else onnx.TensorProto.FLOAT for end in ends}
    proto.graph.output.extend(onnx.helper.make_tensor_value_info(end, kind, None) for end, kind in kinds.items())
    for name in sorted(WIDE.keys() & read):
        array = np.full(WIDE[name], 0.5, np.float32)
        proto.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    shapes = {tensor.name: tuple(tensor.dims) for tensor in proto.graph.initializer}
    for seed, node in enumerate(proto.graph.node):
        node.name = node.output[0]
        if node.op_type == "Conv" and node.input[1] in shapes:
            taps = np.random.default_rng(seed).normal(size=shapes[node.input[1]]).astype(np.float32)
            node.input[1] = f"w_{node.name}"
            proto.graph.initializer.append(onnx.numpy_helper.from_array(taps, node.input[1]))
    return Model.load(proto)


FOLDED = [
    # nodes, devices on bayes-e
    (f"a = {CONV}(x, w) b = BatchNormalization(a, c, c, c, c) y = Relu(b)", "bff"),
    (f"a = {CONV}(x, w) y = Clip(a, k, k)", "bf"),
    (f"a = {CONV}(x, w) b = Mul(a, n) y = Add(b, k)", "bff"),
    (f"a = {CONV}(x, w) b = Tanh(a) d = {CONV}(b, w) e = Add(d, b) y = Relu(e)", "bbbff"),
    (f"a = {CONV}(x, w) b = Relu(a) y = Mul(b, n)", "bfb"),
    (f"a = {CONV}(x, w) b = Tanh(a) d = Mul(b, n) y = {POINT}(d, p)", "bbfb"),
    (f"a = {CONV}(x, w) b = Tanh(a) d = Mul(b, n) y = {CONV}(d, w)", "bbbb"),
    (f"a = {CONV}(x, w) s = Sigmoid(a) b = Mul(a, s) y = {CONV}(b, w)", "bfbb"),
    (f"a = {CONV}(x, w) s = {HARD}(a) y = Mul(a, s)", "bfb"),
    (f"a = {CONV}(x, w) s = HardSigmoid(a) b = Mul(a, s) y = {CONV}(b, w)", "bbbb"),
    (f"a = {CONV}(x, w) m = Mul(a, three) s = Sigmoid(m) b = Mul(a, s) y = {CONV}(b, w)", "bbbbb"),
    (f"a = {CONV}(x, w) d = Softplus(a) e = Tanh(d) y = Mul(a, e)", "bffb"),
    (f"a = {CONV}(x, w) {ERF} f = Mul(a, e) y = Mul(f, k)", "bffffb"),
    (
        f"a = {CONV}(x, w) {ERF} f = Mul(a, k) g = Mul(f, e) y = {CONV}(g, w)",
        "bbbbbbb",
    ),
    (
        f"a = {CONV}(x, w) b = Div(a, k) d = Erf(b) e = Add(d, unit) f = Mul(a, e) g = Mul(f, k) y = {CONV}(g, w)",
        "bbbbbbb",
    ),
    (
        f"a = {CONV}(x, w) {ERF} f = Mul(a, e) g = Mul(f, k) y = {CONV}(g, w)",
        "bffffbb",
    ),
    (f"a = {CONV}(x, w) b = Add(a, three) d = Clip(b, low, six) e = Mul(a, d) y = Div(e, six)", "bfffb"),
    (f"a = {CONV}(x, w) b = Add(a, k) d = Clip(b, low, six) e = Mul(a, d) f = Div(e, six) y = {CONV}(f, w)", "bbbbbb"),
    (f"a = {CONV}(x, w) s = Sigmoid(a) t = Sigmoid(s) y = Mul(a, t)", "bbbb"),
    (f"a = {CONV}(x, w) s = Sigmoid(a) b = Mul(a, s) y = Add(b, s)", "bbbb"),
    (f"a = {CONV}(x, w) b = Identity(a) y = Relu(b)", "bff"),
    (f"a = {CONV}(x, w) b = Transpose<perm=[0,2,3,1]>(a) d = Transpose<perm=[0,3,1,2]>(b) y = {CONV}(d, w)", "bffb"),
    (f"a = {CONV}(x, w) y = Transpose<perm=[0,2,3,1]>(a)", "bf"),
    (f"a = {CONV}(x, w) y = Transpose<perm=[0,1,3,2]>(a)", "bb"),
    (f"a = {CONV}(x, w) b = Relu(a) y = Add(a, b)", "bbb"),
    (f"a = {CONV}(x, w) b = Pad(a, none) d = Identity(b) y = Dropout(d)", "bfff"),
]
NEIGHBOURS = [
    # nodes, march, devices; all put to the vendor's checker
    (f"a = {CONV}(x, w) y = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1]>(a)", "bayes-e", "bc"),
    (f"a = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1]>(x) y = {CONV}(a, w)", "bayes-e", "bb"),
    (f"a = {CONV}(x, w) b = Concat<axis=1>(a, a) y = MaxPool<kernel_shape=[1,3], pads=[0,1,0,1]>(b)", "bayes-e", "bcc"),
    (f"a = {CONV}(x, w) b = MaxPool<kernel_shape=[1,3], pads=[0,1,0,1]>(a) y = Softmax<axis=1>(b)", "bayes-e", "bcc"),
    (f"a = Softmax<axis=1>(x) b = MaxPool<kernel_shape=[1,3], pads=[0,1,0,1]>(a) y = {CONV}(b, w)", "bayes-e", "cbb"),
    (f"a = {CONV}(x, w) y = Relu(a)", "bernoulli2", "bc"),
    (f"a = {CONV}(x, w) b = Tanh(a) y = Relu(b)", "bernoulli2", "bbb"),
    (f"a = {CONV}(x, w) b = Relu(a) y = {CONV}(b, w)", "bernoulli2", "bfb"),
    (f"a = {CONV}(x, w) b = {CONV}(x, w) y = Add(a, b)", "bayes-e", "bbf"),
    (f"a = {CONV}(x, w) b = {CONV}(x, w) y = Add(a, b)", "bernoulli2", "bbf"),
    (f"a = {CONV}(x, w) y = GlobalAveragePool(a)", "bayes-e", "bb"),
    (f"a = {CONV}(x, w) b = Reshape(a, five) y = Gather<axis=2>(b, one)", "bayes-e", "bcc"),
    (f"a = {CONV}(x, w) b = Reshape(a, five) d = Gather<axis=2>(b, one) y = Sigmoid(d)", "bayes-e", "bbcb"),
    (
        f"a = MaxPool<kernel_shape=[1,3], pads=[0,1,0,1]>(x) b = AveragePool<kernel_shape=[1,1]>(a) y = {CONV}(b, w)",
        "bayes-e",
        "bfb",
    ),
    (f"a = {CONV}(x, w) b = {POOL}(a) y = {CONV}(a, w)", "bayes-e", "bbb"),
    (f"a = {CONV}(x, w) s = Tanh(a) y = {POOL}(s)", "bernoulli2", "bbb"),
    (f"a = {CONV}(x, w) s = Neg(a) y = {POOL}(s)", "bayes-e", "bcc"),
    (f"b = {POOL}(x) y = {CONV}(x, w)", "bayes-e", "bb"),
    (f"a = {CONV}(x, w) b = GlobalAveragePool(a) y = Slice(b, one, two, axis)", "bayes-e", "bbc"),
    (f"a = {CONV}(x, w) b = ReduceMax<axes=[1]>(a) y = Slice(b, one, two, axis)", "bayes-e", "bbb"),
    (f"a = {CONV}(x, w) b = {POOL}(a) m = Neg(b) s = Sigmoid(b) y = Concat<axis=1>(m, s)", "bayes-e", "bbcbc"),
    (f"a = {CONV}(x, w) b, y = Split<axis=1>(a) z = Neg(b)", "bayes-e", "bbc"),
    (f"a = {CONV}(x, w) b = BatchNormalization(a, c, c, c, c) y = Neg(a)", "bayes-e", "bbc"),
    (f"a = Neg(x) b = BatchNormalization(a, c, c, c, c) d = Neg(b) y = {CONV}(d, w)", "bayes-e", "cccb"),
    (f"a = {CONV}(x, w) b = Tanh(a) y = Max(b, n)", "bayes-e", "bbc"),
    (f"a = {CONV}(x, w) b = Tanh(a) d = Max(b, n) y = {CONV}(d, w)", "bayes-e", "bbbb"),
    (f"a = {CONV}(x, w) b = Tanh(a) y = Cos(b)", "bernoulli2", "bcc"),
    (f"a = {CONV}(x, w) b = Tanh(a) y = Cos(b)", "bayes-e", "bbb"),
    (f"a = {CONV}(x, w) b = Tanh(a) d = Cos(b) y = {CONV}(d, w)", "bernoulli2", "bbbb"),
    (f"a = {CONV}(x, w) b = Tanh(a) y = Mul(a, b)", "bernoulli2", "bbc"),
    (f"a = {CONV}(x, w) s = {HARD}(a) y = Mul(a, s)", "bernoulli2", "bfb"),
    (f"a = {CONV}(x, w) s = HardSigmoid(a) y = Mul(a, s)", "bernoulli2", "bbc"),
    (f"a = {CONV}(x, w) b = Add(a, three) d = Clip(b, low, six) e = Mul(a, d) y = Div(e, six)", "bernoulli2", "bfffb"),
    (f"a = {CONV}(x, w) b = Tanh(a) d = {CONV}(b, w) e = Tanh(d) y = Add(b, e)", "bernoulli2", "bbbbb"),
    (f"a = {CONV}(x, w) b = {POOL}(a) y = Add(b, n)", "bernoulli2", "bbc"),
    (f"a = {CONV}(x, w) t = Transpose<perm=[0,2,3,1]>(a) y = Neg(t)", "bernoulli2", "bfc"),
    (
        f"a = {CONV}(x, w) r = Reshape(a, apart) t = Transpose<perm=[0,2,1,3,4]>(r) y = Reshape(t, joined)",
        "bernoulli2", "bccc",
    ),
    (f"a = {CONV}(x, w) b = Tanh(a) d = Cos(b) y = Log(d)", "bernoulli2", "bbcc"),
    (f"a = {CONV}(x, w) b = Tanh(a) y = Cos(b) z = {CONV}(b, w)", "bernoulli2", "bbcb"),
    (f"a = {CONV}(x, w) b = {POOL}(a) d = Tanh(b) y = Cos(d)", "bernoulli2", "bbcc"),
    (f"a = {CONV}(x, w) b = Tanh(a) r = Reshape(b, apart) t = {SWAP}(r) y = Reshape(t, joined)", "bernoulli2", "bbffb"),
    (
        f"a = {CONV}(x, w) b = {POOL}(a) r = Reshape(b, apart) t = {SWAP}(r) d = Reshape(t, joined) y = {CONV}(d, w)",
        "bernoulli2", "bbffbb",
    ),
    *((f"a = {CONV}(x, w) y = AveragePool<kernel_shape=[3,3]>(a)", march, "bb") for march in ALL),
    *((f"a = {CONV}(x, w) y = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1]>(a)", march, "bc") for march in ALL),
    *((f"a = Neg(x) b = AveragePool<kernel_shape=[3,3]>(a) y = {POOL}(b) z = {CONV}(x, w)", m, "cbcb") for m in ALL),
    (f"a = {CONV}(x, w) t = {TURN}(a) y = Neg(t)", "bayes-e", "bbc"),
    (f"a = {CONV}(x, w) t = {TURN}(a) y = Neg(a)", "bayes-e", "bcc"),
    (f"a = {CONV}(x, w) t = {TURN}(a) y = Reshape(t, five)", "bayes-e", "bbc"),
    (f"a = {CONV}(x, w) b = {POOL}(a) y = {TURN}(b)", "bayes-e", "bcc"),
    (f"a = {CONV}(x, w) t = {TURN}(a) y = Neg(t)", "bernoulli2", "bcc"),
    (f"a = {CONV}(x, w) b = AveragePool<kernel_shape=[3,3]>(a) t = {TO_NHWC}(b) y = Neg(t)", "bernoulli2", "bbfc"),
    (f"a = {CONV}(x, w) b = Tanh(a) t = {TO_NHWC}(b) y = Neg(t)", "bernoulli2", "bbfc"),
    (f"a = {CONV}(x, w) b = Relu(a) y = {TO_NHWC}(b)", "bernoulli2", "bcc"),
    (f"a = {CONV}(x, w) b = Tanh(a) d = Add(b, n) y = {CONV}(d, w)", "bernoulli2", "bbbb"),
    (f"a = {CONV}(x, w) b = Tanh(a) d = Add(b, k) y = {CONV}(d, w)", "bernoulli2", "bbcb"),
    (f"a = {CONV}(x, w) b = Tanh(a) y = Add(b, n)", "bernoulli2", "bbc"),
    (f"a = {CONV}(x, w) b = Tanh(a) d = Floor(b) y = Add(d, b)", "bernoulli2", "bbbb"),
    *((f"a = {CONV}(x, w) b = {CONV}(x, w) y = Concat<axis=1>(a, b)", march, "bbc") for march in ALL),
    *((f"a = {CONV}(x, w) b = {CONV}(a, w) y = Concat<axis=1>(a, b)", march, "bbc") for march in ALL),
    *((f"a = {CONV}(x, w) b = Tanh(a) y = Concat<axis=1>(a, b)", march, "bbb") for march in ("bayes", "bayes-e")),
    (f"a = {CONV}(x, w) y = DepthToSpace<blocksize=2>(a)", "bernoulli2", "bc"),
    (f"a = {CONV}(x, w) b = DepthToSpace<blocksize=2>(a) y = Neg(b)", "bernoulli2", "bcc"),
    (f"a = Neg(x) b = {POOL}(a) d = {CONV}(a, w) e = {CONV}(d, w)", "bernoulli2", "cbbb"),
    (f"a = Neg(x) b = {CONV}(a, w) d = Tanh(b) y = Add(a, d) z = {CONV}(d, w)", "bernoulli2", "cbbcb"),
    # Reshapes and Transposes move behind what they do not matter to
    (f"a = {CONV}(x, w) r = Reshape(a, tokens) y = Sigmoid(r)", "bernoulli2", "bfb"),
    (f"a = {CONV}(x, w) r = Reshape(a, tokens) y = Exp(r)", "bernoulli2", "bcc"),
    (
        f"a = {CONV}(x, w) r = Reshape(a, tokens) s = Sigmoid(r) b = Reshape(s, joined) y = {CONV}(b, w)",
        "bernoulli2", "bfbfb",
    ),
    (f"a = {CONV}(x, w) r = Reshape(a, flat) y = {POINT}(r, p)", "bernoulli2", "bfb"),
    (f"a = {CONV}(x, w) r = Reshape(a, flat) y = {CONV}(r, w)", "bernoulli2", "bcb"),
    (f"a = {CONV}(x, w) r = Reshape(a, tokens) y = Sigmoid(r) z = Neg(r)", "bernoulli2", "bcbc"),
    (f"a = {CONV}(x, w) r = Reshape(a, tokens) s = Sigmoid(r) b = Tanh(r) y = Add(s, b)", "bernoulli2", "bfbbb"),
    (f"a = {CONV}(x, w) r = Reshape(a, flat) s = Sigmoid(r) b = Tanh(r) y = Add(s, b)", "bernoulli2", "bfbbc"),
    (f"a = {CONV}(x, w) t = {TURN}(a) s = Sigmoid(t) b = {TURN}(s) y = {POINT}(b, p)", "bernoulli2", "bfbfb"),
    (f"a = {CONV}(x, w) t = {TO_NHWC}(a) b = MatMul(t, v) y = Add(b, t)", "bernoulli2", "bfbf"),
    (f"{TO_TOKENS} b = MatMul(t, v) s = Sigmoid(b) y = MatMul(s, u)", "bernoulli2", "bffbbb"),
    (f"{TO_TOKENS} b = MatMul(t, v) y = Add(b, t)", "bernoulli2", "bccbc"),
    (f"{TO_TOKENS} b = MatMul(t, v) y = Softmax<axis=2>(t)", "bernoulli2", "bccbc"),
    (f"{FAR} b = MatMul(t, v) s = Sigmoid(b) y = MatMul(s, u)", "bernoulli2", "ccbbb"),
    (f"{FAR} b = MatMul(t, v) y = Add(b, t)", "bernoulli2", "ccbc"),
    (f"{FAR} s = Sigmoid(t) y = MatMul(s, v)", "bernoulli2", "cccb"),
    (f"{FAR} s = Relu(t) y = MatMul(s, v)", "bernoulli2", "cccb"),
    (f"{TO_TOKENS} {NORM} y = MatMul(z, v)", "bernoulli2", "bffccbcfbbb"),
    (f"{FAR} {NORM} y = MatMul(z, v)", "bernoulli2", "ccccccfccb"),
    (f"{FAR} b = MatMul(t, v) {NORM.replace('(t', '(b')} y = MatMul(z, u)", "bernoulli2", "ccbccbcfbbb"),
    (
        f"a = {CONV}(x, w) m = ReduceMean<axes=[3]>(a) s = Sqrt(m) b = Div(a, s) y = {POINT}(b, p)",
        "bernoulli2", "bcccb",
    ),
    (f"a = {CONV}(x, w) b = Tanh(a) s = Sqrt(b) y = Div(x, s)", "bernoulli2", "bbbc"),
    (f"m = ReduceMean<axes=[1,2,3]>(x) s = Sqrt(m) b = Div(x, s) y = {POINT}(b, p)", "bernoulli2", "cccb"),
    (f"m = ReduceMean<axes=[1,2,3]>(x) s = Sigmoid(m) b = Mul(x, s) y = {POINT}(b, p)", "bernoulli2", "cbcb"),
    *((f"a = {FAR_PAD} y = Sigmoid(b)", march, "ccb") for march in ALL),
    *((f"a = {FAR_PAD} y = Sigmoid(b) z = Sigmoid(a)", march, "cbbb") for march in ALL),
    *(("b = Pad(x, some) d = Pad<mode=\"edge\">(b, some) y = Sigmoid(d)", march, "bbb") for march in ALL),
    (f"a = {FAR_PAD} y = Conv<kernel_shape=[1, 1]>(b, p)", "bernoulli2", "cfb"),
    (f"{THIN} y = Gemm(q, v)", "bernoulli2", "cccfb"),
    (f"{THIN} y = Gemm(q, v) z = Softmax<axis=1>(q)", "bernoulli2", "ccccbc"),
    (f"a = {CONV}(x, w) y = Clip(a, half)", "bernoulli2", "bb"),
    (f"a = {CONV}(x, w) y = Clip(a, low, six)", "bernoulli2", "bc"),
    (
        f"a = {CONV}(x, w) g = GlobalAveragePool(a) r = Reshape(g, wide) y = Conv<kernel_shape=[1, 1]>(r, o)",
        "bernoulli2", "bbfb",
    ),
    (f"{BARE} b = Slice(r, one, eight, two) q = Reshape(b, half_wide) y = {CONV}(q, w)", "bernoulli2", "bfbfb"),
    (
        f"{BARE} b, e = Split<axis=1>(r) q = Reshape(b, half_high) d = {CONV}(q, w) y = Neg(e)",
        "bernoulli2",
        "bfbfbc",
    ),
    (f"a = {CONV}(x, w) r = Reshape(a, tokens) b = Slice(r, one, eight, two) y = Neg(b)", "bernoulli2", "bccc"),
    (f"a = {CONV}(x, w) g = GlobalAveragePool(a) r = Reshape(g, pixel) y = Neg(r)", "bernoulli2", "bbfc"),
    (
        f"a = {CONV}(x, w) g = GlobalAveragePool(a) r = Reshape(g, pixel) s = Reshape(g, row) d = Neg(r) y = Neg(s)",
        "bernoulli2",
        "bbcccc",
    ),
    (f"a = {CONV}(x, w) y = Add(a, whole)", "bernoulli2", "bf"),
    (f"a = {CONV}(x, w) b = Tanh(a) y = Add(b, whole)", "bernoulli2", "bbb"),
    (f"a = Neg(x) b = Add(a, whole) y = {CONV}(b, w)", "bernoulli2", "cbb"),
    (
        f"a = {CONV}(x, w) t = {TO_NHWC}(a) h = Softmax<axis=3>(t) d = Add(t, h) q = {TO_NCHW}(d) y = {CONV}(q, w)",
        "bernoulli2",
        "bfccfb",
    ),
    (f"a = Reshape(x, tokens) {BOTH} y = {CONV}(d, w)", "bernoulli2", "cccffcb"),
    (f"a = Reshape(x, apart) {BOTH} y = {CONV}(d, w)", "bernoulli2", "cccffcb"),
    (f"{BATCH} {NORM} y = Sigmoid(z)", "bernoulli2", "bcffccbcfbcb"),
    (f"{TO_TOKENS} {MIXED} f = {TO_NCHW}(e) y = {CONV}(f, w)", "bernoulli2", "bccbcffcfb"),
    (f"{THIRTEEN} y = GlobalAveragePool(b)", "bernoulli2", "bbc"),
    (f"{THIRTEEN} d = GlobalAveragePool(b) y = {POINT}(d, p)", "bernoulli2", "bbbb"),
    ("a = AveragePool<kernel_shape=[4,4]>(x) b = Sigmoid(a) y = GlobalAveragePool(b)", "bernoulli2", "bbb"),
    (
        f"a = {CONV}(x, w) b = {MOST}(a) r = Reshape(b, quads) s = Sigmoid(r) d = Unsqueeze<axes=[2]>(s) y = Neg(d)",
        "bernoulli2",
        "bcfbcc",
    ),
    (
        f"a = {CONV}(x, w) r = Reshape(a, tokens) b = MatMul(v, r) q = Reshape(b, joined) y = Sigmoid(q)",
        "bernoulli2",
        "bfbfb",
    ),
    (
        f"a = {CONV}(x, w) g = GlobalAveragePool(a) f = Flatten(g) b = Gemm(f, v) d = Gemm(f, u) y = Add(b, d)",
        "bernoulli2",
        "bbfbbf",
    ),
    ("a = Tanh(x) b = Mul(a, k) y = Add(b, a)", "bernoulli2", "bbf"),
    (f"a = {CONV}(x, w) g = GlobalAveragePool(a) y = Flatten(g)", "bayes-e", "bbf"),
    (f"a = {CONV}(x, w) g = GlobalAveragePool(a) y = Squeeze<axes=[2,3]>(g)", "bayes", "bbf"),
    (f"a = {CONV}(x, w) g = GlobalAveragePool(a) d = {POINT}(g, p) y = Flatten(d)", "bayes-e", "bbbc"),
    (f"a = {CONV}(x, w) g = GlobalAveragePool(a) f = Flatten(g) y = Softmax<axis=1>(f)", "bayes-e", "bbcc"),
    # pairs of QuantizeLinear and DequantizeLinear say a scale, and are gone
    *((f"{SCALED} b = {POOL}(a) {scaled('b')} y = Neg(d_b)", march, "ffbbffc") for march in ALL),
    *((f"{SCALED} {scaled('a')} y = {POOL}(d_a)", march, "ffbffb") for march in ALL),
    *((f"{SCALED} b = Neg(a) {scaled('b')} d = {POOL}(d_b) y = Neg(d)", march, "ffbcffbc") for march in ALL),
    *((f"{SCALED} {scaled('a')} b = Add(d_a, d0) {scaled('b')}", march, "ffbfffff") for march in ALL),
    (f"{SCALED} b = Cos(a) {scaled('b')}", "bernoulli2", "ffbcff"),
    (f"{SCALED} {scaled('a')} b = Mul(d_a, d0) {scaled('b')}", "bernoulli2", "ffbffbff"),
    # constants that are no numbers per channel
    *((f"a = {CONV}(x, w) b = Add(a, {k}) y = {CONV}(b, w)", "bernoulli2", "bcb") for k in ("pixels", "line")),
    *((f"a = {CONV}(x, w) b = {op}(a, line) y = {CONV}(b, w)", "bernoulli2", "bcb") for op in ("Mul", "Div")),
    *((f"a = Tanh(x) b = {op}(a, pixels) y = {CONV}(b, w)", "bernoulli2", "bbb") for op in ("Mul", "Div")),
    *((f"a = Tanh(x) b = Mul(a, {k}) y = Neg(b)", "bernoulli2", "bcc") for k in ("pixels", "whole", "line")),
    ("a = Tanh(x) b = Div(a, whole) y = Neg(b)", "bernoulli2", "bcc"),
    (f"a = Tanh(x) b = Mul(a, k) d = Add(b, pixels) y = {CONV}(d, w)", "bernoulli2", "bbcb"),
    *((f"a = Tanh(x) b = Mul(a, k) d = {op}(b, n) y = Neg(d)", "bernoulli2", "bbfc") for op in ("Add", "Sub")),
    # a Slice reads floats of the CPU as they are
    *((f"a = Neg(x) b = {POOL}(a) d = Slice(b, one, two, axis) y = Sigmoid(d)", march, "ccbb") for march in ALL),
    *((f"a = Neg(x) b = {POOL}(a) d = Slice(b, one, two, axis) y = Cos(d) z = Tanh(b)", m, "cbbbb") for m in LATER),
    *((f"a = Neg(x) b = Slice(a, one, two, axis) y = Sigmoid(b) z = {POOL}(a)", march, "cbbc") for march in ALL),
    *(("a = Neg(x) b = Slice(a, one, two, axis) y = Sigmoid(b) z = Neg(b)", march, "ccbc") for march in ALL),
    *((f"a = Neg(x) b = {WIDER}(a, c, twice) y = {CONV}(b, w)", march, "ccb") for march in ALL),
    *((f"a = Neg(x) s = Sigmoid(a) b = {WIDER}(s, c, twice) y = {CONV}(b, w)", march, "cbbb") for march in ALL),
    *((f"a = {first}(x) b = {WIDER}(a, c, twice) y = Sigmoid(b)", "bernoulli2", "ccb") for first in FLOATS),
    *((f"a = {first} b = {WIDER}(a, c, twice) y = Sigmoid(b)", "bernoulli2", "cbb") for first in QUANTISED),
    (f"a = {CONV}(x, w) b = {POOL}(a) d = {MIRROR}(b, some) y = Sigmoid(d)", "bernoulli2", "bbcb"),
    (f"a = Cos(x) d = {MIRROR}(a, some) y = Sigmoid(d)", "bernoulli2", "bcb"),
]  # fmt: skip

TWICE = f"{TO_TOKENS} b = MatMul(t, v) e = Relu(b) d = MatMul(e, u) f = Transpose<perm=[0,2,1]>(d)"
ROW = "g = GlobalAveragePool(x) r = Reshape(g, pixel) b = MatMul(r, v)"
GROWN = f"{TO_TOKENS} b = MatMul(t, outwards)"
BACK = "d = MatMul(t, outwards) s = Relu(d) b = MatMul(s, inwards) f = Transpose<perm=[0,3,1,2]>(b)"
LAST = f"a = {CONV}(x, w) t = Transpose<perm=[0,2,3,1]>(a)"
TWO = f"a = {CONV}(x, w) b = {CONV}(x, w) d = Add(a, b)"
SURE = "z = Sigmoid(x)"
BESIDE = f"a = Neg(x) e = {CONV}(x, w) b = Concat<axis=1>(a, e)"
CHOSEN = "a = Sigmoid(x) g = Greater(x, k)"
RANKED = "s = Sigmoid(x) m, i = TopK<axis=3>(s, four) b = GatherElements<axis=3>(s, i) y = Tanh(b)"
LONG = "a = Sigmoid(x) r = Reshape(a, strip) t = Concat<axis=2>(r, r, r) b = InstanceNormalization(t, alone, alone)"
INTEGERS = f"{scaled('x')} g = GlobalAveragePool(d_x) {scaled('g')} f = Flatten(d_g)"
PIXELS = "m = ReduceMax<axes=[1]>(x) g = Greater(m, k) b = Where(g, x, k)"
PIECE = f"a = Neg(x) t = {TO_NHWC}(a)"
LATE = f"a = {CONV}(x, w) b = Relu(a) t = {TO_NHWC}(b)"
DOUBLE = "a = Neg(x) t = Transpose<perm=[1,0,2,3]>(a) s = Transpose<perm=[1,0,2,3]>(a)"
STACK = "Transpose<perm=[1,0,2,3]>"
FLAT = "r = Reshape(x, flatter) g = Gemm(r, v)"
LAID = f"m = Mul(q, c) t = {TO_NCHW}(m) y = {CONV}(t, w)"
NINE = "AveragePool<kernel_shape=[9,9], pads=[4,4,4,4]>"
PAIR = f"a = {CONV}(x, w) b = {POINT}(x, thin)"
OBLONG = f"e = MaxPool<kernel_shape=[1,2], strides=[1,2]>(x) a = {CONV}(e, w) t = {TO_NHWC}(a) r = Reshape(t, fewer)"
SQUARE = f"a = {CONV}(x, w) t = {TO_NHWC}(a) r = Reshape(t, turned)"
PARTED = [
    # nodes, march, their devices and how many segments; the products of many channels are two each
    (f"{GROWN} y = Add(b, bias)", "bernoulli2", "bffbc", 1),
    (f"{GROWN} y = Relu(b)", "bernoulli2", "bffbb", 2),
    (f"{GROWN} d = Add(b, bias) s = Relu(d) y = MatMul(s, inwards)", "bernoulli2", "bffbbbb", 2),
    (f"{GROWN} s = Relu(b) d = MatMul(s, inwards) y = Add(d, c)", "bernoulli2", "bffbbbc", 2),
    (f"{LAST} b = MatMul(t, outwards) y = Relu(b)", "bernoulli2", "bfbb", 1),
    (f"{LAST} b = MatMul(t, outwards) s = Relu(b) y = MatMul(s, inwards)", "bernoulli2", "bfbbb", 1),
    (f"{LAST} b = MatMul(t, out_odd) s = Relu(b) y = MatMul(s, in_odd)", "bernoulli2", "bfbbb", 1),
    (f"{LAST} b = MatMul(t, out_far) y = Sigmoid(b)", "bernoulli2", "bfcb", 2),
    ("s = Reshape(x, tokens) y = MatMul(s, out_batch)", "bernoulli2", "cb", 1),
    (f"{LAST} g = Sigmoid(t) b = MatMul(g, outwards) y = Relu(b)", "bernoulli2", "bfbbb", 1),
    (f"{LAST} {BACK} y = {POINT}(f, p)", "bernoulli2", "bfbbbfb", 1),
    # a row of a constant does not pass the movement behind a product of one row
    (f"{ROW} y = Add(b, c)", "bernoulli2", "bfbc", 1),
    (f"{ROW} y = Add(b, k)", "bernoulli2", "bfbf", 1),
    (f"{ROW} d = Add(b, c) s = Relu(d) y = MatMul(s, u)", "bernoulli2", "bfbbbb", 3),
    (f"a = {CONV}(x, w) r = Reshape(a, squares) y = {POINT}(r, p)", "bernoulli2", "bcb", 2),
    (f"a = {CONV}(x, w) r = Reshape(a, upright) y = {POINT}(r, p)", "bernoulli2", "bfb", 1),
    (f"{TO_TOKENS} b = MatMul(t, v) d = Add(b, c) s = Relu(d) y = MatMul(s, v)", "bernoulli2", "bffbffb", 1),
    (f"{TWICE} g = Reshape(f, joined) y = {POINT}(g, p)", "bernoulli2", "bffbfbffb", 1),
    ("g = GlobalAveragePool(x) r = Reshape(g, pixel) y = MatMul(r, far_row)", "bernoulli2", "bfb", 1),
    # nothing is added to what a convolution has added a shortcut to
    (f"{TWO} y = Add(d, n)", "bernoulli2", "bbfc", 1),
    (f"{TWO} y = Mul(d, n)", "bernoulli2", "bbff", 1),
    (f"{TWO} y = Add(d, n)", "bayes-e", "bbff", 1),
    (f"a = {CONV}(x, w) b = Add(a, tiny) s = Sqrt(b) y = Reciprocal(s)", "bernoulli2", "bfcc", 1),
    (f"a = {CONV}(x, w) b = Add(a, tiny) y = Sqrt(b)", "bernoulli2", "bfb", 1),
    (f"a = {CONV}(x, w) r = Reshape(a, squares) q = Reshape(r, joined) y = {CONV}(q, w)", "bernoulli2", "bffb", 1),
    # the root of a norm is on the BPU
    (f"a = {CONV}(x, w) b = ReduceL2<axes=[1]>(a) y = Neg(b)", "bernoulli2", "bcc", 2),
    (f"a = {CONV}(x, w) r = Reshape(a, tokens) b = ReduceL2<axes=[1]>(r) y = Neg(b)", "bernoulli2", "bccc", 1),
    (f"a = {CONV}(x, w) r = Reshape(a, heads) b = ReduceL2<axes=[3]>(r) y = Div(r, b)", "bernoulli2", "bccc", 1),
    # a filter has 32768 elements at most
    (f"a = {POINT}(x, fan_out) b = {FILTER}(a, fan_in) y = {POINT}(b, p)", "bernoulli2", "bcb", 2),
    (f"a = {POINT}(x, fan_out) b = {LESSER}(a, less_in) y = {POINT}(b, p)", "bernoulli2", "bbb", 1),
    # a product of two computed values has its maps channels first, all others have them last
    (f"{PAIR} d = MatMul(a, b) y = {POINT}(d, p)", "bernoulli2", "bbbb", 3),
    (f"{PAIR} d = MatMul(a, b) y = MatMul(d, b)", "bernoulli2", "bbbb", 2),
    (f"{PAIR} d = MatMul(a, b) s = Slice(d, one, two, axis) y = MatMul(s, b)", "bernoulli2", "bbbbb", 4),
    (f"{PAIR} t = {TURN}(a) y = MatMul(t, b)", "bernoulli2", "bbcb", 2),
    (f"{PAIR} d = MatMul(a, b) t = {TURN}(d) y = {POINT}(t, p)", "bernoulli2", "bbbfb", 3),
    # the pixels of a map that is not square become rows, and a map again, where a product is in between
    (f"{OBLONG} y = MatMul(r, v)", "bernoulli2", "bbffb", 1),
    (f"{OBLONG} b = MatMul(r, v) q = Reshape(b, fewest) f = {TO_NCHW}(q) y = Add(f, e)", "bernoulli2", "bbffbfff", 1),
    (f"{SQUARE} y = MatMul(r, v)", "bernoulli2", "bfcb", 2),
    # a Transpose of dims of 1 is a Reshape, and of two Reshapes before a Gemm the first one stays
    (f"a = Tanh(x) r = Reshape(a, upright) t = {EXCHANGE}(r) y = Reshape(t, joined)", "bernoulli2", "bfff", 1),
    (f"a = {CONV}(x, w) r = Reshape(a, upright) t = {EXCHANGE}(r) y = Neg(t)", "bernoulli2", "bcfc", 1),
    ("a = Neg(x) r = Reshape(a, fours) q = Reshape(r, flatter) y = Gemm(q, v)", "bernoulli2", "ccfb", 1),
    # a piece of floats, behind which channels go to the front, has them last as others do
    (f"{PIECE} s = Slice(t, one, two, axis) f = {TO_NCHW}(s) y = {CONV}(f, w)", "bernoulli2", "ccbfb", 1),
    (f"{PIECE} s = Slice(t, one, two, axis) f = {TURN}(s) y = Sigmoid(f)", "bernoulli2", "ccbfb", 2),
    (f"{LATE} s = Slice(t, one, two, axis) f = {TO_NCHW}(s) y = {POINT}(f, p)", "bernoulli2", "bccbfb", 2),
    (f"a = {CONV}(x, w) b = Relu(a) d = {NINE}(b) y = Sigmoid(d)", "bernoulli2", "bfcb", 2),
    # a row of a constant does not pass the Reshape of a matrix to three dims
    (f"{FLAT} h = Reshape(g, turned) q = Reshape(h, rest) {LAID}", "bernoulli2", "cbffcfb", 2),
    (f"{FLAT} q = Reshape(g, rest) {LAID}", "bernoulli2", "cbfffb", 2),
    # what is the same for the whole batch
    (f"t = {STACK}(x) s = Sigmoid(t) b = {POINT}(x, thin) d = Mul(s, b) y = Tanh(d)", "bernoulli2", "fbbbb", 2),
    # equal movements are one; one that only the CPU reads is there, whatever that asks for
    (f"{DOUBLE} d = Neg(t) e = Softmax<axis=1>(s) y = Add(d, e) {SURE}", "bernoulli2", "ccfcccb", 1),
    (f"a = Tanh(x) t = {EXCHANGE}(a) b = Neg(t) y = Mul(t, b)", "bernoulli2", "bccc", 1),
    # an Add of the CPU asks for nothing
    (f"a = Neg(x) b = Add(a, whole) d = Add(b, k) y = Softmax<axis=2>(d) {SURE}", "bernoulli2", "ccccb", 1),
    (f"a = Neg(x) b = Add(a, whole) y = {CONV}(b, w)", "bernoulli2", "cbb", 1),
    (f"{BESIDE} d = {WIDER}(b, c, twice) y = Sigmoid(d)", "bernoulli2", "cbbbb", 1),
    *((f"a = Neg(x) b = Sigmoid(x) d = Mul(a, b) y = {POINT}(d, p)", march, "cbbb", 1) for march in ALL),
    *((f"b = Sigmoid(x) a = Neg(b) d = Mul(a, b) y = {POINT}(d, p)", march, "bcbb", 2) for march in ALL),
    *((f"a = Sigmoid(x) g = Greater(x, k) b = Where(g, a, k) y = {POINT}(b, p)", march, "bcbb", 1) for march in ALL),
    *((f"{PIXELS} y = {POINT}(b, p)", m, "bcbb", 2) for m in LATER),
    # a Where is the sum of two products: floats, but of two computed values beside the X3
    *((f"{CHOSEN} b = Where(g, a, k) y = {POOL}(b)", march, "bcbc", 1) for march in ALL),
    (f"{CHOSEN} e = Tanh(x) b = Where(g, a, e) y = {POOL}(b)", "bernoulli2", "bcbbc", 1),
    *((f"{CHOSEN} e = Tanh(x) b = Where(g, a, e) y = {POOL}(b)", march, "bcbbb", 1) for march in LATER),
    # integers that the CPU reads, too, pass a Cast there
    *((RANKED, march, "bbbb", 1) for march in LATER),
    *((f"{RANKED} r = Cast<to=1>(i) z = Tanh(r)", march, "bbbbcb", 3) for march in LATER),
    # the means of a long row are on the CPU, what is between them is a segment
    (f"{LONG} y = Tanh(b)", "bayes-e", "bbbbb", 3),
    (f"{LONG} y = Tanh(b)", "bayes", "bbbbb", 1),
    # the Reshape behind a product by a constant reads the integers that the graph gives out
    *((f"{INTEGERS} b = Gemm(f, v) y = QuantizeLinear(b, scale, zero)", march, "ffbfffbc", 2) for march in LATER),
    # what hands on a scale on the CPU, to a MaxPool and a Resize
    (f"a = Sigmoid(x) b = ReduceMax<axes=[3]>(a) y = {POOL}(b)", "bernoulli2", "bcb", 2),
    (f"a = Neg(x) b = ReduceMax<axes=[3]>(a) y = {POOL}(b) {SURE}", "bernoulli2", "cccb", 1),
    # a Concat of what lookups make is on the CPU of the X3, if nothing asks for these
    ("a = Sigmoid(x) b = Tanh(x) y = Concat<axis=1>(a, b)", "bernoulli2", "bbc", 1),
    ("a = Sigmoid(x) b = Tanh(x) y = Concat<axis=1>(a, b)", "bayes-e", "bbb", 1),
    ("a = Relu(x) b = Tanh(x) y = Concat<axis=1>(a, x)", "bernoulli2", "bbb", 1),
    (f"a = {POOL}(x) b = Tanh(x) y = Concat<axis=1>(a, x)", "bernoulli2", "bbb", 1),
    *((f"a = {CONV}(x, w) y = Concat<axis=1>(a, x)", march, "bc", 1) for march in ALL),
    *(("a = Neg(x) b = Sigmoid(a) d = Sigmoid(x) y = Concat<axis=1>(d, a)", m, "cbbb", 1) for m in LATER),
    # a product reads what is moved for others anyway
    (f"{TO_TOKENS} b = MatMul(t, v) y = Neg(t)", "bernoulli2", "bccbc", 2),
    (f"{TO_TOKENS} b = MatMul(t, v) y = Neg(r)", "bernoulli2", "bcfbc", 2),
    (f"{TO_TOKENS} b = MatMul(t, v) y = MatMul(t, u)", "bernoulli2", "bffbb", 1),
    *(
        (f"a = Sigmoid(x) b = Slice(a, one, first, two) r = Reshape(b, kernels) y = Conv(x, r) {SURE}", march, parts, 1)
        for march, parts in (("bernoulli2", "bbccb"), ("bayes", "bbbcb"), ("bayes-e", "bbbcb"))
    ),
    *(("a = Sigmoid(x) b = Slice(a, back, far, two, back) y = Tanh(b)", march, "bcb", 2) for march in ALL),
    # the result of a dilated or transposed convolution is quantised
    *((f"a = {DILATED}(x, w) y = {op}", "bernoulli2", "bb", 1) for op in ("Relu(a)", "Clip(a, low, six)")),
    *((f"a = {DILATED}(x, w) y = {POOL}(a)", march, "bb", 1) for march in ALL),
    *((f"a = {DILATED}(x, w) b = {CONV}(x, w) y = Concat<axis=1>(a, b)", march, "bbc", 1) for march in LATER),
    (f"a = {DILATED}(x, w) b = Relu(a) y = Neg(b)", "bernoulli2", "bbc", 1),
    (f"a = {DILATED}(x, w) y = Concat<axis=1>(a, x)", "bernoulli2", "bb", 1),
    (f"a = {DILATED}(x, w) b = {CONV}(x, w) y = Concat<axis=1>(a, b)", "bernoulli2", "bbc", 1),
    (f"a = {WIDENED}(x, up) y = Concat<axis=1>(a, a)", "bernoulli2", "bb", 1),
    (f"a = {DILATED}(x, w) y = Cos(a) z = Neg(a)", "bernoulli2", "bcc", 1),
    (f"a = {DILATED}(x, w) b = {POOL}(a) y = Cos(b)", "bernoulli2", "bbc", 1),
    (f"a = {DILATED}(x, w) b = Cos(a) y = {CONV}(b, w)", "bernoulli2", "bbb", 1),
    (f"a = {DILATED}(x, w) b = Cos(a) d = {POOL}(b) y = Tanh(d)", "bernoulli2", "bbbb", 1),
    (f"a = {WIDENED}(x, up) b = Slice(a, one, two, axis) y = Cos(b) z = Neg(b)", "bernoulli2", "bbcc", 1),
    # a Softmax over channels of what is quantised is on the BPU, and its result is floats
    ("a = Tanh(x) y = Softmax<axis=1>(a)", "bernoulli2", "bb", 1),
    (f"a = {CONV}(x, w) y = Softmax<axis=1>(a)", "bernoulli2", "bc", 1),
    (f"a = {CONV}(x, w) y = Softmax<axis=1>(a) z = {POINT}(a, p)", "bernoulli2", "bbb", 1),
    ("a = Tanh(x) y = Softmax<axis=3>(a)", "bernoulli2", "bc", 1),
    (f"a = Neg(x) y = Softmax<axis=1>(a) z = {CONV}(a, w)", "bernoulli2", "ccb", 1),
    (f"a = Tanh(x) b = Softmax<axis=1>(a) y = {POOL}(b)", "bernoulli2", "bbc", 1),
    ("a = Tanh(x) b = Softmax<axis=1>(a) y = Cos(b)", "bernoulli2", "bbc", 1),
    ("a = Tanh(x) b = Softmax<axis=1>(a) d = Slice(b, one, two, axis) y = Sigmoid(d)", "bernoulli2", "bbbb", 3),
    # a lookup that waits in vain asks a pool for its result, and for its input for the sake of what else reads that
    (f"a = {CONV}(x, w) b = {POOL}(a) y = Cos(b)", "bernoulli2", "bbc", 1),
    (f"a = Neg(x) b = {POOL}(a) y = Cos(b) {SURE}", "bernoulli2", "cbcb", 2),
    (f"a = {CONV}(x, w) b = Relu(a) d = {POOL}(b) y = Cos(d)", "bernoulli2", "bfbc", 1),
    (f"a = {CONV}(x, w) b = Slice(a, one, two, axis) y = Cos(b)", "bernoulli2", "bcc", 1),
    (f"a = {CONV}(x, w) y = Cos(a) z = {POOL}(a)", "bernoulli2", "bcb", 1),
    (f"a = {CONV}(x, w) y = Cos(a) z = Slice(a, one, two, axis)", "bernoulli2", "bcb", 1),
    (f"a = {CONV}(x, w) y = LeakyRelu(a) z = {POOL}(a)", "bernoulli2", "bcc", 1),
    (f"a = {CONV}(x, w) b = Tanh(a) y = Elu(b) z = Floor(b)", "bernoulli2", "bccc", 1),
    ("a = Relu(x) b = Tanh(x) d = Concat<axis=1>(a, x) y = Cos(d)", "bernoulli2", "bbcc", 1),
    (f"a = {CONV}(x, w) b = Cos(a) d = Max(b, k) y = Tanh(d)", "bernoulli2", "bccb", 2),
    (f"a = {CONV}(x, w) b = LeakyRelu(a) d = Max(b, k) y = Tanh(d)", "bernoulli2", "bbcb", 2),
    (f"a = {CONV}(x, w) b = Cos(a) d = ReduceMax<axes=[3]>(b) y = Tanh(d)", "bernoulli2", "bbcb", 2),
    (f"a = {CONV}(x, w) b = Floor(a) d = Slice(b, one, two, axis) y = Tanh(d)", "bernoulli2", "bcbb", 3),
    (f"a = {CONV}(x, w) b = Floor(a) d = {WIDER}(b, c, twice) y = Tanh(d)", "bernoulli2", "bccb", 2),
    (f"a = {CONV}(x, w) b = Floor(a) d = {POOL}(b) y = Tanh(d)", "bernoulli2", "bbbb", 1),
    (f"a = {CONV}(x, w) b = Cos(a) d = Slice(b, one, two, axis) y = Tanh(d)", "bernoulli2", "bbbb", 1),
    (f"a = {CONV}(x, w) b = Cos(a) d = {WIDER}(b, c, thrice) y = Tanh(d)", "bernoulli2", "bbcb", 2),
    # a sum of two values is a convolution: its result is floats
    (f"a = Tanh(x) b = Sigmoid(x) d = Add(a, b) y = {POOL}(d)", "bernoulli2", "bbbc", 1),
    ("a = Tanh(x) d = Add(a, x) y = Relu(d)", "bernoulli2", "bbc", 1),
    ("a = Tanh(x) d = Add(a, x) y = Slice(d, one, two, axis)", "bernoulli2", "bbc", 1),
    (f"a = Tanh(x) d = Add(a, x) y = {POOL}(d) z = Tanh(d)", "bernoulli2", "bbbb", 1),
    ("a = Tanh(x) b = Sigmoid(x) d = Add(a, x) y = Add(d, b)", "bernoulli2", "bbbb", 1),
    ("a = Tanh(x) d = Add(a, x) y = Mul(d, n)", "bernoulli2", "bbb", 1),
    *((f"a = Tanh(x) b = Sigmoid(x) d = Add(a, b) y = {POOL}(d)", march, "bbbb", 1) for march in LATER),
    # a Clip from 0 is asked for as another lookup where a convolution does not take it up, as others read that, too
    (f"a = {CONV}(x, w) y = Clip(a, low, six) z = Neg(a)", "bernoulli2", "bbc", 1),
    (f"a = {CONV}(x, w) y = Clip(a, low, six) z = Clip(a, low, three)", "bernoulli2", "bbb", 1),
    (f"a = {CONV}(x, w) y = Clip(a, low, six) z = {POOL}(a)", "bernoulli2", "bbb", 1),
    (f"a = {CONV}(x, w) b = BatchNormalization(a, c, c, c, c) y = Concat<axis=1>(b, a)", "bernoulli2", "bbc", 1),
    (
        f"a = {CONV}(x, w) r = Reshape(a, apart) t = {SWAP}(r) y = Reshape(t, joined) z = Tanh(a)",
        "bernoulli2", "bffbb", 1,
    ),
    # what an activation is of may be made by one of its operators
    *((f"a = Tanh(x) s = Sigmoid(a) d = Mul(a, s) y = {CONV}(d, w)", march, "bfbb", 1) for march in ALL),
    *((f"a = Mul(x, n) s = Sigmoid(a) d = Mul(a, s) y = {CONV}(d, w)", march, "bfbb", 1) for march in ALL),
]  # fmt: skip
SILU = "s = Sigmoid(a) b = Mul(a, s)"
SHARED = "y = Neg(b) z = Transpose<perm=[0,3,1,2]>(b)"
FAULTS = [
    # nodes, march, the rule that refuses it; "" where it is taken
    *(("t = Sqrt(x) y = Reciprocal(t) z = Neg(t)", march, "shared_roots") for march in ALL),
    *(("t = Sqrt(x) y = Div(x, t) z = Tanh(t)", march, "shared_roots") for march in ALL),
    *(("t = Sqrt(x) y = Div(x, t) b = Tanh(x) z = Div(b, t)", march, "shared_roots") for march in ALL),
    *(("t = Sqrt(x) y = Div(t, x) z = Tanh(t)", march, "") for march in ALL),
    *(("t = Sqrt(x) y = Reciprocal(t) z = Tanh(x)", march, "") for march in ALL),
    (f"a = {DILATED}(x, w) y = Cos(a)", "bernoulli2", "stranded"),
    (f"a = {DILATED}(x, w) y = Cos(a) z = Floor(a)", "bernoulli2", "stranded"),
    (f"a = {DILATED}(x, w) b = Relu(a) y = Cos(b)", "bernoulli2", "stranded"),
    (f"a = {DILATED}(x, w) b = Mul(a, n) d = Slice(b, one, two, axis) y = Floor(d)", "bernoulli2", "stranded"),
    (f"a = {DILATED}(x, w) b = ReduceMax<axes=[3]>(a) y = Floor(b)", "bernoulli2", "stranded"),
    (f"a = {DILATED}(x, w) b = Floor(a) d = Pad(b, some) y = Tanh(d)", "bernoulli2", "stranded"),
    (f"a = {DILATED}(x, w) b = Cos(a) d = Pad(b, some) y = Tanh(d)", "bernoulli2", ""),
    (f"a = {CONV}(x, w) y = Cos(a)", "bernoulli2", ""),
    (f"a = {DILATED}(x, w) b = Tanh(a) y = Cos(b)", "bernoulli2", ""),
    (f"a = {DILATED}(x, w) y = Cos(a)", "bayes-e", ""),
    (f"a = {WIDENED}(x, up) y = Cos(a) {SURE}", "bernoulli2", "stranded"),
    (f"a = {WIDENED}(x, up) b = Slice(a, one, two, axis) y = Cos(b) {SURE}", "bernoulli2", "stranded"),
    (f"a = {WIDENED}(x, up) b = {POOL}(a) y = Cos(b) {SURE}", "bernoulli2", ""),
    (f"a = {CONV}(x, w) {SILU} y = Elu(b)", "bernoulli2", "stranded"),
    (f"a = {CONV}(x, w) {SILU} y = Elu(b) z = Floor(b)", "bernoulli2", "stranded"),
    (f"a = {CONV}(x, w) {SILU} d = Floor(b) e = Max(d, k) y = Tanh(e)", "bernoulli2", "stranded"),
    (f"a = {CONV}(x, w) {SILU} y = Elu(b) z = Neg(b)", "bernoulli2", ""),
    (f"a = {CONV}(x, w) {SILU} d = Elu(b) y = {POINT}(d, p)", "bernoulli2", ""),
    (f"a = {CONV}(x, w) y = PRelu(a, n) z = {POINT}(a, p)", "bernoulli2", "sloped"),
    ("a = Sigmoid(x) y = LeakyRelu(x)", "bernoulli2", "sloped"),
    (f"a = {CONV}(x, w) b = LeakyRelu(a) y = Floor(b)", "bernoulli2", "sloped"),
    (f"a = {CONV}(x, w) y = LeakyRelu(a)", "bernoulli2", ""),
    ("a = Neg(x) y = LeakyRelu(a) z = Sigmoid(a)", "bernoulli2", ""),
    ("a = ReduceMean<axes=[1]>(x) y = LeakyRelu(a) z = Sigmoid(a)", "bernoulli2", ""),
    *(("a = Sigmoid(x) y = PRelu(x, n)", march, "") for march in LATER),
    (f"a = Tanh(x) b = Softmax<axis=1>(a) y = {POINT}(b, p)", "bernoulli2", "looped"),
    ("a = Tanh(x) b = Softmax<axis=1>(a) y = Relu(b)", "bernoulli2", "looped"),
    (f"a = {CONV}(x, w) b = Softmax<axis=1>(a) y = {POINT}(b, p)", "bernoulli2", ""),
    ("a = Tanh(x) b = Softmax<axis=1>(a) y = Mul(b, x)", "bernoulli2", ""),
    ("a = Tanh(x) b = Softmax<axis=1>(a) y = Add(b, x)", "bernoulli2", "looped"),
    ("y = Softmax<axis=1>(x) z = Sigmoid(x)", "bernoulli2", "forked"),
    ("m = ReduceMean<axes=[3]>(x) y = Softmax<axis=1>(m) z = Tanh(m)", "bernoulli2", "forked"),
    ("a = Tanh(x) b = Abs(x) y = Softmax<axis=1>(a) z = Sigmoid(a)", "bernoulli2", ""),
    (f"b = Tanh(x) {SHARED} d = Sigmoid(b)", "bernoulli2", "turned"),
    (f"b = {CONV}(x, w) {SHARED} d = Sigmoid(x)", "bernoulli2", "turned"),
    (f"b = Tanh(x) y = Cos(b) z = {TURN}(b) d = Sigmoid(b)", "bernoulli2", "turned"),
    (f"b = Tanh(x) y = Neg(b) z = {TO_NHWC}(b) d = Sigmoid(b)", "bernoulli2", "turned"),
    (f"b = Tanh(x) {SHARED}", "bernoulli2", ""),
    (f"a = {CONV}(x, w) b = Tanh(a) {SHARED}", "bernoulli2", ""),
    (f"b = Tanh(x) y = Max(b, k) z = {TURN}(b) d = Sigmoid(b)", "bernoulli2", "turned"),
    (f"b = Tanh(x) y = Max(b, n) z = {TURN}(b) d = Sigmoid(b)", "bernoulli2", ""),
    (f"b = Tanh(x) y = Mul(b, x) z = {TURN}(b) d = Sigmoid(b)", "bernoulli2", ""),
    (f"b = Tanh(x) y = Reshape(b, squares) z = {TURN}(b) d = Sigmoid(b)", "bernoulli2", ""),
    (f"b = Tanh(x) z = {TURN}(b) d = Sigmoid(b)", "bernoulli2", ""),
]  # fmt: skip
"""Where a graph is placed, and then fails: the rule is one of ``placed`` in the march's data."""
