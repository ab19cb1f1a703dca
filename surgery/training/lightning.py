"""A :class:`~surgery.training.Monitor` as a callback of Lightning."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lightning.pytorch import Callback

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer
    from torch import nn

    from surgery.training.monitor import Monitor


class MonitorCallback(Callback):
    """Steps the monitor after every batch, and hands its metrics to the trainer's loggers.

    They are in ``trainer.callback_metrics``, too, where early stopping and checkpoints find them. Only the first of
    several processes does anything.

    Args:
        monitor: closed at the end of the training.
        module: what of the LightningModule is deployed; all of it, called by its ``forward``, by default.
    """

    def __init__(self, monitor: Monitor, module: Callable[[LightningModule], nn.Module] = lambda whole: whole) -> None:
        self.monitor, self.module = monitor, module

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Look, where it is time to, and log what is ready."""
        if not trainer.is_global_zero:
            return
        metrics = self.monitor.step(self.module(pl_module), trainer.global_step)
        if metrics:
            pl_module.log_dict(metrics, logger=False, rank_zero_only=True)
            self._log(trainer, metrics)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the last figures."""
        self._log(trainer, self.monitor.close())

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave no process behind."""
        self.monitor.close(finish=False)

    def _log(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        for logger in trainer.loggers if metrics else ():
            logger.log_metrics(metrics, step=trainer.global_step)
