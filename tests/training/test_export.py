"""From a module to a model: what it computes, what it is called, what is left behind, and what is refused."""

from __future__ import annotations

import re
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from surgery.drift.runner import open_runner
from surgery.errors import InputError
from surgery.training import export
from surgery.training.exporters import without_locations
from surgery.training.locations import location, module_path
from tests.training.modules import (
    SUMMED,
    Attention,
    Branching,
    Counting,
    Drawing,
    Misshapen,
    Twice,
    Unexportable,
    around,
    image,
    scripted,
)

NESTED = {"scale": {"k": (torch.full((1,), 3.0),)}, "x": image()}


def _state(module: nn.Module) -> dict[str, Any]:
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in module.modules()]
    return {
        "flags": [m.training for m in module.modules()],
        "values": {name: value.tolist() for name, value in module.state_dict().items()},
        "gradients": [(p.requires_grad, p.grad) for p in module.parameters()],
        "own": [sorted(vars(m)) for m in module.modules()],
        "hooks": hooks,
        "random": torch.get_rng_state().tolist(),
    }


def test_a_model_takes_returns_and_computes_what_the_module_does() -> None:
    module = Counting()
    model = export(module, NESTED)
    expected = module.eval()(**NESTED)
    found = open_runner(model).run({"x": image().numpy(), "scale_k_0": NESTED["scale"]["k"][0].numpy()})
    assert list(found) == ["features", "x_2", "rest_0", "rest_2"]
    np.testing.assert_allclose(found["features"], expected["features"].detach(), atol=1e-5)
    np.testing.assert_allclose(found["rest_2"], expected["rest"][2].detach(), atol=1e-5)
    assert model.opset == 11


@pytest.mark.parametrize("inner", [Drawing(), Unexportable(), Misshapen()], ids=lambda m: type(m).__name__)
def test_a_module_is_left_as_it_was_even_when_it_cannot_be_exported(inner: nn.Module) -> None:
    module = nn.Sequential(nn.Dropout(), around(inner), nn.BatchNorm2d(3))
    module.train()
    module[1][0].eval()
    before = _state(module)
    try:
        export(module, image())
    except InputError:
        assert not isinstance(inner, Drawing)
    assert _state(module) == before


def test_buffers_that_forward_changes_are_put_back() -> None:
    module = Counting()
    export(module, NESTED)
    assert module.calls.item() == 0


def test_initializers_have_the_names_of_the_state() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1))
    assert set(module.state_dict()) <= {v.name for node in export(module, image()).nodes() for v in node.inputs}


def test_names_can_be_given() -> None:
    model = export(nn.ReLU(), (image(),), input_names=["image"], output_names=["logits"])
    assert [v.name for v in (*model.graph.inputs, *model.graph.outputs)] == ["image", "logits"]


def test_the_newer_exporter_writes_newer_opsets(capfd: pytest.CaptureFixture[str]) -> None:
    module = Twice()
    model = export(module, image(), opset=18, locations=True)
    (found,) = open_runner(model).run({"x": image().numpy()}).values()
    np.testing.assert_allclose(found, module.eval()(image()).detach(), atol=1e-5)
    assert model.opset == 18
    known = {path for path, _ in module.named_modules()}
    sums = [node for node in model.nodes() if node.op == "CumSum"]
    assert [(location(node).text, module_path(node, known)) for node in sums] == [
        (SUMMED, "body.0"),
        (SUMMED, "body.1"),
    ]
    assert b"modules.py" in model.to_proto().SerializeToString()
    assert b"modules.py" not in without_locations(model.to_proto()).SerializeToString()
    assert capfd.readouterr() == ("", "")


def test_the_older_exporter_is_quiet(capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder) -> None:
    export(nn.ReLU(), image(), locations=True)
    with pytest.raises(InputError):
        export(Unexportable(), image())
    assert capfd.readouterr() == ("", "")
    assert list(recwarn) == []


def test_a_newer_opset_is_taken_only_for_what_the_older_lacks() -> None:
    assert export(around(Attention()), image()).opset == 17


def test_what_tracing_took_for_constant_is_said() -> None:
    (said,) = (text for text in export(Branching(), image()).normalised if text.startswith("traced"))
    assert re.match(r"traced at .*modules\.py:\d+: Converting a tensor to a Python boolean", said)


REFUSED = {
    "operator": (around(Unexportable()), image(), {}, r"1\.1 \(Unexportable\): Sequential cannot be exported.*svd"),
    "opset": (around(Attention()), image(), {"opset": 11}, r"1\.1 \(Attention\).*opset 11.*added in version 14"),
    "forward": (
        around(Misshapen()),
        image(),
        {},
        r"1\.1 \(Misshapen\): forward raises RuntimeError.*invalid for input",
    ),
    "unwritten": (nn.ReLU(), image(), {"opset": 30}, "opset 30 cannot be exported.*legacy writes 9 to 20"),
    "dynamo": (nn.ReLU(), image(), {"opset": 11, "exporter": "dynamo"}, "dynamo writes 18 to 23"),
    "exporter": (nn.ReLU(), image(), {"exporter": "dynmo"}, "unknown exporter 'dynmo'.*did you mean dynamo"),
    "array": (nn.ReLU(), image().numpy(), {}, "example: a ndarray is no example input"),
    "empty": (nn.ReLU(), (3,), {}, "example: there is no tensor"),
    "parameter": (nn.ReLU(), {"y": image()}, {}, "example: forward of ReLU cannot be called: .*'input'"),
    "names": (nn.ReLU(), image(), {"output_names": ["a", "b"]}, "output_names: 2 output names.*for 1 outputs"),
    "module": (print, image(), {}, "is no torch.nn.Module"),
    "scripted": (scripted(), image(), {}, "a TorchScript module cannot be exported"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_exported_is_refused_with_the_reason(case: str) -> None:
    module, example, options, said = REFUSED[case]
    with pytest.raises(InputError) as caught:
        export(module, example, **options)
    assert re.search(said, str(caught.value), re.DOTALL)


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    module = nn.ReLU()
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"torch is not installed(.|\n)*pip install 'surgery\[training\]'"):
        export(module, None)
