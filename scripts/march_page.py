"""The page of one march, from its data: boards, sources, rules, limits by operator, and what is not known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from surgery.target import Target
from surgery.target.birth import births
from surgery.target.limits import Check, allowed_text
from surgery.target.march import Limit, Op

HEAD = """# {name}

Written by `scripts/doc_marches.py` from `surgery/target/marches/{name}.yaml` and the files it extends. What the words
mean is said in [constraints](../constraints.md).
"""
COLUMNS = "| limit | rule | allowed | when | source | evidence | inside, outside |\n|---|---|---|---|---|---|---|"
DEVICES = {
    "bpu": "on the BPU", "request": "on the BPU when asked for", "cpu": "on the CPU", "folded": "gone before placement",
    "refused": "no kernel: refused", "unknown": "not known",
}  # fmt: skip
Pair = tuple[Limit, Check]


def page(target: Target) -> str:
    """The whole page."""
    parts = (_head(target), _sources(target), _models(target), _operators(target), _placement(target), _unknown(target))
    return "\n".join([HEAD.format(name=target.name), *(line for part in parts for line in part)]).rstrip() + "\n"


def _head(target: Target) -> Iterator[str]:
    march = target.march
    yield f"Boards: {', '.join(march.boards) or 'none'}. Other names: {', '.join(march.aliases) or 'none'}.\n"
    if sizes := target.cost.get("align"):
        aligned = ", ".join(f"{key.replace('_', ' ')} {size}" for key, size in sizes.items() if key != "source")
        yield f"Sizes are padded to multiples of: {aligned} (fitted; `{target.name}.cost.yaml`).\n"
    found = Counter(check.evidence for _, check in every_limit(target))
    yield f"Limits: {sum(found.values())} ({', '.join(f'{n} {kind}' for kind, n in found.most_common())}).\n"


def every_limit(target: Target) -> Iterator[Pair]:
    """All limits with their checks: of models, of every operator (once), of each operator."""
    yield from _of_models(target)
    yield from _common(target)
    for name in target.march.ops:
        yield from limits_of(target, name)


def _of_models(target: Target) -> list[Pair]:
    checks = (*target.model_checks, *target.placed_checks)
    return list(zip((*target.march.model, *target.march.placed), checks, strict=True))


def _common(target: Target) -> list[Pair]:
    return list(zip(target.march.every, target.every_checks, strict=True))


def name_of(check: Check) -> str:
    """The id of a limit; of one that every operator has, with a place for the operator."""
    head, _, rest = check.constraint.partition(".")
    return f"<Op>.{rest}" if head == "every" else check.constraint


def limits_of(target: Target, name: str) -> Iterator[Pair]:
    """The limits of one operator's own row with their checks."""
    return zip(target.march.ops[name].limits, target.checks(name), strict=False)


def _sources(target: Target) -> Iterator[str]:
    yield "## Sources\n\n| source | where | trust | |\n|---|---|---|---|"
    yield from (f"| {n} | {cell(s.where)} | {s.trust} | {cell(s.note)} |" for n, s in target.march.sources.items())
    yield ""


def _models(target: Target) -> Iterator[str]:
    yield f"## Whole models\n\nA model that breaks one of these is refused.\n\n{COLUMNS}"
    yield from (row(target, limit, check, check.constraint) for limit, check in _of_models(target))
    yield ""


def _operators(target: Target) -> Iterator[str]:
    yield "## Operators\n"
    if every := _common(target):
        yield f"Every operator on the BPU:\n\n{COLUMNS}"
        yield from (row(target, limit, check, name_of(check)) for limit, check in every)
        yield ""
    groups: dict[str, list[str]] = {}
    for name, op in sorted(target.march.ops.items()):
        groups.setdefault("\n".join(_group(target, name, op)), []).append(name)
    for text, names in groups.items():
        yield f"### {', '.join(names)}\n"
        yield text.replace("<Op>.", f"{names[0]}.") if len(names) == 1 else text


def _group(target: Target, name: str, op: Op) -> Iterator[str]:
    """All that is said of an operator, without its name: those of which the same is said share a section."""
    words = [DEVICES[op.device], *([] if op.complete else ["within limits that are not public"])]
    precision = f" Precision: {', '.join(op.precision)}." if op.precision else ""
    off = target.probed.get(f"{name}.device")
    probe = f", {off.inside} / {off.outside}" if off else ""
    yield f"{_capital('; '.join(words))} ({op.source}, {op.evidence}{probe}).{precision}\n"
    if op.text:
        yield f"{_capital(op.text)}.\n"
    if op.limits:
        yield COLUMNS
        yield from (row(target, lim, check, _general(check.constraint)) for lim, check in limits_of(target, name))
        yield ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _general(constraint: str) -> str:
    return f"<Op>.{constraint.partition('.')[2]}"


def row(target: Target, limit: Limit, check: Check, name: str) -> str:
    """One limit as a row of a table."""
    words = limit.text or (limit.id or limit.param or "operand shapes").replace("_", " ")
    evidence = f"{check.evidence}; the list says {limit.read}" if limit.read else check.evidence
    probe = target.probed.get(check.constraint)
    sides = f"{probe.inside}, {probe.outside}" if probe else ""
    cells: Sequence[str] = (f"`{name}`", words, f"`{allowed_text(limit)}`", f"`{limit.when}`" if limit.when else "")
    return f"| {' | '.join(map(cell, (*cells, check.source, evidence, sides)))} |"


def _placement(target: Target) -> Iterator[str]:
    passive = target.march.passive
    yield "## Placement\n"
    for words, ops in (
        ("On the BPU only beside something quantised", passive.ops),
        ("The same, where a convolution feeds them", passive.after_conv),
        ("Of these active where a convolution feeds them", passive.not_after_conv),
        ("On the BPU only where their result is asked for quantised", _conditional(passive.waiting)),
        ("Give floats where nothing asks for quantised ones", _conditional(passive.floats)),
    ):
        if ops:
            yield f"{words} ({passive.source}, {passive.evidence}): {', '.join(sorted(ops))}.\n"
    yield f"Fused by the toolchain: {', '.join(sorted(target.march.fuses)) or 'not known'}.\n"
    removal = target.march.removal
    yield f"`remove_node_type` goes through its list: {removal.order} ({removal.source}, {removal.evidence}).\n"


def _conditional(ops: Mapping[str, str]) -> list[str]:
    return [f"{op} (where {when})" if when else op for op, when in ops.items()]


def _unknown(target: Target) -> Iterator[str]:
    march = target.march
    yield "## What is not known\n"
    unlisted = sorted(births().keys() - march.ops.keys())
    partly = sorted(name for name, op in march.ops.items() if not op.complete or op.device == "unknown")
    rest = "on the CPU, as the list says of operators it does not name" if march.unlisted == "cpu" else "unknown"
    yield f"{len(unlisted)} of the {len(births())} operators of ONNX have no row here; the verdict on them: {rest}.\n"
    if partly:
        yield f"Of the {len(march.ops)} operators with a row, {len(march.ops) - len(partly)} are known whole."
        yield f"Of the other {len(partly)} the limits could not all be read: a node that keeps those above is"
        yield f"`unknown`, not `bpu`, unless another march is assumed (`--assume`). They are {', '.join(partly)}.\n"
    read = sum(check.evidence in ("read", "inferred") for _, check in every_limit(target))
    yield f"{read} limits were read or inferred and not put to a checker on both sides.\n"


def cell(text: str) -> str:
    """Text fit for a table cell."""
    return text.replace("|", "\\|").replace("\n", " ")
