"""A :class:`~surgery.training.Monitor` as a callback of the Trainer of Hugging Face's transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

if TYPE_CHECKING:
    from transformers import Trainer, TrainerControl, TrainerState, TrainingArguments

    from surgery.training.monitor import Monitor


class MonitorCallback(TrainerCallback):
    """Steps the monitor after every optimiser step, and has the trainer log its metrics.

    A callback has no way to the loggers of its trainer but the trainer itself::

        trainer.add_callback(MonitorCallback(monitor, trainer))

    Only the first of several processes does anything.

    Args:
        monitor: closed at the end of the training.
        trainer: whose ``log`` is called; without it the metrics are added to ``state.log_history`` alone.
    """

    def __init__(self, monitor: Monitor, trainer: Trainer | None = None) -> None:
        self.monitor, self.trainer = monitor, trainer

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> None:
        """Look, where it is time to, and log what is ready."""
        if state.is_world_process_zero:
            self._log(state, self.monitor.step(model, state.global_step))

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Log the last figures."""
        self._log(state, self.monitor.close())

    def _log(self, state: TrainerState, metrics: dict[str, float]) -> None:
        if not metrics:
            return
        if self.trainer is None:
            state.log_history.append({**metrics, "step": state.global_step})
        else:
            self.trainer.log(metrics)
