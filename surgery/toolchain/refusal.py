"""Why the toolchain did not take a model: one kind and one sentence out of all the ways in which it fails."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from enum import StrEnum

from surgery.toolchain.log import Line, lines
from surgery.toolchain.worker import Ended


class Kind(StrEnum):
    """What a refusal is about; those of a rule of whole models are named as our own rules are."""

    OPSET = "model.opset"
    IR = "model.ir_version"
    RANK = "model.rank"
    OUTPUTS = "model.outputs"
    DYNAMIC = "model.dynamic_dims"
    SIZE = "model.size"
    OPERATOR = "operator"
    NOTHING = "nothing"
    INVALID = "invalid"
    WEIGHTS = "weights"
    COMPILER = "compiler"
    CRASH = "crash"
    TIMEOUT = "timeout"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no result; ``text`` is one sentence, in the tool's own words where it has some."""

    kind: Kind
    text: str


_SIGNS: tuple[tuple[Kind, str], ...] = (
    (Kind.OPSET, r"opset.?version"),
    (Kind.IR, r"ir.?version"),
    (Kind.OUTPUTS, r"max output num"),
    (Kind.DYNAMIC, r"dynamic dimension|dimensions of 0|specify input-shape|shape for graph input could not be None"),
    (Kind.RANK, r"expects? be \d+ dimensions|only support 4 dim|should be 4 dim|input rank"),
    (Kind.NOTHING, r"no node can execute on BPU|No [gq]uantifiable nodes"),
    (Kind.OPERATOR, r"unsupport(?:ed)? ?(?:op|domain)|not support these cpu operators|No Op registered|main graph"),
    (Kind.COMPILER, r"hbdk-cc|compile hbir|error in pass|should not exceed"),
    (Kind.WEIGHTS, r"No such file or directory"),
    (Kind.INVALID, r"model is invalid|inference ?error|invalid|already exists|can't find input|^'ai\.onnx'$|missing"),
)
_NAME = re.compile(r"'[^']*'")
_STAGE = re.compile(r"\*{3} ERROR-OCCUR-DURING \{?([\w.]+)\}? \*{3},? error message: (?:ERROR: )?")
_ERROR = re.compile(r"^\s*[\w.]*(?:Error|Exception|Fail|InvalidArgument|InvalidGraph|NotImplemented)\b[^:]*: (.+)$")


def refusal(ended: Ended, text: str, *, limit: float) -> Refusal | None:
    """The reason for an end without a result; None when the job went well."""
    if ended.late:
        return Refusal(Kind.TIMEOUT, f"not done after {limit:g} s{_last_step(text)}")
    if ended.signal is not None:
        return Refusal(Kind.CRASH, f"{_signal(ended.signal)} of the toolchain{_last_step(text)}")
    return None if ended.code == 0 else _spoken(text, ended.code)


def _spoken(text: str, code: int | None) -> Refusal:
    reasons = [reason for line in lines(text) for reason in _reasons(line)]
    for kind, sign in _SIGNS:
        for reason in reasons:
            if re.search(sign, reason, re.IGNORECASE):
                return Refusal(kind, f"it fails at {reason}" if _NAME.fullmatch(reason) else reason)
    if reasons:
        return Refusal(Kind.UNKNOWN, reasons[-1])
    return Refusal(Kind.UNKNOWN, f"exit code {code} without a word{_last_step(text)}")


def _reasons(line: Line) -> list[str]:
    """Sentences of a message that tell an error: what was logged as one, and the ends of tracebacks."""
    first, *rest = line.text.split("\n")
    found = [_sentence(hit[1]) for raw in rest if (hit := _ERROR.match(raw))]
    told = _STAGE.search(line.text) or line.level in ("ERROR", "CRITICAL")
    if told and first.strip() and not first.startswith("Traceback"):
        found.insert(0, _sentence(first))
    return found


def _sentence(text: str) -> str:
    """One line, without the stage it was said in, without folders."""
    return " ".join(re.sub(r"(?<![\w.])(?:/[^\s/]+)+/", "", _STAGE.sub("", text)).split())[:300]


def _signal(number: int) -> str:
    named = {signal.SIGSEGV: "segmentation fault", signal.SIGABRT: "abort", signal.SIGKILL: "kill"}
    return named.get(signal.Signals(number), signal.Signals(number).name)


def _last_step(text: str) -> str:
    said = (line.text.split("\n", 1)[0] for line in lines(text))
    steps = [step.rstrip(".") for step in said if step.startswith(("Start to", "Begin", "Compile"))]
    return f" after '{steps[-1]}'" if steps else ""
