"""Looking at a module without a trace: its state and that of torch are put back whatever happens."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING
from unittest.mock import patch

from surgery.training.torches import need

if TYPE_CHECKING:
    from torch import nn

LOGGERS = ("torch", "torch.onnx", "torch.export", "onnxscript", "onnx_ir")


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Eval mode, without gradients; flags, buffers and random numbers are afterwards what they were before.

    Attention is computed by its operators: the fused kernel that torch has for this mode cannot be exported.
    """
    torch = need("torch")
    fused = torch.backends.mha.get_fastpath_enabled()
    flags = [(inner, inner.training) for inner in module.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]
    devices = {t.device for t in (*module.parameters(), *module.buffers()) if t.device.type == "cuda"}
    try:
        with torch.random.fork_rng(devices), torch.no_grad():
            torch.backends.mha.set_fastpath_enabled(False)
            module.eval()
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for inner, training in flags:
            inner.training = training
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)


@contextmanager
def quiet() -> Iterator[list[warnings.WarningMessage]]:
    """What exporters log and print is kept off the terminal; their warnings are in the list."""
    with ExitStack() as stack:
        said = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        for logger in map(logging.getLogger, LOGGERS):
            stack.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.CRITICAL)
        stack.enter_context(redirect_stdout(io.StringIO()))
        stack.enter_context(redirect_stderr(io.StringIO()))
        # TorchScript's own log goes to the file descriptor of stdout, where no redirection of Python's reaches it.
        stack.enter_context(patch.object(need("torch")._C, "_jit_onnx_log", _drop))
        yield said


def _drop(*_: object) -> None:
    """Log nothing."""
