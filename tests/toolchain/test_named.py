from __future__ import annotations

import pytest

from surgery.ir import Model
from surgery.toolchain.log import TableRow
from surgery.toolchain.names import Names, named
from tests.support import model_of
from tests.toolchain.test_names import TEXT, row


def model() -> Model:
    loaded = model_of(TEXT)
    for node in loaded.graph.nodes:
        node.name = f"/block/n_{node.op}"
    return loaded


def found(*rows: TableRow) -> Names:
    return named(model(), rows)


def test_a_fused_row_stands_for_several_nodes() -> None:
    names = found(row("/block/n_Conv"), row("/block/n_Mul"))
    assert names.nodes["/block/n_Mul"] == ("/block/n_Sigmoid", "/block/n_Mul")
    assert names.device("/block/n_Sigmoid") == "bpu"


def test_a_row_on_the_cpu_stands_for_one() -> None:
    names = found(row("/block/n_Conv"), row("/block/n_Mul", "cpu"))
    assert names.nodes["/block/n_Mul"] == ("/block/n_Mul",)
    assert names.device("/block/n_Sigmoid") == "folded"


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("...k/n_Sigmoid", "/block/n_Sigmoid"),
        ("UNIT_CONV_FOR_/block/n_Mul", "/block/n_Mul"),
        ("/block/n_Mul_reciprocal", "/block/n_Mul"),
    ],
)
def test_a_renamed_row(name: str, node: str) -> None:
    names = found(row("/block/n_Conv", "cpu"), row(name, "cpu"))
    assert names.device(node) == "cpu"
    assert not names.inserted


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("HZ_PREPROCESS_FOR_x", "x"),
        ("c_calibrated_Requantize", "/block/n_Conv"),
        ("/block/n_Conv_output_reshape", "/block/n_Conv"),
        ("HZ_PREPROCESS_FOR_z", ""),
        ("/other/Conv", ""),
        ("...other/Conv", ""),
        ("...", ""),
        ("", ""),
    ],
)
def test_rows_that_stand_for_no_node(name: str, owner: str) -> None:
    assert found(row("/block/n_Conv"), row(name, "cpu")).inserted == {name: owner}


def test_cut_names_that_may_be_of_several_nodes() -> None:
    loaded = model()
    for node, name in zip(loaded.graph.nodes, "abcdefgh", strict=True):
        node.name, node.named = f"/{name}/Relu", True
    assert named(loaded, [row(".../Relu", "cpu")]).inserted == {".../Relu": ""}
    both = [row(".../Relu")] * 4 + [row(".../Relu", "cpu")] * 4
    assert named(loaded, both).inserted == {".../Relu": ""}
    assert len(named(loaded, [row(".../Relu")] * 8).rows) == 8
