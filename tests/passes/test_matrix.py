"""Every rule of every pass, in every place and shape in which rules go wrong.

What a pass has to keep is asserted by :func:`tests.support.apply_pass`: a valid graph, the interface, numbers within
the promise of the rules that fired, and that a second run changes nothing. Here: that the rule fired, or may not.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest

from passes.strip import REMOVABLE
from surgery.pipeline import Pass, registry
from surgery.pipeline.result import Status
from surgery.rewrite import Purpose, Rule
from surgery.target import load_target, march_names
from tests.matrix import VARIANTS, model_in, runs
from tests.passes.clamp_marches import marches
from tests.passes.rule_samples import IN_BODIES, OLDEST, SAMPLES, Sample
from tests.support import ROOT, Applied, apply_pass

BY_ITSELF = {
    "freeze-shapes": {"freeze"},
    "fold-constants": {"fold"},
    "unroll-loops": {"fold"},
    "inline-functions": {"drop-function"},
    "lift-quantisation": set(),
    "lower-opset": {"restate"},
    "share-equals": {"share-weights"},
    "strip-io-nodes": set(REMOVABLE),
    "cut-heads": {"cut"},
    "lift-normalisation": {"lift"},
    "clamp-conv-channels": set(),
    "normalise-rank": {"rank4-inputs", "rank4-outputs"},
}
"""What passes do that are no rules; every pass that runs by itself has to be here."""
OPSETS = (OLDEST, 13, 17, onnx.defs.onnx_opset_version())


def _settings(kind: type[Pass]) -> Iterator[Pass]:
    """The pass under every value of every option that has a list of them, and by default."""
    yield kind()
    for name, option in kind.model_fields.items():
        for value in _values(option.annotation):
            try:
                yield kind(**{name: value})
            except ValueError:
                continue  # a value that is known and not yet there


def _values(annotation: Any) -> tuple[Any, ...]:
    """What an option can be, where that is a list."""
    if annotation is bool:
        return (True,)
    return typing.get_args(annotation) if typing.get_origin(annotation) is typing.Literal else ()


def _rules(name: str) -> dict[str, Rule[Any]]:
    """The rules of a pass by name, whatever its options and the march."""
    targets = [None, *map(load_target, march_names())]
    steps = list(_settings(registry.load(name)))
    return {rule.name: rule for step in steps for target in targets for rule in step.rules(target)}


RULES = {name: _rules(name) for name in registry.names()}
CASES = [(step, rule) for step, samples in SAMPLES.items() for rule in samples]


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The files of the tests' own marches, by name."""
    own = {"bare": str(ROOT / "tests" / "passes" / "marches" / "bare.yaml")}
    return {**marches(Path(tmp_path_factory.mktemp("marches"))), **own}


@pytest.mark.parametrize("name", registry.names())
def test_every_rule_has_a_sample(name: str) -> None:
    kind = registry.load(name)
    assert kind.run is Pass.run or name in BY_ITSELF
    assert set(SAMPLES.get(name, {})) == {*RULES[name], *BY_ITSELF.get(name, ())}


def _applied(step: str, sample: Sample, model: Any, paths: dict[str, str], **options: Any) -> Applied:
    march = paths.get(sample.march or "", sample.march)
    budget = {"max_abs": 1e3} if sample.budget else None
    return apply_pass(model, registry.load(step)(**sample.options), march, budget=budget, **options)


def _fired(applied: Applied) -> set[str]:
    return {edit.change.rule for edit in applied.result.edits}


def _quiet(step: str, rule: str, sample: Sample, paths: dict[str, str]) -> frozenset[str]:
    """Variants in which the rule must not fire: in a body nothing is illegal but operators that nobody knows there."""
    known = RULES[step].get(rule)
    if known is None or known.purpose is not Purpose.LEGALISE:
        return sample.quiet
    target = load_target(paths.get(sample.march or "", sample.march or "bayes-e"))
    young = any(target.unborn(node.op_type) for node in sample.proto().graph.node)
    return sample.quiet if young else sample.quiet | IN_BODIES


@pytest.mark.usefixtures("paying")
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("step", "rule"), CASES)
def test_everywhere(step: str, rule: str, variant: str, paths: dict[str, str]) -> None:
    sample = SAMPLES[step][rule]
    applied = _applied(step, sample, model_in(variant, sample.proto()), paths, verify=runs(variant))
    assert (rule in _fired(applied)) == (variant not in _quiet(step, rule, sample, paths)), applied.reasons


def _opsets(sample: Sample) -> Iterator[int]:
    """The opsets that have the operators of the sample."""
    ops = {node.op_type for node in sample.proto().graph.node if not node.domain}
    for opset in OPSETS:
        if opset >= sample.since and all(onnx.defs.has(op, opset) for op in ops):
            yield opset


@pytest.mark.usefixtures("paying")
@pytest.mark.parametrize(("step", "rule"), CASES)
def test_every_opset(step: str, rule: str, paths: dict[str, str]) -> None:
    sample = SAMPLES[step][rule]
    for opset in _opsets(sample):
        proto = sample.proto(opset)
        applied = _applied(step, sample, model_in("plain", proto), paths)
        assert applied.result.status is Status.APPLIED, (opset, applied.reasons)
        assert rule in _fired(applied), opset
