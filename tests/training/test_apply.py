"""Plans cut into modules: what is left computes what the graph without the channels does, or nothing has changed."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from surgery.channels import Kept, Plan, analyse, plan_of
from surgery.errors import InputError
from surgery.ir import Model
from surgery.ir.session import open_session
from surgery.pipeline.view import folded
from surgery.training import apply_plan, export
from surgery.training.plans import plan_of_module
from surgery.training.proof import need_same
from surgery.training.twin import twin_of
from tests.training.networks import NETWORKS, Bare, Masked, Residual, Swapped, Tied, Written, example, settled


def a_plan(net: nn.Module) -> Plan:
    """Of every group every third channel from the second on goes, of the module's parameters, whatever their values."""
    return _plan(type(net)) if type(net) is not nn.Sequential else _plan_of(net)


@functools.cache
def _plan(kind: type[nn.Module]) -> Plan:
    return _plan_of(kind())


def _plan_of(net: nn.Module) -> Plan:
    twin = twin_of(net, example())
    return plan_of_module(twin, [unit for group in twin.channels.groups for unit in group.units[1::3].tolist()])


def exported_plan(model: Model) -> Plan:
    """The same of an export."""
    graph = folded(model).graph
    channels = analyse(graph, model.opset)
    return plan_of(channels, [unit for group in channels.groups for unit in group.units[1::3].tolist()])


def output(net: nn.Module) -> np.ndarray:
    with torch.no_grad():
        return copy.deepcopy(net).eval()(example()).numpy()


def state(net: nn.Module) -> Mapping[str, object]:
    """All that a cut may change."""
    tensors = {name: tensor.numpy().tolist() for name, tensor in net.state_dict().items()}
    return {**tensors, "modules": str(net), "training": [m.training for m in net.modules()]}


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_left_computes_what_the_graph_without_the_channels_does(name: str) -> None:
    net = settled(NETWORKS[name]()).eval()
    graph = folded(export(net, example(), opset=17, folding=False))
    thin = exported_plan(graph).apply_to(graph)
    apply_plan(net, a_plan(net), example())
    wanted = open_session(thin).run({"x": example().numpy()})["output"]
    np.testing.assert_allclose(output(net), wanted, rtol=1e-4, atol=1e-5)
    sizes = {k: tuple(v.shape) for k, v in net.state_dict().items()}
    assert sizes != {k: tuple(v.shape) for k, v in NETWORKS[name]().state_dict().items()}


def test_the_attributes_of_layers_follow() -> None:
    nets = {name: make() for name, make in NETWORKS.items()}
    for net in nets.values():
        apply_plan(net, a_plan(net), example())
    stated = {f"{name}.{path}": layer.extra_repr() for name, net in nets.items() for path, layer in net.named_modules()}
    wanted = {
        "residual.branch": "8, 8,", "residual.branch_norm": "8,", "residual.head": "in_features=6, out_features=5",
        "depthwise.expand": "3, 6,", "depthwise.depth": "6, 12,", "depthwise.paired": "12, 8,", "depthwise.up": "8, 8,",
        "depthwise.slope": "num_parameters=8", "branches.both": "9, 8,", "branches.up": "4, 5,",
        "normalised.grouped": "2, 8,", "normalised.single": "7,", "normalised.last": "(5,),",
        "normalised.head": "in_features=5",
    }  # fmt: skip
    assert {name: stated[name] for name, start in wanted.items() if not stated[name].startswith(start)} == {}
    groups = [
        layer.groups for layer in nets["depthwise"].modules() if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))
    ]
    assert groups == [1, 6, 2, 8, 1]


def test_equal_parameters_are_told_apart() -> None:
    net = Residual()
    whole = apply_plan(net, a_plan(net), example())
    names = {kept.name for kept in whole.weights}
    assert {"stem_norm.running_mean", "branch_norm.running_mean", "stem_norm.weight", "branch_norm.weight"} <= names


def test_tied_weights_stay_tied() -> None:
    net = Tied()
    apply_plan(net, a_plan(net), example())
    assert net.one.weight is net.other.weight
    assert net.one.out_channels == net.other.out_channels == 4


def test_training_goes_on_with_what_an_optimizer_remembers() -> None:
    net = settled(Residual())
    optimizer = torch.optim.Adam(net.parameters())
    loss = net(example()).sum()  # its graph is alive during the cut
    loss.backward()
    optimizer.step()
    before = optimizer.state[net.branch.weight]["exp_avg"].clone()
    old = net.branch.weight
    plan = apply_plan(net, a_plan(net), example(), optimizers=[optimizer])
    (kept,) = (kept for kept in plan.weights if kept.name == "branch.weight")
    moment = optimizer.state[net.branch.weight]["exp_avg"]
    assert torch.equal(moment, before[list(kept.keep[0])][:, list(kept.keep[1])])
    assert old not in optimizer.state
    weight = net.branch.weight.clone()
    optimizer.zero_grad()
    net(example()).sum().backward()
    optimizer.step()
    assert not torch.equal(net.branch.weight, weight)


def test_what_does_not_have_the_shape_of_the_parameter_is_forgotten() -> None:
    net = Residual()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    optimizer.state[net.branch.weight] = {"rows": torch.ones(12), "step": torch.tensor(1)}
    apply_plan(net, a_plan(net), example(), optimizers=[optimizer])
    assert optimizer.state[net.branch.weight] == {}


def test_mode_and_gradient_flags_stay() -> None:
    net = Residual()
    net.stem.weight.requires_grad_(False)
    net.branch_norm.eval()
    apply_plan(net, a_plan(net), example())
    assert [net.training, net.branch_norm.training, net.stem.weight.requires_grad] == [True, False, False]
    assert net.branch.weight.requires_grad


def test_a_plan_in_a_file_of_an_export(tmp_path: Path) -> None:
    net = settled(Residual())
    model = export(net, example(), folding=False)
    made = exported_plan(model)
    (tmp_path / "p.json").write_text(made.to_json())
    assert [k.name for k in made.weights if k.name not in net.state_dict()] == ["/head/Transpose_output_0"]
    assert apply_plan(net, tmp_path / "p.json", example(), model=model) == a_plan(settled(Residual()))


def test_a_plan_of_an_export_with_folded_normalisation_needs_the_export() -> None:
    net = settled(Residual())
    model = export(net, example())
    made, before = exported_plan(model), state(net)
    lost = [kept.name for kept in made.weights if kept.name.startswith("onnx::Conv")]
    with pytest.raises(InputError) as error:
        apply_plan(net, made, example())
    assert len(lost) == 4
    assert [name for name in lost if repr(name) not in str(error.value)] == []
    assert state(net) == before
    assert apply_plan(net, made, example(), model=model) == a_plan(settled(Residual()))


def test_a_plan_of_another_model_names_all_that_is_not_there() -> None:
    net = Residual()
    other = exported_plan(export(settled(NETWORKS["branches"]()), example()))
    with pytest.raises(InputError, match=r"no parameters.*'left\.weight'.*'up\.bias'"):
        apply_plan(net, other, example())


def _first(net: nn.Module, **change: object) -> Plan:
    plan = a_plan(net)
    return Plan(weights=(plan.weights[0].model_copy(update=change), *plan.weights[1:]))


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (lambda net: _first(net, shape=(13, 3, 3, 3)), r"stem\.weight: has the shape \[12, 3, 3, 3\], the plan"),
        (lambda net: _first(net, keep={0: (0, 1)}), r"'stem\.weight'.* does not fit the rest"),
        (lambda net: Plan(weights=a_plan(net).weights[:1]), "'branch.weight', 'hidden.weight' would have to lose"),
        (lambda net: _first(net, name="stem.gone"), r"no parameters 'stem\.gone'"),
        (lambda _: Plan(weights=(Kept(name="made", shape=(3,), keep={0: (1,)}),)), r"no parameters 'made'"),
        (
            lambda _: Plan(weights=(Kept(name="stem_norm.num_batches_tracked", shape=(3,), keep={0: (1,)}),)),
            "is no tensor of floats",
        ),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(plan: object, reason: str) -> None:
    net = Residual()
    before = state(net)
    with pytest.raises(InputError, match=reason):
        apply_plan(net, plan(net), example())  # type: ignore[operator]
    assert state(net) == before


def test_a_plan_with_an_unknown_field_is_refused(tmp_path: Path) -> None:
    row = {"name": "stem.weight", "shape": [3], "keep": {"0": [1]}, "factor": 2}
    (tmp_path / "p.json").write_text(json.dumps({"schema": "surgery.plan/1", "weights": [row]}))
    with pytest.raises(InputError, match=r"p\.json: no plan of channels"):
        apply_plan(Residual(), tmp_path / "p.json", example())


@pytest.mark.parametrize(
    ("net", "reason"),
    [
        (Written, r"body\.1 \(Flat\): forward raises RuntimeError without these channels: shape '\[1, 512\]'"),
        (Swapped, r"head \(Conv2d\): forward raises RuntimeError"),
    ],
)
def test_code_that_writes_channels_down_leaves_the_module_as_it_was(net: type[nn.Module], reason: str) -> None:
    made = settled(net())
    before, parameters = state(made), [*made.parameters()]
    with pytest.raises(InputError, match=reason):
        apply_plan(made, a_plan(made), example())
    assert state(made) == before
    assert all(one is other for one, other in zip(made.parameters(), parameters, strict=True))


def test_values_that_are_no_parameters_are_not_cut() -> None:
    net = Masked()
    twin = twin_of(net, example())
    with pytest.raises(InputError, match="would lose channels, and are no parameters"):
        plan_of_module(twin, twin.channels.groups[0].units[:2].tolist())


def test_a_module_without_parameters_is_refused() -> None:
    with pytest.raises(InputError, match="Bare has no parameters"):
        apply_plan(Bare(), Plan(weights=()), example())


def test_parameters_of_a_type_that_numpy_lacks_are_refused() -> None:
    with pytest.raises(InputError, match=r"stem\.weight: is of torch\.bfloat16[\s\S]*module\.float\(\)"):
        apply_plan(Residual().bfloat16(), Plan(weights=()), example())


def test_a_plan_of_nothing_changes_nothing() -> None:
    net = settled(Residual())
    before = state(net)
    assert apply_plan(net, Plan(weights=()), example()) == Plan(weights=())
    assert state(net) == before


def test_the_exporter_of_torch_export_names_the_same_parameters() -> None:
    net = settled(nn.Sequential(nn.Conv2d(3, 8, 1, bias=False), nn.BatchNorm2d(8), nn.PReLU(8), nn.Conv2d(8, 4, 1)))
    other = copy.deepcopy(net)
    assert apply_plan(net, a_plan(net), example(), exporter="dynamo") == apply_plan(other, a_plan(other), example())
    np.testing.assert_array_equal(output(net), output(other))


def test_outputs_that_are_apart_are_refused() -> None:
    wanted = np.linspace(-1, 1, 12, dtype=np.float32).reshape(1, 3, 4)
    need_same([wanted + 1e-6], [wanted], noise=0.0)
    with pytest.raises(InputError, match=r"does not compute what its graph does without these channels: 0\.0\d+ of"):
        need_same([wanted + 0.01], [wanted], noise=0.0)
    need_same([wanted + 0.01], [wanted], noise=0.01)
    with pytest.raises(InputError, match=r"output 0 has the shape \[1, 3, 3\] without these channels, not \[1, 3, 4\]"):
        need_same([wanted[:, :, :3]], [wanted], noise=0.0)
