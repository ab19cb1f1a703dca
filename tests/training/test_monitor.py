"""Watching a training: the figures, what they cost it, and that nothing about them disturbs it."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import surgery
from surgery.drift.runner import open_runner
from surgery.errors import InputError
from surgery.ir import Model
from surgery.training import Monitor, monitor
from surgery.training.skeleton import skeleton, state_of
from tests.training.beside import AtOnce, Kept
from tests.training.modules import Summed, Unexportable, around, image


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "Beside", AtOnce)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    made = Kept()
    monkeypatch.setattr(monitor, "Beside", lambda: made)
    return made


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))


def fit(module: nn.Module, steps: int, then: Callable[[int], object] = lambda _: None) -> nn.Module:
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    for step in range(steps):
        optimizer.zero_grad()
        module(image(step).repeat(2, 1, 1, 1)).square().mean().backward()
        optimizer.step()
        then(step)
    return module


def test_the_figures_are_those_of_a_run_and_the_process_ends_with_its_input() -> None:
    module = nn.Sequential(net(), Summed())
    logged: list[tuple[dict[str, float], int]] = []
    with Monitor(march="X5", example=image(), every=7, log=lambda *said: logged.append(said)) as watching:
        assert watching.step(module, 7) == {}
        assert watching.step(module, 8) == {}
        watching._pending[1].result(120)
        process = watching._beside._process
        process.stdin.close()
        assert process.wait(60) == 0
    after = surgery.run(module, march="X5", example=image()).report.after
    ((metrics, step),) = logged
    assert step == 7
    assert after.latency_ms is not None
    assert [metrics[f"surgery/latency_ms{end}"] for end in ("_low", "", "_high")] == [
        pytest.approx(value) for value in (after.latency_ms.low, after.latency_ms.mid, after.latency_ms.high)
    ]
    assert (metrics["surgery/cpu_nodes"], metrics["surgery/segments"]) == (after.cpu, after.segments)
    assert metrics["surgery/drift"] < 1e-5
    assert metrics["surgery/export_drift"] < 1e-5
    assert (metrics["surgery/skipped"], metrics["surgery/failed"]) == (0, 0)


@pytest.mark.parametrize("finish", [True, False])
def test_closing_leaves_no_process(finish: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = "import sys; sys.stdin.buffer.read()"
    monkeypatch.setattr("surgery.training.process.COMMAND", (sys.executable, "-S", "-c", silent))
    monkeypatch.setattr(monitor, "ENDING", 0.0)
    watching = Monitor(march="X5", example=image(), every=1)
    watching.step(net(), 0)
    process = watching._beside._process
    watching.close(finish=finish)
    assert process.poll() is not None


def test_a_process_that_dies_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surgery.training.process.COMMAND", (sys.executable, "-c", "raise SystemExit"))
    watching = Monitor(march="X5", example=image(), every=1)
    watching.step(net(), 0)
    with pytest.warns(RuntimeWarning, match="the process beside the training has gone"):
        assert watching.close() == {"surgery/skipped": 0, "surgery/failed": 1}


@pytest.mark.usefixtures("at_once")
def test_a_training_that_is_watched_comes_to_the_same_weights() -> None:
    alone = fit(net(), 4)
    watched = net()
    with Monitor(march="X5", example=image(), every=1) as watching:
        fit(watched, 4, lambda step: watching.step(watched, step))
    assert all(
        torch.equal(a, b) for a, b in zip(alone.state_dict().values(), watched.state_dict().values(), strict=True)
    )


@pytest.mark.usefixtures("at_once")
def test_weights_are_looked_at_as_they_are() -> None:
    module = net()
    found: list[dict[str, float]] = []
    with Monitor(march="X5", example=image(), every=1, log=lambda metrics, _: found.append(metrics)) as watching:
        fit(module, 3, lambda step: watching.step(module, step))
    assert [metrics["surgery/export_drift"] < 1e-5 for metrics in found] == [True] * 3


def test_a_copy_of_the_weights_is_taken(kept: Kept) -> None:
    module = net()
    before = module[0].weight.tolist()
    Monitor(march="X5", example=image(), every=1).step(module, 0)
    fit(module, 1)
    assert kept.jobs[0].weights["0.weight"].tolist() == before != module[0].weight.tolist()


def test_a_step_that_comes_while_one_is_worked_on_is_skipped_and_counted(kept: Kept) -> None:
    watching = Monitor(march="X5", example=image(), every=2)
    for step in range(7):
        watching.step(net(), step)
    assert (len(kept.jobs), watching.skipped) == (1, 3)
    watching.close(finish=False)
    assert kept.closed


@pytest.mark.usefixtures("at_once")
def test_the_graph_is_exported_once_per_structure(monkeypatch: pytest.MonkeyPatch) -> None:
    exported: list[nn.Module] = []

    def counted(module: nn.Module, *rest: Any) -> Any:
        exported.append(module)
        return skeleton(module, *rest)

    monkeypatch.setattr(monitor, "skeleton", counted)
    module = net()
    with Monitor(march="X5", example=image(), every=1) as watching:
        fit(module, 3, lambda step: watching.step(module, step))
        assert len(exported) == 1
        module[3], module[4] = nn.Conv2d(4, 2, 1), nn.BatchNorm2d(2)
        watching.step(module, 3)
        assert watching.close()["surgery/export_drift"] < 1e-5
    assert len(exported) == 2


def test_without_drift_a_structure_is_priced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    beside = AtOnce()
    monkeypatch.setattr(monitor, "Beside", lambda: beside)
    module = net()
    found: list[dict[str, float]] = []
    watching = Monitor(march="X5", example=image(), every=1, drift=False, log=lambda said, _: found.append(said))
    fit(module, 4, lambda step: watching.step(module, step))
    assert len(beside.jobs) == 1
    assert len({metrics["surgery/latency_ms"] for metrics in found}) == 1
    assert len(found) == 3


class Scaled(nn.Module):
    """Has a number that is no parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.scale = nn.Conv2d(3, 4, 1), 1.0

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) * self.scale


@pytest.mark.usefixtures("at_once")
def test_what_the_exported_graph_does_not_know_shows_as_drift() -> None:
    module = Scaled()
    watching = Monitor(march="X5", example=image(), every=1)
    watching.step(module, 0)
    module.scale = 3.0
    assert watching.step(module, 1)["surgery/export_drift"] < 1e-5
    metrics = watching.close()
    assert metrics["surgery/drift"] < 1e-5
    assert metrics["surgery/export_drift"] > 0.1


class Raising(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise ValueError("not today")


PROBLEMS = {
    "export": (around(Unexportable()), {}, r"1\.1 \(Unexportable\): Sequential cannot be exported.*svd"),
    "forward": (Raising(), {}, "forward raises ValueError on the example: not today"),
    "module": ("net", {}, "a str is no torch.nn.Module"),
    "inputs": (nn.ReLU(), {"inputs": "nowhere.npz"}, "nowhere.npz"),
}


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("case", PROBLEMS)
def test_a_problem_is_said_once_and_does_not_stop_the_training(case: str) -> None:
    module, options, said = PROBLEMS[case]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        watching = Monitor(march="X5", example=image(), every=1, **options)
        for step in range(3):
            watching.step(module, step)
        watching.close()
    (warning,) = [each for each in told if issubclass(each.category, RuntimeWarning)]
    assert re.search(said, str(warning.message))
    assert watching.failed


REFUSED = {
    "march": ({"march": "X9"}, "unknown march 'X9'"),
    "every": ({"every": 0}, "every: every is 0, it has to be at least 1"),
    "example": ({"example": 0.0}, "example: a float is no example input"),
    "pipeline": ({"pipeline": "nowhere.yaml"}, "nowhere.yaml"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_watched_is_refused_at_the_start(case: str) -> None:
    options, said = REFUSED[case]
    with pytest.raises(InputError, match=said):
        Monitor(**{"march": "X5", "example": image(), **options})


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"pip install 'surgery\[training\]'"):
        Monitor(march="X5", example=None)


class Tied(nn.Module):
    """Two layers with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


class Recurrent(nn.Module):
    """A layer that keeps its own list of its weights, and one whose weight is computed of others."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.LSTM(8, 4, batch_first=True, bidirectional=True)
        self.last = nn.utils.parametrizations.weight_norm(nn.Linear(8, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.cells(x.flatten(0, 1))[0])


class Encoder(nn.Module):
    """A layer for whose eval mode torch has a kernel that is not exported."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.flatten(1, 2))


@pytest.mark.parametrize("kind", [net, Tied, Recurrent, Encoder])
def test_a_skeleton_computes_what_the_module_does_with_weights_of_later(kind: Callable[[], nn.Module]) -> None:
    module = kind()
    names, graph = list(module.state_dict()), skeleton(module, image())
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) / 10)
        expected = module.eval()(image()).numpy()
    state = state_of(module)
    model = Model.load(graph.filled({name: state[name].detach().numpy() for name in graph.weights}))
    (found,) = open_runner(model).run({graph.inputs[0]: image().numpy()}).values()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert list(module.state_dict()) == names
