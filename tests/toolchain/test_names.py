from __future__ import annotations

from surgery.toolchain.log import TableRow
from surgery.toolchain.names import Names, map_names
from surgery.toolchain.results import Placement
from surgery.toolchain.structure import Op
from tests.support import model_of

TEXT = """g (float[1,4,8,8] x, float[4,4,1,1] w) => (float[1,4] y) {
    c = Conv(x, w)
    s = Sigmoid(c)
    m = Mul(c, s)
    d = Shape(m)
    r = Reshape(m, d)
    p = GlobalAveragePool(r)
    f = Flatten(p)
    y = Relu(f)
}"""


def row(name: str, device: str = "bpu") -> TableRow:
    return TableRow(name, "cpu" if device == "cpu" else "bpu", None if device == "cpu" else 0, "")


def mapped(rows: list[TableRow], ops: list[Op]) -> Names:
    model = model_of(TEXT)
    for node in model.graph.nodes:
        node.name, node.named = f"n_{node.op}", True
    return map_names(model, Placement(tuple(rows), (), tuple(ops), ()))


def test_fused_inserted_and_folded() -> None:
    rows = [row("n_Conv"), row("n_Mul"), row("n_GlobalAveragePool"), row("n_Relu_reshape", "cpu"), row("n_Relu")]
    ops = [
        Op("HzSQuantizedConv", "n_Conv", ("x_quantized",), ("c_quantized",)),
        Op("HzLut", "n_Mul", ("c_quantized",), ("m_before_quantized",)),
        Op("HzSQuantizedGlobalAveragePool", "n_GlobalAveragePool", ("m_before_quantized",), ("p_quantized",)),
        Op("Relu", "n_Relu", ("p_quantized",), ("transposed_y",)),
        Op("Reshape", "n_Relu_reshape", ("transposed_y",), ("y",)),
    ]
    names = mapped(rows, ops)
    assert names.nodes["n_Mul"] == ("n_Sigmoid", "n_Mul")
    assert names.nodes["n_GlobalAveragePool"] == ("n_Reshape", "n_GlobalAveragePool")
    assert names.device("n_Sigmoid") == names.device("n_Reshape") == "bpu"
    assert names.device("n_Shape") == names.device("n_Flatten") == "folded"
    assert names.inserted == {"n_Relu_reshape": "n_Relu"}
    assert names.rows["n_Relu"] == ("n_Relu",)
    assert names.behind("n_Mul") == names.behind("n_Mul-lut") == ("n_Sigmoid", "n_Mul")
    assert names.behind("padded_n_Mul") == names.behind("padded_n_Mul-lut") == names.behind("n_Mul")
    assert names.behind("n_Relu_reshape") == ("n_Relu",)
    assert names.behind("of nobody") == ()


def test_names_of_the_toolchain_do_not_claim_nodes_of_ours() -> None:
    # unnamed nodes get numbers from both sides, not the same ones: the value decides
    ops = [Op("HzLut", "n_Conv", ("c_quantized",), ("s_quantized",))]
    names = mapped([row("n_Conv")], ops)
    assert names.nodes["n_Conv"] == ("n_Conv", "n_Sigmoid")


def test_any_row_on_the_cpu_makes_the_node_cpu() -> None:
    ops = [Op("A", "a", (), ("m_quantized",)), Op("B", "b", (), ("s",))]
    names = mapped([row("a"), row("b", "cpu")], ops)
    assert names.device("n_Mul") == "bpu"
    assert names.device("n_Sigmoid") == "cpu"


def test_what_the_table_hides() -> None:
    ops = [
        Op("HzDequantize", "d", ("p_quantized",), ("p",)),
        Op("Flatten", "n_Flatten", ("p",), ("f",)),
        Op("Relu", "n_Relu", ("f",), ("y",)),
    ]
    names = mapped([], ops)
    assert names.device("n_Flatten") == names.device("n_Relu") == "cpu"


def test_hidden_behind_a_quantize_is_on_the_bpu() -> None:
    ops = [
        Op("HzDequantize", "d", ("r_quantized",), ("r",)),
        Op("HzQuantize", "q", ("r",), ("r_again",)),
        Op("Flatten", "n_Flatten", ("r_again",), ("f_quantized",)),
    ]
    assert mapped([], ops).device("n_Flatten") == "bpu"


def test_a_row_whose_value_belongs_to_another() -> None:
    # its value has the name of what a later node makes, which has a row of its own
    ops = [
        Op("HzSQuantizedConv", "n_Conv", ("x_quantized",), ("m_quantized",)),
        Op("HzMul", "n_Mul", ("m_quantized",), ("n_Mul_output",)),
    ]
    names = mapped([row("n_Conv"), row("n_Mul")], ops)
    assert (names.nodes["n_Conv"], names.nodes["n_Mul"]) == (("n_Conv",), ("n_Mul",))


NORM = """g (float[1,4,8,8] x) => (float[1,4,8,8] y) {
    c = Relu(x)
    s = Sqrt(c)
    y = Div(x, s)
}"""


def test_parts_of_a_div_and_what_an_inserted_movement_hands_on() -> None:
    model = model_of(NORM)
    for node in model.graph.nodes:
        node.name, node.named = f"n_{node.op}", True
    rows = [row("n_Relu"), row("n_Div_reciprocal"), row("n_Div_mul", "cpu"), row("n_Div_yReshape_0", "cpu")]
    ops = [
        Op("HzLut", "n_Relu", ("x_quantized",), ("c_quantized",)),
        Op("HzLut", "n_Div_reciprocal", ("c_quantized",), ("s_reciprocal_reshape_quantized",)),
        Op("Mul", "n_Div_mul", ("x", "s_reciprocal_reshape"), ("y_reshape",)),
        Op("Reshape", "n_Div_yReshape_0", ("y_reshape",), ("y",)),
    ]
    names = map_names(model, Placement(tuple(rows), (), tuple(ops), ()))
    assert names.nodes["n_Div_reciprocal"] == ("n_Sqrt",)
    assert names.nodes["n_Div_mul"] == ("n_Div",)
    assert (names.device("n_Sqrt"), names.device("n_Div")) == ("bpu", "cpu")
    assert names.inserted == {"n_Div_yReshape_0": "n_Div"}
