"""The monitor in the training loops of others: a few real steps each, on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.loggers.logger import DummyLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerState, TrainingArguments

from surgery.training import Monitor, huggingface, lightning, monitor
from tests.training.beside import AtOnce
from tests.training.modules import image

DATA = torch.cat([image(seed) for seed in range(12)])


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> AtOnce:
    made = AtOnce()
    monkeypatch.setattr(monitor, "Beside", lambda: made)
    return made


def net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())


class Lit(pl.LightningModule):
    def __init__(self, breaks: bool = False) -> None:
        super().__init__()
        self.net, self.breaks = net(), breaks

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        if self.breaks and index:
            raise RuntimeError("broken")
        return self.net(batch).square().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Log(DummyLogger):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, dict[str, float]]] = []

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        self.found.append((step, metrics))


def _trainer(callback: pl.Callback, log: Log) -> pl.Trainer:
    quiet: dict[str, Any] = dict.fromkeys(
        ("enable_checkpointing", "enable_progress_bar", "enable_model_summary", "barebones"), False
    )
    return pl.Trainer(max_steps=6, accelerator="cpu", logger=log, callbacks=[callback], **quiet)


@pytest.mark.filterwarnings("ignore")
def test_lightning_logs_the_figures_and_ends_the_process(beside: AtOnce) -> None:
    log = Log()
    callback = lightning.MonitorCallback(Monitor(march="X5", example=image(), every=2), lambda whole: whole.net)
    trainer = _trainer(callback, log)
    trainer.fit(Lit(), DataLoader(DATA, batch_size=2))
    assert [step for step, _ in log.found] == [3, 5, 6]
    assert all(metrics["surgery/latency_ms"] > 0 and metrics["surgery/drift"] < 1e-5 for _, metrics in log.found)
    assert trainer.callback_metrics["surgery/cpu_nodes"] == 0
    assert beside.closed


@pytest.mark.filterwarnings("ignore")
def test_a_training_that_breaks_ends_the_process(beside: AtOnce) -> None:
    callback = lightning.MonitorCallback(Monitor(march="X5", example=image()), lambda whole: whole.net)
    with pytest.raises(RuntimeError, match="broken"):
        _trainer(callback, Log()).fit(Lit(breaks=True), DataLoader(DATA, batch_size=2))
    assert beside.closed


class Labelled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = net()

    def forward(self, pixels: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        found = {"logits": self.net(pixels).mean((2, 3))}
        return found if labels is None else {"loss": nn.functional.mse_loss(found["logits"], labels), **found}


def test_the_trainer_of_hugging_face_logs_the_figures(beside: AtOnce, tmp_path: Path) -> None:
    data = [{"pixels": one, "labels": torch.zeros(4)} for one in DATA]
    said = {"report_to": [], "save_strategy": "no", "disable_tqdm": True, "use_cpu": True, "logging_strategy": "no"}
    arguments = TrainingArguments(str(tmp_path), max_steps=6, per_device_train_batch_size=2, **said)
    trainer = Trainer(Labelled(), arguments, train_dataset=data)
    watching = Monitor(march="X5", example={"pixels": image()}, every=2)
    trainer.add_callback(huggingface.MonitorCallback(watching, trainer))
    trainer.train()
    found = [entry for entry in trainer.state.log_history if "surgery/latency_ms" in entry]
    assert [entry["step"] for entry in found] == [3, 5, 6]
    assert all(entry["surgery/drift"] < 1e-5 for entry in found)
    assert beside.closed


def test_without_the_trainer_the_history_has_the_figures(beside: AtOnce) -> None:
    watching, state = Monitor(march="X5", example=image(), every=2), TrainerState(global_step=2)
    callback = huggingface.MonitorCallback(watching)
    callback.on_step_end(None, state, None, model=net())
    callback.on_train_end(None, state, None)
    (entry,) = state.log_history
    assert (entry["step"], entry["surgery/drift"] < 1e-5, beside.closed) == (2, True, True)
