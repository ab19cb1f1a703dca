"""compare_removal.py: which ends the nodes are at that the toolchain took off."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from surgery.toolchain.structure import Op
from tests.support import ROOT

OPS = (
    Op("HzQuantize", "q", ("x",), ("x_quantized",)),
    Op("Conv", "c", ("x_quantized",), ("c_quantized",)),
    Op("HzDequantize", "d", ("c_quantized",), ("c_float",)),
    Op("Reshape", "r", ("c_float",), ("r_out",)),
    Op("Transpose", "t", ("r_out",), ("y",)),
)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import compare_removal

    yield compare_removal
    sys.modules.pop("compare_removal", None)


def test_inner_nodes_belong_to_the_end_outside_of_them(module: Any) -> None:
    found = module.ports(OPS, ["q", "t", "r", "d", "gone"], frozenset({"x", "y"}))
    assert found == "x:Quantize y:Transpose y:Reshape y:Dequantize gone"


def test_order_counts(module: Any) -> None:
    listed = ("x:Quantize y:Reshape", "y:Reshape x:Quantize")
    row = module.Row("bayes-e", "m", *listed, "", "", "x:Quantize", "x:Quantize")
    assert module.agreed(row) == [False, True, True]
