"""A chip to check against: one node, or the rules about whole models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from surgery.errors import InputError
from surgery.ir.graph import Node
from surgery.target import loading, registry
from surgery.target.birth import unborn
from surgery.target.expression import Expression
from surgery.target.facts import FACTS, PLACED, model_facts
from surgery.target.limits import UNDEFINED, Check, compile_limits
from surgery.target.march import Limit, March, Op, Probe
from surgery.target.memory import Memory
from surgery.target.overlay import Word
from surgery.target.params import PARAMS, Params, Unknown
from surgery.target.verdict import Device, Effect, Evidence, Refusal, Verdict, Violation

if TYPE_CHECKING:
    from surgery.ir import Model


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
        self._memory = Memory()
        self._unborn: dict[str, Violation | None] = {}
        self._cost: dict[str, Any] | None = None
        self._probed: Mapping[str, Probe] | None = None
        self._words: Mapping[str, Word] = {}
        self.run_on_bpu: tuple[str, ...] = ()

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

    @property
    def probed(self) -> Mapping[str, Probe]:
        """What the vendor's checker was asked about this march, by id of the limit (``<march>.probed.yaml``)."""
        if self._probed is None:
            self._probed = loading.load_probes(self.path)
        return self._probed

    def evidence(self, constraint: str, otherwise: Evidence) -> Evidence:
        """``probed`` for a limit on both sides of which the vendor's checker was asked and agreed."""
        probe = self.probed.get(constraint)
        return "probed" if probe is not None and probe.confirms else otherwise

    def op(self, op_type: str) -> Op | None:
        """The row of an operator, None when no list names it."""
        return self.march.ops.get(op_type)

    def holds(self, when: str, node: Node, opset: int) -> bool:
        """Whether a condition of the march is met by a node; one that cannot be worked out is not."""
        if not when:
            return True
        try:
            return bool(_condition(when)(Params(node, opset)))
        except (Unknown, *UNDEFINED):
            return False

    def fuses(self, pattern: str) -> bool:
        """Whether the toolchain is known to do the named fusion (see :mod:`surgery.target.folds`)."""
        return pattern in self.march.fuses

    def checks(self, op_type: str) -> tuple[Check, ...]:
        """The compiled limits of an operator; InputError, naming file and id, when one cannot be compiled."""
        if op_type not in self._checks:
            row = self.march.ops[op_type]
            common = self.march.every if row.device in ("bpu", "request") else ()
            limits = (*row.limits, *(_with_evidence(limit) for limit in common))
            self._checks[op_type] = self._compiled(limits, op_type, row.source, row.evidence, PARAMS)
        return self._checks[op_type]

    @cached_property
    def model_checks(self) -> tuple[Check, ...]:
        """The compiled rules about whole models."""
        return self._compiled(self.march.model, "model", "", "read", FACTS)

    @cached_property
    def placed_checks(self) -> tuple[Check, ...]:
        """The compiled rules about what becomes of whole models."""
        return self._compiled(self.march.placed, "model", "", "read", PLACED)

    @cached_property
    def every_checks(self) -> tuple[Check, ...]:
        """The compiled limits that every operator on the BPU has, as they stand by themselves."""
        return self._compiled(self.march.every, "every", "", "read", PARAMS)

    def _compiled(
        self, limits: Sequence[Limit], prefix: str, source: str, evidence: Evidence, known: Iterable[str]
    ) -> tuple[Check, ...]:
        checks = compile_limits(limits, prefix, source, evidence, known, str(self.path))
        for check in checks:
            check.evidence = self.evidence(check.constraint, check.evidence)
        return checks

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

    def asking(self, globs: Sequence[str], nodes: Iterable[Node]) -> Target:
        """This march where its toolchain is asked to run nodes on the BPU that it leaves on the CPU otherwise.

        Args:
            globs: names of nodes or operators, with ``*`` and ``?``.
            nodes: of the model that it is about.

        Raises:
            InputError: one names no operator that runs on request.
        """
        names = {*self.on_request, *(node.name for node in nodes if node.op in self.on_request)}
        for glob in globs:
            if not any(fnmatchcase(name, glob) for name in names):
                known = f"on request it runs {', '.join(self.on_request)}" if self.on_request else "it runs none"
                raise InputError(f"{glob!r} names nothing that {self.name} runs on request", hint=known)
        twin = copy(self)
        twin.run_on_bpu = tuple(globs)
        return twin

    @property
    def on_request(self) -> tuple[str, ...]:
        """Operators that the BPU runs where the toolchain is asked to (``run_on_bpu``, ``node_info``)."""
        return tuple(op for op, row in self.march.ops.items() if row.device == "request")

    def _is_asked(self, node: Node) -> bool:
        return any(fnmatchcase(name, glob) for glob in self.run_on_bpu for name in (node.name, node.op))

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
        verdict = self._memory.recall(Params(node, opset), self._checked)
        if verdict.device == "bpu" and not row.complete:
            return self._incomplete(node, opset)
        if row.device == "request" and not self._is_asked(node):
            return replace(verdict, device="cpu", violations=(*self._off_bpu(node.op, row), *verdict.violations))
        return verdict

    def refusals(self, model: Model) -> list[Refusal]:
        """The rules about whole models that this one breaks: opset, IR version, inputs, outputs, dynamic dims."""
        return self._refused(self.model_checks, model_facts(model))

    def refusals_once_placed(self, counts: Mapping[str, Any]) -> list[Refusal]:
        """The rules about placed models that one breaks, by its counts of nodes per device and of segments."""
        return self._refused(self.placed_checks, counts)

    def _refused(self, checks: Iterable[Check], facts: Mapping[str, Any]) -> list[Refusal]:
        broken = (violation for check in checks if (violation := self._asked(check, dict(facts))) is not None)
        return [Refusal(v.constraint, _plain(v.found), v.allowed, v.text, v.source, v.evidence) for v in broken]

    def _asked(self, check: Check, facts: dict[str, Any]) -> Violation | None:
        try:
            return check(facts)
        except Unknown as unknown:
            raise InputError(f"{check.constraint}: {unknown}", where=str(self.path)) from unknown

    def _checked(self, params: Params) -> Verdict:
        broken: list[tuple[Violation, Effect]] = []
        reasons: dict[str, None] = {}
        for check in self.checks(params.node.op):
            try:
                violation = check(params)
            except Unknown as unknown:
                reasons[f"{check.constraint}: {unknown}"] = None
                continue
            if violation is not None:
                broken.append((violation, check.effect))
        effects = {effect for _, effect in broken}
        violations = tuple(violation for violation, _ in broken)
        if not effects - {"refused on the cpu"}:
            return Verdict("unknown" if reasons else "bpu", (), tuple(reasons))
        if effects - {"refused on the cpu"} == {"refused on the bpu"}:
            return Verdict("refused", violations, tuple(reasons), spared="refused on the cpu" not in effects)
        device: Device = "cpu" if effects - {"refused on the bpu"} == {"cpu"} else "refused"
        return Verdict(device, violations, tuple(reasons))

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
        constraint = f"{op_type}.{kind}"
        evidence = self.evidence(constraint, row.evidence)
        return (Violation(constraint, row.device, "bpu", row.text or text, row.source, evidence),)


def _with_evidence(limit: Limit) -> Limit:
    """A limit of every operator, which has no evidence from the row of the one it is put to."""
    return limit if limit.evidence else limit.model_copy(update={"evidence": "read"})


@lru_cache
def _condition(text: str) -> Expression:
    return Expression(text, PARAMS)


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


@lru_cache(maxsize=32)
def load_target(name: str, assume: str | None = None) -> Target:
    """The march of that name, board name (``X5``, any case) or march file.

    Args:
        name: ``bayes-e``, ``X5``, ``RDK S100``, or a path ending in ``.yaml``.
        assume: a march whose limits stand in for those not known; verdicts made from them say so.

    Raises:
        InputError: unknown name (the nearest ones are offered), or a file that is not valid.
    """
    path = registry.find(name)
    return Target(loading.load(path), path, load_target(assume) if assume else None)
