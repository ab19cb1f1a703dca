"""A convolution in other groups: what is joined, what each choice costs, and that the graph does not notice."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from surgery.cost import node_cost, work
from surgery.cost.grouping import Channels, Form, channels, groupings, parameters, regrouped
from surgery.ir import Model, Node
from surgery.target import load_target
from tests.cost.make import X5, weighted
from tests.support import ROOT


def convolution(shape: tuple[int, int, int], groups: int, op: str = "Conv", opset: int = 11) -> Model:
    """``op`` of a weight of this shape (a square kernel) behind another operator, on maps of 56 x 56."""
    first, second, side = shape
    inputs = first if op == "ConvTranspose" else second * groups
    pad = side // 2
    return weighted(
        f"g (float[1,{inputs},56,56] x, float[{first},{second},{side},{side}] w) => (z)"
        f" {{ r = Exp(x) y = {op} <group = {groups}, pads = [{pad}, {pad}, {pad}, {pad}]> (r, w) z = Exp(y) }}",
        opset=opset,
    )


def layer(model: Model) -> Node:
    return next(node for node in model.nodes() if node.op.startswith("Conv"))


@pytest.mark.parametrize(
    ("shape", "groups", "op", "form"),
    [
        ((64, 64, 3), 1, "Conv", Form.DENSE),
        ((64, 64, 1), 1, "Conv", Form.POINTWISE),
        ((64, 16, 3), 4, "Conv", Form.GROUPED),
        ((64, 16, 1), 4, "Conv", Form.GROUPED),
        ((64, 1, 3), 64, "Conv", Form.DEPTHWISE),
        ((128, 1, 3), 64, "Conv", Form.DEPTHWISE),
        ((64, 1, 2), 64, "ConvTranspose", Form.DEPTHWISE),
        ((64, 8, 2), 4, "ConvTranspose", Form.GROUPED),
    ],
)
def test_forms(shape: tuple[int, int, int], groups: int, op: str, form: Form) -> None:
    found = channels(layer(convolution(shape, groups, op)))
    assert found is not None
    assert found.form is form


def test_channels_of_a_transposed_convolution_are_the_other_way_round() -> None:
    assert channels(layer(convolution((64, 8, 2), 4, "ConvTranspose"))) == Channels(64, 32, 4, (2, 2))
    assert channels(layer(convolution((64, 8, 3), 4))) == Channels(32, 64, 4, (3, 3))


def test_weights_that_are_computed_have_no_channels() -> None:
    text = "g (float[1,8,9,9] x, float[n,8,3,3] v) => (y) { y = Conv (x, v) }"
    assert channels(layer(weighted(text))) is None
    assert list(groupings(layer(weighted(text)), X5, lambda _: "bpu", 11)) == []


def test_choices_that_divide_the_channels() -> None:
    assert Channels(24, 36, 1, (3, 3)).choices == (1, 2, 4)
    assert Channels(24, 24, 3, (3, 3)).choices == (1, 2, 3, 4, 8, 24)


@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
def test_another_number_of_groups_is_as_good_as_a_model_of_it(op: str) -> None:
    shapes = {1: 64, 4: 16, 64: 1}
    made = {groups: layer(convolution((64, second, 3), groups, op)) for groups, second in shapes.items()}
    for groups, node in made.items():
        other = regrouped(made[4], groups)
        assert replace(node_cost(other, "bpu", X5), node=node) == node_cost(node, "bpu", X5)
        assert parameters(other) == parameters(node)


def test_the_graph_does_not_notice() -> None:
    model = convolution((64, 16, 3), 4)
    node = layer(model)
    readers, makers = list(node.inputs[0].outputs), list(node.outputs[0].inputs)
    assert [c.groups for c in groupings(node, X5, lambda _: "bpu", 11)] == [1, 2, 4, 8, 16, 32, 64]
    assert (node.attrs["group"], node.inputs[1].shape) == (4, (64, 16, 3, 3))
    assert (list(node.inputs[0].outputs), list(node.outputs[0].inputs)) == (readers, makers)


def test_a_choice_that_the_march_keeps_off_the_bpu_is_left_out() -> None:
    """Between 2048 and 4096 channels the X3's toolchain refuses a dense one without dilations."""
    node = layer(convolution((4096, 1, 1), 4096))
    found = [choice.groups for choice in groupings(node, load_target("bernoulli2"), lambda _: "bpu", 11)]
    assert (min(found), max(found)) == (2, 4096)


@pytest.fixture
def group_choices(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import group_choices as module

    return module


@pytest.mark.parametrize(("march", "least"), [("bernoulli2", 5), ("bayes", 3), ("bayes-e", 5)])
def test_choices_as_they_are_compiled(group_choices: ModuleType, march: str, least: int) -> None:
    """Where a layer takes more than its rounding to microseconds hides, by groups of every size, 3x3, stride 1."""
    compiled = defaultdict(list)
    for row in group_choices.read():
        if row.march == march and (row.kernel, row.stride) == (3, 1):
            compiled[row.size].append(row.compiled_us)
    assert len(compiled) == 4
    for size, times in compiled.items():
        told = [(e, t) for e, t in zip(group_choices.estimated(march, size), times, strict=True) if t > least]
        errors = [abs(e / t - 1) for e, t in told]
        assert np.median(errors) < 0.15
        assert max(errors) < 0.6


def test_narrow_groups_are_joined() -> None:
    assert work.joined(32, 2, 2, 8, 16) == 4
    assert work.joined(32, 2, 2, 4, 8) == 2
    narrow, wide = (node_cost(layer(convolution((64, 64 // n, 3), n)), "bpu", X5) for n in (32, 8))
    assert narrow.computing == wide.computing


@pytest.mark.parametrize(("group", "inputs"), [(1, 4), (3, 4), (8, 16), (16, 3)])
def test_groups_that_do_not_fill_the_engine_evenly_stay_apart(group: int, inputs: int) -> None:
    assert work.joined(group, inputs, inputs, 8, 16) == 1


def test_groups_of_a_1x1_kernel_are_not_joined() -> None:
    narrow, wide = (node_cost(layer(convolution((64, 64 // n, 1), n)), "bpu", X5) for n in (32, 8))
    assert narrow.computing.mid > 2 * wide.computing.mid


def test_what_was_compiled_is_asked_about_once(group_choices: ModuleType, tmp_path: Path) -> None:
    assert group_choices.read(tmp_path / "none.csv") == []
    assert len(rows := group_choices.read()) == len({(row.march, row.size, row.groups) for row in rows})
