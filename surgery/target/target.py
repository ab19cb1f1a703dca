"""A chip to check against: one node, or the rules about whole models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from surgery.ir.graph import Graph, Node, Tensor
from surgery.target import march as marches
from surgery.target.birth import unborn
from surgery.target.limits import Check, compile_limits
from surgery.target.march import March, Op
from surgery.target.overlay import Word
from surgery.target.params import PARAMS, Params, Unknown
from surgery.target.verdict import Device, Effect, Refusal, Verdict, Violation

if TYPE_CHECKING:
    from surgery.ir import Model

MODEL_FACTS = ("opset", "ir_version", "inputs", "outputs", "input_ranks", "dynamic_dims", "unscaled")


class Target:
    """One march, compiled as far as it has been asked about.

    Args:
        march: its data.
        path: the file it came from, for messages.
        assumed: a march whose limits stand in where this one's are not known.
    """

    def __init__(self, march: March, path: Path, assumed: Target | None = None) -> None:
        self.march, self.path, self.assumed = march, path, assumed
        self._checks: dict[str, tuple[Check, ...]] = {}
        self._unborn: dict[str, Violation | None] = {}
        self._cost: dict[str, Any] | None = None
        self._words: Mapping[str, Word] = {}

    def __repr__(self) -> str:
        return f"Target({self.name!r})"

    @property
    def name(self) -> str:
        """Name of the march."""
        return self.march.march

    @property
    def cost(self) -> dict[str, Any]:
        """The cost coefficients in ``<march>.cost.yaml`` beside the march file; empty when there are none."""
        if self._cost is None:
            beside = self.path.with_suffix(".cost.yaml")
            self._cost = yaml.safe_load(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
        return self._cost

    def op(self, op_type: str) -> Op | None:
        """The row of an operator, None when no list names it."""
        return self.march.ops.get(op_type)

    def is_passive(self, op_type: str) -> bool:
        """Whether the toolchain quantises this operator only for the sake of one behind it."""
        return op_type in self.march.passive.ops

    def fuses(self, pattern: str) -> bool:
        """Whether the toolchain is known to do the named fusion (see :mod:`surgery.target.folds`)."""
        return pattern in self.march.fuses

    def checks(self, op_type: str) -> tuple[Check, ...]:
        """The compiled limits of an operator; InputError, naming file and id, when one cannot be compiled."""
        if op_type not in self._checks:
            row = self.march.ops[op_type]
            common = self.march.every if row.device in ("bpu", "request") else ()
            limits = (*row.limits, *common)
            self._checks[op_type] = compile_limits(limits, op_type, row.source, row.evidence, PARAMS, str(self.path))
        return self._checks[op_type]

    def verdict(self, node: Node, opset: int) -> Verdict:
        """Where this node could run, looked at by itself; where the vendor's log says so, as that has it.

        Reads shapes, dtypes, attributes and small integer operands; never a weight's bytes.
        """
        verdict, word = self._judged(node, opset), self.said(node)
        return verdict if word is None else word.over(verdict)

    def overlaid(self, words: Mapping[str, Word]) -> Target:
        """This march with what the vendor's toolchain said of single nodes, by name."""
        twin = copy(self)
        twin._words = {**words}
        return twin

    def said(self, node: Node) -> Word | None:
        """What the vendor's log says of ``node``; None when nothing, or of what it was before it was rewritten."""
        word = self._words.get(node.name)
        return word if word is not None and word.about(node) else None

    def _judged(self, node: Node, opset: int) -> Verdict:
        """The verdict of the march's data."""
        if not node.is_onnx:
            return Verdict("unknown", reasons=(f"operator of domain {node.domain!r}",))
        verdict = self._placed(node, opset)
        if (violation := self.unborn(node.op)) is None:
            return verdict
        return replace(verdict, device="refused", violations=(violation, *verdict.violations))

    def unborn(self, op_type: str) -> Violation | None:
        """The violation ``<Op>.opset`` of an ONNX operator younger than the newest opset the toolchain takes."""
        if op_type not in self._unborn:
            self._unborn[op_type] = unborn(self.march, op_type)
        return self._unborn[op_type]

    def _placed(self, node: Node, opset: int) -> Verdict:
        """The verdict, whichever opsets the toolchain takes."""
        row = self.march.ops.get(node.op)
        if row is None or row.device == "unknown":
            return self._unnamed(node, opset, row)
        if row.device in ("cpu", "refused", "folded"):
            return Verdict(row.device, self._off_bpu(node.op, row))
        verdict = self._checked(node, opset)
        if verdict.device == "bpu" and not row.complete:
            return self._incomplete(node, opset)
        if row.device == "request":
            return replace(verdict, device="cpu", violations=(*self._off_bpu(node.op, row), *verdict.violations))
        return verdict

    def refusals(self, model: Model) -> list[Refusal]:
        """The rules about whole models that this one breaks: opset, IR version, inputs, outputs, dynamic dims."""
        found = model_facts(model)
        checks = compile_limits(self.march.model, "model", "", "read", MODEL_FACTS, str(self.path))
        broken = (violation for check in checks if (violation := check(found)) is not None)
        return [Refusal(v.constraint, _plain(v.found), v.allowed, v.text, v.source, v.evidence) for v in broken]

    def _checked(self, node: Node, opset: int) -> Verdict:
        params = Params(node, opset)
        broken: list[tuple[Violation, Effect]] = []
        reasons: dict[str, None] = {}
        for check in self.checks(node.op):
            try:
                violation = check(params)
            except Unknown as unknown:
                reasons[f"{check.constraint}: {unknown}"] = None
                continue
            if violation is not None:
                broken.append((violation, check.effect))
        effects = {effect for _, effect in broken}
        if not effects - {"refused on the cpu"}:
            return Verdict("unknown" if reasons else "bpu", (), tuple(reasons))
        device: Device = "cpu" if effects == {"cpu"} else "refused"
        return Verdict(device, tuple(violation for violation, _ in broken), tuple(reasons))

    def _unnamed(self, node: Node, opset: int, row: Op | None) -> Verdict:
        if self.assumed is not None:
            return self._borrowed(node, opset)
        if row is None and self.march.unlisted == "cpu":
            return Verdict("cpu", (_unlisted(node.op, self.march.listed_in),))
        return Verdict("unknown", reasons=(f"no public row for {node.op} on {self.name}",))

    def _incomplete(self, node: Node, opset: int) -> Verdict:
        if self.assumed is not None:
            return self._borrowed(node, opset)
        return Verdict(
            "unknown", reasons=(f"on the BPU of {self.name}, within limits of {node.op} that are not public",)
        )

    def _borrowed(self, node: Node, opset: int) -> Verdict:
        assert self.assumed is not None
        verdict = self.assumed.verdict(node, opset)
        marked = tuple(replace(v, evidence="assumed") for v in verdict.violations)
        reasons = (*verdict.reasons, f"limits assumed from {self.assumed.name}")
        return replace(verdict, violations=marked, reasons=reasons)

    def _off_bpu(self, op_type: str, row: Op) -> tuple[Violation, ...]:
        if row.device == "folded":
            return ()
        kind, text = _OFF_BPU[row.device]
        return (Violation(f"{op_type}.{kind}", row.device, "bpu", row.text or text, row.source, row.evidence),)


def _unlisted(op_type: str, source: str) -> Violation:
    text = "operators the list does not name are not supported"
    return Violation(f"{op_type}.unlisted", op_type, "a listed operator", text, source, "read")


_OFF_BPU = {
    "cpu": ("device", "the toolchain has a CPU kernel only"),
    "request": ("request", "stays on the CPU unless the toolchain is asked to run it on the BPU"),
    "refused": ("kernel", "the toolchain has no kernel for it"),
}


def _plain(value: str | float) -> str | int:
    return value if isinstance(value, str) else int(value)


def model_facts(model: Model) -> dict[str, Any]:
    """What the rules about whole models are written in."""
    graph = model.graph
    return {
        "opset": model.opset,
        "ir_version": model.ir_version,
        "inputs": len(graph.inputs),
        "outputs": len(graph.outputs),
        "input_ranks": tuple(len(t.shape) for t in graph.inputs if t.shape is not None),
        "dynamic_dims": tuple(text for t in graph.inputs for text in _dynamic(t)),
        "unscaled": tuple(_unscaled(graph)),
    }


def _dynamic(tensor: Tensor) -> list[str]:
    if tensor.shape is None:
        return [f"{tensor.name}: rank"]
    return [f"{tensor.name}: {d or f'dim {i}'}" for i, d in enumerate(tensor.shape) if not isinstance(d, int)]


@lru_cache(maxsize=32)
def load_target(name: str, assume: str | None = None) -> Target:
    """The march of that name, board name (``X5``, any case) or march file.

    Args:
        name: ``bayes-e``, ``X5``, ``RDK S100``, or a path ending in ``.yaml``.
        assume: a march whose limits stand in for those not known; verdicts made from them say so.

    Raises:
        InputError: unknown name (the nearest ones are offered), or a file that is not valid.
    """
    path = marches.find(name)
    return Target(marches.load(path), path, load_target(assume) if assume else None)


KEEPS_SCALE = frozenset({"Concat", "Flatten", "MaxPool", "Reshape", "Resize", "Slice", "Squeeze", "Transpose"})
SCALED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
QUANTISING = frozenset({"QuantizeLinear", "DequantizeLinear"})


def _unscaled(graph: Graph) -> Iterator[str]:
    """Names of the convolutions and matrix products that read no dequantised tensor, in a model that quantises."""
    if not any(node.op in QUANTISING for node in graph.nodes):
        return
    for node in graph.nodes:
        source = node.inputs[0].producer if node.op in SCALED else None
        while source is not None and source.op in KEEPS_SCALE:
            source = source.inputs[0].producer
        if node.op in SCALED and (source is None or source.op != "DequantizeLinear"):
            yield node.name
