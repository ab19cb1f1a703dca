"""probe_positions.py and probe_constraints.py: the networks they make, and what they make of answers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
import pytest

from surgery.target import load_target
from tests.support import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

import asking
import probe_constraints
import probe_positions
from edge_nodes import noted_edges
from probe_positions import POSITIONS


@pytest.mark.parametrize("name", probe_positions.operators())
def test_every_operator_is_in_every_position(name: str) -> None:
    op, attributes, operands = probe_positions.operators()[name]
    model = probe_positions.network(op, attributes, operands, name.endswith("_itself"))
    onnx.checker.check_model(model, full_check=True)
    nodes = {node.name: node for node in model.graph.node}
    assert {nodes[f"{place}_probe"].op_type for place in POSITIONS} == {op}
    weights = [t for t in model.graph.initializer if t.name.startswith("w_")]
    assert len({t.raw_data for t in weights}) == len(weights), "equal convolutions would be merged"


def test_the_positions_are_what_they_say() -> None:
    model = probe_positions.network("Relu", {}, (), False)
    makers = {out: node for node in model.graph.node for out in node.output}
    readers: dict[str, list[str]] = {}
    for node in model.graph.node:
        for value in node.input:
            readers.setdefault(value, []).append(node.op_type)

    def around(place: str) -> tuple[str, list[str]]:
        probe = makers[f"{place}_probe"]
        return makers[probe.input[0]].op_type, readers.get(probe.output[0], [])

    assert {place: around(place) for place in POSITIONS} == {
        "tail": ("Conv", []), "beside": ("Conv", []), "behind": ("Sigmoid", []), "middle": ("Conv", ["Conv"]),
        "before": ("Conv", ["Neg"]), "after": ("Neg", ["Conv"]), "cpu": ("Neg", ["Neg"]),
    }  # fmt: skip
    assert sorted(readers[makers["beside_probe"].input[0]]) == ["Conv", "Relu"]


def test_without_the_toolchain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asking.asked(str(tmp_path), lambda _: pytest.fail("called")) == 2
    assert str(tmp_path) in capsys.readouterr().err


class Fake:
    """Says of the node outside its limit what it was told, per front."""

    def __init__(self, limit: str, outside: dict[str, str]) -> None:
        self.limit, self.outside, self.fronts = limit, outside, list[str]()

    def devices(self, specs: Sequence[tuple[Any, frozenset[str]]], front: str) -> list[str]:
        self.fronts += [front] * bool(specs)
        return [self.outside[front] if self.limit in broken else "bpu" for _, broken in specs]


KERNEL = "Conv.kernel_h"


def asked(outside: dict[str, str]) -> tuple[Any, list[str]]:
    edge = dict(noted_edges(load_target("bernoulli2")))[KERNEL]
    assert edge is not None
    fake: Any = Fake(KERNEL, outside)
    return probe_constraints.probed(fake, {KERNEL: edge}, 1)[KERNEL], list(dict.fromkeys(fake.fronts))


def test_sides_that_agree_are_asked_once() -> None:
    first = probe_constraints.FRONTS[0]
    probe, fronts = asked(dict.fromkeys(probe_constraints.FRONTS, "cpu"))
    assert (probe.inside, probe.outside, probe.confirms, fronts) == ("bpu", "cpu", True, [first])


def test_sides_that_never_agree_are_asked_everywhere() -> None:
    probe, fronts = asked(dict.fromkeys(probe_constraints.FRONTS, "bpu"))
    assert (probe.outside, probe.confirms, fronts) == ("bpu", False, list(probe_constraints.FRONTS))


def test_a_front_that_agrees_counts() -> None:
    *others, last = probe_constraints.FRONTS
    probe, _ = asked({**dict.fromkeys(others, "another node"), last: "cpu"})
    assert (probe.outside, probe.confirms) == ("cpu", True)
