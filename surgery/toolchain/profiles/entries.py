"""What an entry of ``model_latency`` stands for, by its name: both runtimes have their own way of naming."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from surgery.toolchain.profiles.profile import Item, Role
from surgery.toolchain.profiles.units import times

_SEGMENT = re.compile(r"(?:_subgraph_|_bpu_segment_)(\d{1,6})$")
_LAYOUT = re.compile(r"_(?:input|output)_layout_convert$")
_UCP = re.compile(r"Node-\d+-([A-Za-z]+)-(.+)", re.DOTALL)
_TYPED = re.compile(r"([A-Z][A-Za-z0-9]*)_(.+)", re.DOTALL)
_FIXED: dict[str, Role] = {
    "Quantize": "quantise",
    "HzQuantize": "quantise",
    "Dequantize": "dequantise",
    "HzDequantize": "dequantise",
    "DequantizeFilter": "dequantise",
}
_PREPROCESS = "Preprocess"
_STAGES: tuple[tuple[str, Role], ...] = (("Stage1-GenerateBpuTask", "submit"), ("Stage2-BpuCoreProcess", "bpu"))
_TOTAL = "Total"


def items(name: str, leaf: Mapping[str, object]) -> Iterator[Item]:
    """The items of one entry: the stages of a task of the UCP runtime, or the entry itself.

    Raises:
        KeyError: it has no time; ProfileError: a time that cannot be.
    """
    if "avg_time" in leaf:
        yield _item(name, leaf)
        return
    staged = [(key, role) for key, role in _STAGES if key in leaf]
    if not staged:
        yield _item(name, _mapping(leaf[_TOTAL]))
    for key, role in staged:
        stage = _item(name, _mapping(leaf[key]))
        yield replace(stage, role=role) if stage.role == "bpu" else stage


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise KeyError(value)
    return value


def _item(name: str, leaf: Mapping[str, object]) -> Item:
    node, op, role = described(name)
    return Item(name, node, op, role, _segment(name) if role == "bpu" else None, times(leaf, name))


def _segment(name: str) -> int:
    found = _SEGMENT.search(name)
    return int(found[1]) if found else 0


def described(name: str) -> tuple[str, str, Role]:
    """Node, operator and role by the name of an entry.

    >>> described("Dequantize_fc_1_HzDequantize"), described("Softmax_prob")
    (('fc_1_HzDequantize', 'Dequantize', 'dequantise'), ('prob', 'Softmax', 'cpu'))
    >>> described("BPU_net_subgraph_0"), described("Node-0-BPU-fc_bpu_segment_0")[2]
    (('BPU_net_subgraph_0', '', 'bpu'), 'bpu')
    """
    if name.startswith("BPU_"):
        return name, "", "bpu"
    if name == _PREPROCESS or _LAYOUT.search(name):
        return name, "", "move"
    if found := _UCP.fullmatch(name):
        if found[1].upper() == "BPU":
            return name, "", "bpu"
        node, op, role = described(found[2])
        return node, op, role if role != "bpu" else "cpu"
    if typed := _TYPED.fullmatch(name):
        return typed[2], typed[1], _FIXED.get(typed[1], "cpu")
    return name, "", "cpu"
