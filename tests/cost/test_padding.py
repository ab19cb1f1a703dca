"""Which layers are padded by much, and which are not worth a word."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from surgery.cost import paddings
from surgery.ir import Model
from surgery.target import load_target, place, registry
from tests.support import model_of


def weight(name: str, *shape: int) -> str:
    count = 1
    for size in shape:
        count *= size
    return f"float[{','.join(map(str, shape))}] {name} = {{{','.join(['0.5'] * count)}}}"


def convolution(size: int, outputs: int = 32, inputs: int = 16) -> Model:
    return model_of(
        f"g (float[1,{inputs},{size},{size}] x) => (z) <{weight('w', outputs, inputs, 1, 1)}>"
        "{ r = Relu(x) y = Conv(r, w) z = Relu(y) }",
        opset=11,
    )


def found(model: Model, march: str = "bayes-e") -> list[tuple[str, list[tuple[str, int, int]]]]:
    pads = paddings(place(model, load_target(march)))
    return [(pad.node.op, [(side.what, side.size, side.aligned) for side in pad.sides]) for pad in pads]


def test_sizes_and_the_waste_are_those_of_the_cost_model() -> None:
    """65 x 65 is worked on as 68 x 72; the side that costs most comes first."""
    (pad,) = paddings(place(convolution(65), load_target("bayes-e")))
    assert [(s.what, s.size, s.aligned) for s in pad.sides] == [("width", 65, 72), ("height", 65, 68)]
    assert pad.waste == pytest.approx(1 - 65 * 65 / (68 * 72))
    assert pad.lost == 16 * 32 * (68 * 72 - 65 * 65)
    assert (pad.share, pad.device) == (1.0, "bpu")
    assert "toolchain compiles" in pad.source


def test_each_march_has_its_own_sizes() -> None:
    assert found(convolution(64, outputs=12)) == [("Conv", [("output channels", 12, 32)])]
    assert found(convolution(64, outputs=12), "bernoulli2") == [("Conv", [("output channels", 12, 16)])]
    nash = [("Conv", [("input channels", 16, 32), ("output channels", 12, 64)])]
    assert [(op, sorted(sides)) for op, sides in found(convolution(64, outputs=12), "nash-e")] == nash


def test_on_a_march_that_decides_nothing_the_layer_is_unknown() -> None:
    (pad,) = paddings(place(convolution(64), load_target("nash-e")))
    assert pad.device == "unknown"


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (convolution(64), "nothing is rounded"),
        (convolution(158), "158 is rounded to 160, less than a tenth"),
        (
            model_of(
                f"g (float[1,8,64,64] x) => (z) <{weight('w', 8, 1, 3, 3)}>"
                "{ r = Relu(x) y = Conv <group = 8> (r, w) z = Relu(y) }",
                opset=11,
            ),
            "a depthwise convolution is not on the dense engine",
        ),
        (model_of("g (float[1,2,5,7] x, float[1,2,7,5] v) => (y) { y = MatMul(x, v) }", opset=11), "two features"),
        (
            model_of(f"g (float[n,8,65,65] x) => (y) <{weight('w', 16, 8, 1, 1)}> {{ y = Conv(x, w) }}", opset=11),
            "dim n",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_not_worth_a_word(model: Model, why: str) -> None:
    assert found(model) == [], why


def test_a_layer_of_little_work_is_left_out() -> None:
    weights = ", ".join((weight("small", 1, 8, 1, 1), weight("a", 12, 1, 1, 1), weight("b", 40, 12, 9, 9)))
    model = model_of(
        f"g (float[1,8,64,64] x) => (z) <{weights}> {{ r = Relu(x) s = Conv(r, small) t = Conv(s, a) z = Conv(t, b) }}",
        opset=11,
    )
    pads = paddings(place(model, load_target("bayes-e")))
    assert [pad.node.outputs[0].name for pad in pads] == ["z"]


def test_the_largest_loss_is_first() -> None:
    weights = ", ".join((weight("a", 12, 8, 1, 1), weight("b", 12, 12, 3, 3)))
    model = model_of(
        f"g (float[1,8,64,64] x) => (z) <{weights}> {{ r = Relu(x) s = Conv(r, a) z = Conv(s, b) }}", opset=11
    )
    pads = paddings(place(model, load_target("bayes-e")))
    assert [pad.node.outputs[0].name for pad in pads] == ["z", "s"]
    assert pads[0].lost > pads[1].lost


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("g (float[64] x) => (y) <{w}> {{ y = MatMul(x, w) }}", [("output features", 1, 32)]),
        ("g (float[3,64] x) => (y) <{w}> {{ y = MatMul(x, w) }}", [("output features", 1, 32)]),
    ],
)
def test_products_with_a_vector(text: str, sides: list[tuple[str, int, int]]) -> None:
    assert found(model_of(text.format(w=weight("w", 64)), opset=11)) == [("MatMul", sides)]


@pytest.mark.parametrize(("turned", "shape"), [(0, (24, 10)), (1, (10, 24))])
def test_the_sides_of_a_gemm(turned: int, shape: tuple[int, int]) -> None:
    text = f"g (float[1,24] x) => (y) <{weight('w', *shape)}> {{ y = Gemm <transB = {turned}> (x, w) }}"
    assert found(model_of(text, opset=11)) == [("Gemm", [("output features", 10, 32), ("input features", 24, 32)])]


def test_a_march_without_coefficients_has_no_notes(tmp_path: Path) -> None:
    copy = tmp_path / "bare.yaml"
    shutil.copy(registry.find("bayes-e"), copy)
    assert paddings(place(convolution(65), load_target(str(copy)))) == ()
