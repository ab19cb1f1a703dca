"""Which channels go together: a network per operator, the groups it has, and that taking some out is sound."""

from __future__ import annotations

import pytest

from surgery.channels import analyse
from surgery.channels.reshape import factors
from surgery.channels.ties import Unclear
from tests.channels.networks import groups, is_not_missed, network
from tests.support import model_of

HEAD = "g (float[1,4,6,6] x) => (float[1,5,6,6] y)"
W, V = (12, 4, 1, 1), (5, 12, 1, 1)

SOUND = {
    "Conv": (f"{HEAD} {{ a = Conv(x, w, b) y = Conv(a, v) }}", {"w": W, "b": (12,), "v": V}, {"w": [12]}),
    "BatchNormalization": (
        f"{HEAD} {{ a = Conv(x, w) n = BatchNormalization(a, s, b, m, r) y = Conv(n, v) }}",
        {"w": W, "s": (12,), "b": (12,), "m": (12,), "r": (12,), "v": V},
        {"w": [12]},
    ),
    "depthwise": (
        f"{HEAD} {{ a = Conv(x, w) d = Conv<group=12, pads=[1,1,1,1]>(a, k, c) y = Conv(d, v) }}",
        {"w": W, "k": (12, 1, 3, 3), "c": (12,), "v": V},
        {"w": [12]},
    ),
    "depthwise of several outputs": (
        f"{HEAD} {{ a = Conv(x, w) d = Conv<group=6>(a, k) y = Conv(d, v) }}",
        {"w": (6, 4, 1, 1), "k": (12, 1, 1, 1), "v": V},
        {"w": [6]},
    ),
    "ConvTranspose": (
        f"{HEAD} {{ a = ConvTranspose(x, w, b) y = Conv(a, v) }}",
        {"w": (4, 12, 1, 1), "b": (12,), "v": V},
        {"w": [12]},
    ),
    "Add": (
        f"{HEAD} {{ a = Conv(x, w) b = Conv(x, u) r = Relu(b) s = Add(a, r) y = Conv(s, v) }}",
        {"w": W, "u": W, "v": V},
        {"w": [12]},
    ),
    "constant per channel": (
        f"{HEAD} {{ a = Conv(x, w) s = Mul(a, k) y = Conv(s, v) }}",
        {"w": W, "k": (12, 1, 1), "v": V},
        {"w": [12]},
    ),
    "squeeze and excite": (
        f"""{HEAD} {{ a = Conv(x, w) p = GlobalAveragePool(a) s = Conv(p, u) r = Relu(s) e = Conv(r, t)
            h = Sigmoid(e) m = Mul(a, h) y = Conv(m, v) }}""",
        {"w": W, "u": (3, 12, 1, 1), "t": (12, 3, 1, 1), "v": V},
        {"w": [12], "u": [3]},
    ),
    "Concat": (
        f"{HEAD} {{ a = Conv(x, w) b = Conv(x, u) c = Concat<axis=1>(a, x, b) y = Conv(c, v) }}",
        {"w": (6, 4, 1, 1), "u": (9, 4, 1, 1), "v": (5, 19, 1, 1)},
        {"w": [6], "u": [9]},
    ),
    "Split": (
        f"""{HEAD} {{ a = Conv(x, w) k = Constant<value_ints=[8,4]>() p, q = Split<axis=1>(a, k) r = Conv(p, u)
            s = Add(r, q) y = Conv(s, v) }}""",
        {"w": W, "u": (4, 8, 1, 1), "v": (5, 4, 1, 1)},
        {"w": [8, 4]},
    ),
    "Slice": (
        f"""{HEAD} {{ a = Conv(x, w) s = Constant<value_ints=[3]>() e = Constant<value_ints=[99]>()
            i = Constant<value_ints=[1]>() p = Slice(a, s, e, i) q = Conv(p, u) y0 = Conv(a, v) y = Add(y0, q) }}""",
        {"w": W, "u": (5, 9, 1, 1), "v": V},
        {"w": [3, 9]},
    ),
    "Gather": (
        f"{HEAD} {{ a = Conv(x, w) i = Constant<value_ints=[5,4,3,2,1,0]>() p = Gather<axis=1>(a, i) y = Conv(p, v) }}",
        {"w": (6, 4, 1, 1), "v": (5, 6, 1, 1)},
        {"w": [6]},
    ),
    "Pad, pooling": (
        f"""{HEAD} {{ a = Conv(x, w) k = Constant<value_ints=[0,0,1,1,0,0,1,1]>() p = Pad(a, k)
            m = MaxPool<kernel_shape=[3,3]>(p) y = Conv(m, v) }}""",
        {"w": W, "v": V},
        {"w": [12]},
    ),
    "Resize": (
        f"""{HEAD} {{ a = Conv<strides=[2,2]>(x, w) s = Constant<value_ints=[1,12,6,6]>() r =
            Resize<mode="nearest">(a, , , s)
            y = Conv(r, v) }}""",
        {"w": W, "v": V},
        {"w": [12]},
    ),
    "Transpose": (
        f"""{HEAD} {{ a = Conv(x, w) t = Transpose<perm=[0,2,3,1]>(a) r = MatMul(t, u)
            y = Transpose<perm=[0,3,1,2]>(r) }}""",
        {"w": W, "u": (12, 5)},
        {"w": [12]},
    ),
    "channel shuffle": (
        f"""{HEAD} {{ a = Conv(x, w) s = Constant<value_ints=[1,2,6,6,6]>() r = Reshape(a, s)
            t = Transpose<perm=[0,2,1,3,4]>(r) z = Constant<value_ints=[1,12,6,6]>() b = Reshape(t, z) y =
                Conv(b, v) }}""",
        {"w": W, "v": V},
        {"w": [6]},
    ),
    "DepthToSpace": (
        f"{HEAD} {{ a = Conv<strides=[2,2]>(x, w) d = DepthToSpace<blocksize=2>(a) y = Conv(d, v) }}",
        {"w": W, "v": (5, 3, 1, 1)},
        {"w": [3]},
    ),
    "SpaceToDepth": (
        "g (float[1,4,6,6] x) => (float[1,5,3,3] y) { a = Conv(x, w) d = SpaceToDepth<blocksize=2>(a) y = Conv(d, v) }",
        {"w": (6, 4, 1, 1), "v": (5, 24, 1, 1)},
        {"w": [6]},
    ),
    "Flatten, Gemm": (
        """g (float[1,4,2,2] x) => (float[1,5] y) { a = Conv(x, w) f = Flatten(a) h = Gemm<transB=1>(f, u, b) r
            = Relu(h)
            y = Gemm(r, v) }""",
        {"w": W, "u": (7, 48), "b": (7,), "v": (7, 5)},
        {"w": [12], "u": [7]},
    ),
    "Flatten with channels last": (
        """g (float[1,4,2,2] x) => (float[1,5] y) { a = Conv(x, w) t = Transpose<perm=[0,2,3,1]>(a) f = Flatten(t)
            y = Gemm(f, v) }""",
        {"w": W, "v": (48, 5)},
        {"w": [12]},
    ),
    "ReduceMean, Squeeze": (
        """g (float[1,4,6,6] x) => (float[1,5] y) { a = Conv(x, w) m = ReduceMean<axes=[2]>(a) i =
            Constant<value_ints=[2]>()
            s = Squeeze(m, i) r = ReduceMax<axes=[2], keepdims=0>(s) y = Gemm(r, v) }""",
        {"w": W, "v": (12, 5)},
        {"w": [12]},
    ),
    "a weight that two layers share": (
        f"{HEAD} {{ a = Conv(x, w) b = Conv(x, w) c = Concat<axis=1>(a, b) y = Conv(c, v) }}",
        {"w": (6, 4, 1, 1), "v": V},
        {"w": [6]},
    ),
    "a bias that two layers share": (
        f"{HEAD} {{ a = Conv(x, w, b) c = Conv(a, u, b) y = Conv(c, v) }}",
        {"w": W, "b": (12,), "u": (12, 12, 1, 1), "v": V},
        {"w": [12], "u": [12]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SOUND)
def test_channels_that_nothing_reads_are_not_missed(case: str) -> None:
    text, weights, expected = SOUND[case]
    model = network(text, **weights)
    assert groups(analyse(model.graph, model.opset)) == expected
    is_not_missed(model)


ATTENTION = """g (float[1,9,8] x) => (float[1,9,8] y) {
    s = Constant<value_ints=[1,9,4,2]>() f = Constant<value_ints=[1,9,8]>()
    q = MatMul(x, wq) k = MatMul(x, wk) v = MatMul(x, wv)
    qr = Reshape(q, s) kr = Reshape(k, s) vr = Reshape(v, s)
    qt = Transpose<perm=[0,2,1,3]>(qr) kt = Transpose<perm=[0,2,3,1]>(kr) vt = Transpose<perm=[0,2,1,3]>(vr)
    a = MatMul(qt, kt) p = Softmax(a) h = MatMul(p, vt)
    ht = Transpose<perm=[0,2,1,3]>(h) o = Reshape(ht, f) y = MatMul(o, wo) }"""


def test_heads_go_as_a_whole_with_queries_keys_and_values() -> None:
    model = network(ATTENTION, wq=(8, 8), wk=(8, 8), wv=(8, 8), wo=(8, 8))
    channels = analyse(model.graph, model.opset)
    assert groups(channels) == {"wq": [4]}
    is_not_missed(model)


@pytest.mark.parametrize(
    ("text", "weights", "expected"),
    [
        ("n = LayerNormalization(t, s, c)", {"s": (12,), "c": (12,)}, {"w": [12]}),
        ("n = LayerNormalization(t, s)", {"s": (12,)}, {"w": [12]}),
    ],
)
def test_layer_normalisation_passes_channels_on(
    text: str, weights: dict[str, tuple[int, ...]], expected: object
) -> None:
    body = f"""{HEAD} {{ a = Conv(x, w) t = Transpose<perm=[0,2,3,1]>(a) {text} r = MatMul(n, u)
        y = Transpose<perm=[0,3,1,2]>(r) }}"""
    model = network(body, w=W, u=(12, 5), **weights)
    assert groups(analyse(model.graph, model.opset)) == expected


def test_group_normalisation_loses_the_same_of_every_group() -> None:
    text = (
        "g (float[1,6,4,4] x) => (float[1,12,4,4] y) { a = Conv(x, w) y = GroupNormalization<num_groups=3>(a, s, c) }"
    )
    model = network(f'<ir_version: 10, opset_import: ["": 21]> {text}', w=(12, 6, 1, 1), s=(12,), c=(12,))
    assert groups(analyse(model.graph, model.opset, open_ends=True)) == {"w": [6, 4]}


def test_a_grouped_convolution_loses_the_same_of_every_group() -> None:
    text = f"{HEAD} {{ a = Conv(x, w) b = Conv<group=3>(a, k) y = Conv(b, v) }}"
    model = network(text, w=W, k=(12, 4, 1, 1), v=V)
    assert groups(analyse(model.graph, model.opset)) == {"w": [4], "k": [4]}


STAY = {
    "the graph output": (f"{HEAD} {{ y = Conv(x, w) }}", {"w": (5, 4, 1, 1)}, "the graph output 'y'"),
    "the graph input": (f"{HEAD} {{ y = Conv(x, w) }}", {"w": (5, 4, 1, 1)}, "the graph input 'x'"),
    "Softmax": (f"{HEAD} {{ a = Conv(x, w) s = Softmax<axis=1>(a) y = Conv(s, v) }}", {"w": W, "v": V}, "Softmax"),
    "an unknown operator": (f"{HEAD} {{ a = Conv(x, w) s = LRN<size=3>(a) y = Conv(s, v) }}", {"w": W, "v": V}, "LRN"),
    "a reduction": (
        f"{HEAD} {{ a = Conv(x, w) s = ReduceMean<axes=[1]>(a) y = Mul(s, k) }}",
        {"w": W, "k": (5, 1, 1)},
        "ReduceMean",
    ),
    "a computed weight": (
        f"{HEAD} {{ z = Relu(w) a = Conv(x, z) y = Conv(a, v) }}",
        {"w": W, "v": V},
        "weights that are computed",
    ),
    "a step": (
        f"""{HEAD} {{ a = Conv(x, w) s = Constant<value_ints=[0]>() e = Constant<value_ints=[99]>() i =
            Constant<value_ints=[1]>()
            t = Constant<value_ints=[2]>() p = Slice(a, s, e, i, t) y = Conv(p, v) }}""",
        {"w": W, "v": (5, 6, 1, 1)},
        "takes every 2th",
    ),
    "a pad of channels": (
        f"""{HEAD} {{ a = Conv(x, w) k = Constant<value_ints=[0,1,0,0,0,0,0,0]>() p = Pad(a, k) y = Conv(p, v) }}""",
        {"w": W, "v": (5, 13, 1, 1)},
        "changes its size",
    ),
    "a weight tied to a held one": (
        "g (float[1,5] x) => (float[1,5] y) { a = Gemm(x, w) y = Gemm<transB=1>(a, w) }",
        {"w": (5, 5)},
        "the graph input 'x'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", STAY)
def test_what_has_to_stay_says_why(case: str) -> None:
    text, weights, reason = STAY[case]
    model = network(text, **weights)
    assert any(reason in held.reason for held in analyse(model.graph, model.opset).held)


def test_ends_may_be_opened() -> None:
    model = network(f"{HEAD} {{ y = Conv(x, w) }}", w=(5, 4, 1, 1))
    assert groups(analyse(model.graph, model.opset)) == {}
    assert groups(analyse(model.graph, model.opset, open_ends=True)) == {"w": [4, 5]}


def test_what_a_body_reads_stays() -> None:
    model = model_of("""<ir_version: 8, opset_import: ["": 17]> g (float[1,4,2,2] x, bool c) => (float[1,4,2,2] y)
        <float[4,4,1,1] w = {1,0,0,0, 0,1,0,0, 0,0,1,0, 0,0,0,1}> {
        a = Conv(x, w)
        y = If (c) <then_branch = t () => (float[1,4,2,2] p) { p = Relu(a) },
                    else_branch = e () => (float[1,4,2,2] q) { q = Neg(a) }>
    }""")
    assert any("If" in held.reason for held in analyse(model.graph, model.opset).held)


def test_shapes_without_common_factors_are_refused() -> None:
    with pytest.raises(Unclear, match="no common factor"):
        factors([4, 6], [6, 4])
