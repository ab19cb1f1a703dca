"""What a model that is being trained will cost on the chip, while it is trained."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from surgery.errors import InputError
from surgery.pipeline import Pipeline
from surgery.target import load_target
from surgery.training.example import Example, arguments, split
from surgery.training.process import Beside
from surgery.training.skeleton import Arrays, Skeleton, skeleton, state_of
from surgery.training.torches import need_module
from surgery.training.trees import tensors
from surgery.training.undisturbed import evaluating
from surgery.training.worker import Job, Reply

if TYPE_CHECKING:
    from torch import Tensor, nn

Log: TypeAlias = "Callable[[dict[str, float], int], object]"
PREFIX = "surgery/"
"""What the names of all metrics begin with."""

ENDING = 120.0
"""Seconds for which the last figures are waited for at the end of a training."""


class Monitor:
    """Every ``every`` steps, the predicted latency of the module, what is left on the CPU, and its drift.

    On the training's thread the weights are copied and the example is run once in eval mode; rewriting, pricing and
    verifying is done in a process beside it, for one step at a time: a step that comes while that is at work is
    skipped. The graph is exported at the first step, and again when layers or shapes have changed; what ``forward``
    takes from attributes that are neither parameters nor buffers stays as it was then (``export_drift`` shows it).

    Metrics, as numbers by name: ``surgery/latency_ms`` with ``_low`` and ``_high`` (of one frame on one thread),
    ``cpu_nodes``, ``segments``, ``violations`` of the rewritten model; ``drift`` of the rewritten model from the
    exported one, and ``export_drift`` of that from the module: the largest difference over the range of an output;
    ``seconds`` of work beside the training; ``skipped`` and ``failed`` steps so far.

    Args:
        march: name, board or march file.
        example: inputs that ``forward`` is called with: a tensor, a tuple, or a mapping by name.
        every: steps between two looks.
        log: called with the metrics and the step they belong to, on the training's thread, at a later step.
        drift: whether weights are looked at; without it one look per structure of the module is enough.
        pipeline: passes, or the path of their file; the default ones of the march when None.
        inputs: file, folder or arrays to verify the rewritten model on in place of the example.
        assume: march whose limits stand in for unknown ones.
        opset: of the export, by the exporter of TorchScript; see :func:`surgery.training.export`.

    Raises:
        InputError: torch is not installed, or something given cannot be used. Later problems, such as a module that
            cannot be exported, are warnings.
    """

    def __init__(
        self,
        *,
        march: str,
        example: Example,
        every: int = 100,
        log: Log | None = None,
        drift: bool = True,
        pipeline: Pipeline | str | PathLike[str] | None = None,
        inputs: str | PathLike[str] | Mapping[str, Any] | None = None,
        assume: str | None = None,
        opset: int | None = None,
    ) -> None:
        if every < 1:
            raise InputError(f"every is {every}, it has to be at least 1", where="every")
        load_target(march, assume)
        split(example)
        self.every, self.log, self.drift = every, log, drift
        self.skipped, self.failed = 0, 0
        self._example, self._opset = example, opset
        passes = Pipeline.from_yaml(pipeline) if isinstance(pipeline, str | PathLike) else pipeline
        self._job: dict[str, Any] = {"march": march, "assume": assume, "pipeline": passes, "inputs": inputs}
        self._structure: object = None
        self._skeleton: Skeleton | None = None
        self._priced: Reply | None = None
        self._pending: tuple[int, Future[Reply]] | None = None
        self._warned: set[str] = set()
        self._beside = Beside()

    def step(self, module: nn.Module, step: int) -> dict[str, float]:
        """To be called at every step; returns the metrics of an earlier one that are ready, none most of the time.

        It never raises for what is wrong with the module or the figures: that is a warning, and counted.
        """
        ready = self._ready()
        if step % self.every == 0:
            if self._pending is None:
                self._look(module, step)
            else:
                self.skipped += 1
        return ready

    def close(self, *, finish: bool = True) -> dict[str, float]:
        """End the process beside; ``finish`` waits for the figures that it is at, logs and returns them."""
        if finish and self._pending is not None:
            wait([self._pending[1]], ENDING)
        ready = self._ready()
        self._beside.close()
        self._pending = None
        return ready

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close(finish=kind is None)

    def _ready(self) -> dict[str, float]:
        """The metrics that have come, logged."""
        if self._pending is None or not self._pending[1].done():
            return {}
        (step, future), self._pending = self._pending, None
        problem = future.exception()
        reply = future.result() if problem is None else Reply({}, str(problem))
        if reply.problem:
            self._fail(reply.problem)
        elif not self.drift:
            self._priced = reply
        counts = {"skipped": float(self.skipped), "failed": float(self.failed)}
        metrics = {f"{PREFIX}{name}": value for name, value in {**reply.figures, **counts}.items()}
        if self.log is not None:
            self.log(metrics, step)
        return metrics

    def _look(self, module: nn.Module, step: int) -> None:
        try:
            found = self._asked(need_module(module))
        except Exception as error:  # noqa: BLE001  # a training is worth more than its figures
            self._fail(str(error))
        else:
            self._pending = None if found is None else (step, found)

    def _asked(self, module: nn.Module) -> Future[Reply] | None:
        """The reply to come; None for a module that could not be exported before."""
        structure = repr(module), [(name, tensor.shape, tensor.dtype) for name, tensor in state_of(module).items()]
        if structure != self._structure:
            self._structure, self._skeleton, self._priced = structure, None, None
            self._skeleton = skeleton(module, self._example, self._opset)
        if self._priced is not None:
            known: Future[Reply] = Future()
            known.set_result(self._priced)
            return known
        graph = self._skeleton
        return None if graph is None else self._beside.submit(self._snapshot(module, graph))

    def _snapshot(self, module: nn.Module, graph: Skeleton) -> Job:
        """The weights as they are, and what the module makes of the example with them."""
        with evaluating(module):
            given = arguments(module, self._example)
            returned = [tensor for _, tensor in tensors(module(*given.args, **given.kwargs), "")]
        state = state_of(module)
        return Job(
            skeleton=graph,
            weights={name: _array(state[name]) for name in graph.weights},
            feeds=_arrays(graph.inputs, given.leaves),
            expected=_arrays(graph.outputs, returned),
            **self._job,
        )

    def _fail(self, problem: str) -> None:
        """Count the problem, and say it once."""
        self.failed += 1
        if problem not in self._warned:
            self._warned.add(problem)
            warnings.warn(f"surgery.training.Monitor: {problem}", RuntimeWarning, stacklevel=2)


def _arrays(names: tuple[str, ...], values: list[Tensor] | tuple[Tensor, ...]) -> Arrays:
    return {name: _array(value) for name, value in zip(names, values, strict=True)}


def _array(tensor: Tensor) -> Any:
    """A copy in the host's memory, which later steps do not change."""
    return tensor.detach().to("cpu", copy=True).numpy()
