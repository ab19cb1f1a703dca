from __future__ import annotations

import json

import pytest

from surgery.toolchain import log
from surgery.toolchain.performance import Performance, segment
from surgery.toolchain.results import Placement, Removed, candidates, removals
from surgery.toolchain.structure import Op, dump, load
from tests.toolchain.captured import MODIFIER, SEGMENT, TABLE

OPS = (
    Op("HzQuantize", "x_HzQuantize", ("x",), ("x_quantized",)),
    Op("HzSQuantizedConv", "/conv1/Conv", ("x_quantized",), ("c_quantized",)),
    Op("HzSQuantizedConv", "/layer4/layer4.1/conv2/Conv", ("c_quantized",), ("d_quantized",)),
    Op("Reshape", "/fc/Gemm_transpose_output_reshape", ("d",), ("e",)),
)


def test_segment() -> None:
    found = segment(json.dumps(SEGMENT))
    assert (found.latency_us, found.ddr_bytes, found.ops) == (72.3, 190336, 115605504)
    conv, elu = found.layers
    assert (conv.ops, conv.shape, conv.aligned) == (57802752, (1, 28, 28, 64), (1, 28, 32, 64))
    assert (conv.compute_us, conv.transfer_us, conv.begin_us, conv.end_us) == (22.0, 10.0, 6.0, 32.0)
    assert (elu.transfer_us, elu.begin_us) == (0.0, None)
    assert found.timeline.utilisation == (0.003, 0.926)


def test_segments_add_up() -> None:
    one = segment(json.dumps(SEGMENT))
    both = Performance("O2", (one, one))
    assert (both.latency_us, both.ddr_bytes, both.ops, len(both.layers)) == (144.6, 380672, 231211008, 4)


def test_a_segment_that_multiplies_nothing() -> None:
    summary = {key: value for key, value in SEGMENT["summary"].items() if "OPs" not in key and "layer" not in key}
    found = segment(json.dumps({"summary": summary}))
    assert (found.ops, found.layers) == (0, ())


def test_no_segment() -> None:
    with pytest.raises(KeyError):
        segment("{}")


def test_names_that_were_cut_and_rows_that_are_hidden() -> None:
    place = Placement(log.table(TABLE), (), OPS, ())
    assert place.names == tuple(op.name for op in OPS[1:])
    assert [op.name for op in place.hidden] == ["x_HzQuantize"]
    assert (place.segments, place.cpu) == (2, ("/fc/Gemm_transpose_output_reshape",))


def test_names_that_end_alike_are_taken_in_order() -> None:
    twins = tuple(Op("Conv", f"{letter}/r4.1/conv2/Conv", (), ()) for letter in "ab")
    cut = log.table(TABLE)[1]
    assert Placement((cut, cut), (), twins, ()).names == ("a/r4.1/conv2/Conv", "b/r4.1/conv2/Conv")
    assert Placement((cut,), (), (), ()).names == ("...r4.1/conv2/Conv",)


def test_structure_is_kept() -> None:
    assert load(dump(OPS)) == OPS


def test_removed_nodes() -> None:
    quantize, dequantize = removals(MODIFIER)
    assert quantize == Removed("x_HzQuantize", "Quantize", (0.0078,), ())
    assert dequantize == Removed("y_HzDequantize", "Dequantize", (0.5, 2e-05), (0,))


def test_what_hb_model_modifier_lists() -> None:
    line = "2026-11-26 22:01:14,073 file: hb_model_modifier.py func: hb_model_modifier line No: 430 "
    assert candidates(f"{line}Nodes that can be deleted: ['x_HzQuantize', \"it's\"]\n") == ("x_HzQuantize", "it's")
    assert candidates(f"{line}Nodes that can be deleted: []\n") == ()
    assert candidates("") == ()
