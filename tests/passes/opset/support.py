"""One operator of a newer or older opset, brought to opset 11."""

from __future__ import annotations

from typing import Any

from passes.opset import LowerOpset
from surgery.ir import Model
from tests.support import Applied, apply_pass, model_of


def lower(text: str | Model, opset: int = 17, to: int | None = 11, march: str | None = None, **options: Any) -> Applied:
    """The model of ``text``, written at ``opset``, after the pass; ``to`` None leaves the choice to the march."""
    model = text if isinstance(text, Model) else model_of(text, opset=opset, ir_version=10 if opset > 18 else 8)
    return apply_pass(model, LowerOpset(opset=to), march, **options)


def one(nodes: str, *, x: str = "float[2,3,4,5]", y: str = "float[2,3,4,5]", constants: str = "") -> str:
    """A graph from x to y."""
    held = f"<{constants}>" if constants else ""
    return f"g ({x} x) => ({y} y) {held} {{ {nodes} }}"


def refusal(applied: Applied) -> str:
    """The first reason for which nothing was done."""
    assert applied.result.status == "refused", applied.text
    return applied.reasons[0]
