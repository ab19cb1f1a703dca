"""substitute-ops: what comes out, where, and that it is legal and the same function."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from passes.substitute import RULES, SubstituteOps
from surgery.ir import Model
from surgery.pipeline import Pipeline
from surgery.pipeline.result import Status
from surgery.rewrite import Purpose
from surgery.target import Target, load_target
from tests.passes.refusals import REFUSALS
from tests.passes.substitutions import CASES, ROW, net
from tests.support import ROOT, Applied, apply_pass

MARCHES = ("bernoulli2", "bayes", "bayes-e")


FILES = {"bernoulli2": "x3", "bayes": "ultra", "bayes-e": "x5", "bare": "bare"}


def path(march: str) -> str:
    """The march, without cost coefficients where it has any."""
    return str(ROOT / "tests" / "passes" / "marches" / f"{FILES[march]}.yaml") if march in FILES else march


def run(model: Model, march: str, skip: tuple[str, ...] = (), **options: object) -> Applied:
    """The pass on one march, judged by onnxruntime."""
    return apply_pass(model, SubstituteOps(skip=skip), path(march), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", CASES)
def test_substitution(name: str) -> None:
    case = CASES[name]
    done = run(case.model(), case.march)
    assert done.result.status is Status.APPLIED, done.reasons
    assert (" ".join(done.ops), done.result.applied) == (case.after, case.edits)
    assert done.result.drift_step is not None


def test_every_rule_has_a_case() -> None:
    results = (run(case.model(), case.march, verify=False).result for case in CASES.values())
    fired = {edit.change.rule for result in results for edit in result.edits}
    assert {rule.name for rule in RULES if rule.purpose is Purpose.LEGALISE} == fired


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal(name: str) -> None:
    case = REFUSALS[name]
    done = run(case.model(), case.march, case.skip, verify=False)
    assert done.result.status is not Status.APPLIED
    assert any(case.reason in reason for reason in done.reasons), done.reasons


@pytest.mark.parametrize("name", CASES)
def test_result_is_legal(name: str) -> None:
    """What comes out violates nothing; of an operator too young for the toolchain, at least nothing of its kind."""
    case = CASES[name]
    target, model = load_target(path(case.march)), case.model()
    before, after = (broken(m, target) for m in (model, run(case.model(), case.march, verify=False).model))
    assert len([limit for limit in before if limit != "Reshape.device"]) == case.broken
    if target.unborn(before[0].rpartition(".")[0]) is None:
        assert after == []
    assert [name for name in after if name.endswith(".opset")] == []


@pytest.mark.parametrize(
    ("body", "products"),
    [
        ("h = Reshape (f, z)  k = Transpose <perm = [0, 1, 3, 2]> (h)  a = Add (x, k)  b = Add (a, x)", 3),
        ("h = Reshape (f, z)  b = Transpose <perm = [0, 1, 3, 2]> (h)", 3),
        ("h = Reshape (f, z)  k = Relu (h)  b = Add (k, x)", 3),
        ("b = Reshape (f, z)", 3),
        ("h = Reshape (f, z)  k = Sigmoid (h)  b = Add (k, x)", 2),
        ("k = Relu (x)  b = Add (k, x)", 2),
        ("b = Add (x, x)", 2),
    ],
)
def test_a_normalisation_of_what_the_cpu_makes_is_of_three_products(body: str, products: int) -> None:
    flat = "f = Reshape (x, w)  " if "(f" in body else ""
    shapes = {"w": np.array([8, 36]), "z": np.array([1, 8, 6, 6])} if flat else {}
    model = net(f"{flat}{body}  y = LayerNormalization (b, g)", 17, g=ROW, **shapes)
    done = run(model, "bernoulli2")
    assert done.result.status is Status.APPLIED, done.reasons
    assert done.ops.count("MatMul") == products


def broken(model: Model, target: Target) -> list[str]:
    """The first limit that each node violates which violates any."""
    verdicts = [target.verdict(node, model.opset) for node in model.nodes()]
    return [verdict.violations[0].constraint for verdict in verdicts if verdict.violations]


@pytest.mark.parametrize("march", ["nash-e", "nash-m", "nash-p"])
@pytest.mark.parametrize("name", CASES)
def test_unknown_is_left(name: str, march: str) -> None:
    """Where no public limit is broken, nothing is touched; only what came after opset 20 is unknown to nash."""
    young = {"Swish", "RMSNormalization"} & {node.op for node in CASES[name].model().nodes()}
    status = run(CASES[name].model(), march, verify=False).result.status
    assert status is (Status.APPLIED if young else Status.UNCHANGED)


LEGAL = {
    "Sub": ("y = Sub (x, c)", "bayes-e"),
    "InstanceNormalization": ("y = InstanceNormalization (x, v, v)", "bayes-e"),
    "PRelu": ("s = PRelu (x, c)  y = Relu (s)", "bernoulli2"),
    "Softplus": ("y = Softplus (x)", "bernoulli2"),
    "ReduceMean": ("s = ReduceMean <axes = [2, 3]> (x)  y = Mul (x, s)", "bernoulli2"),
    "Max": ("y = Max (x, c)", "bayes"),
    "Add behind a product": ("m = Mul (x, c)  y = Add (m, c)", "bernoulli2"),
}


@pytest.mark.parametrize("name", LEGAL)
def test_legal_op_is_left(name: str) -> None:
    body, march = LEGAL[name]
    model = net(body, c=[[[[0.5]]]], v=[1.0] * 8)
    assert run(model, march, verify=False).result.status is Status.UNCHANGED


FUSED = {
    "SiLU": "s = Sigmoid (x)  y = Mul (x, s)",
    "HardSwish": "s = HardSigmoid <alpha = 0.16666667> (x)  y = Mul (x, s)",
    "HardSwish by Clip": "a = Add (x, three)  b = Clip (a, none, six)  c = Mul (x, b)  y = Div (c, six)",
    "Mish": "s = Softplus (x)  t = Tanh (s)  y = Mul (x, t)",
    "GELU": "u = Div (x, root)  e = Erf (u)  f = Add (e, one)  g = Mul (x, f)  y = Mul (g, half)",
}


@pytest.mark.parametrize("march", MARCHES)
@pytest.mark.parametrize("name", FUSED)
def test_fused_forms_are_left(name: str, march: str) -> None:
    numbers = {"none": 0.0, "half": 0.5, "one": 1.0, "root": 2**0.5, "three": 3.0, "six": 6.0}
    model = net(FUSED[name], opset=11, **{k: v for k, v in numbers.items() if k in FUSED[name]})
    assert run(model, march).result.status is Status.UNCHANGED


LEFT = {
    "Erf": "y = Erf (x)",
}


@pytest.mark.parametrize("name", LEFT)
def test_no_rule_touches(name: str) -> None:
    assert run(net(LEFT[name]), "bayes-e", verify=False).result.status is Status.UNCHANGED


def test_options() -> None:
    assert {rule.name for rule in RULES if rule.purpose is not Purpose.LEGALISE} == {"group-norm-of-maps"}
    assert "mish" not in {rule.name for rule in SubstituteOps(skip=("mish",)).rules(None)}
    with pytest.raises(ValueError, match="hardswish"):
        SubstituteOps(skip=("hardswsh",))


def test_names_are_unique_and_the_pass_is_in_the_default_pipeline() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    assert "substitute-ops" in {step.id for step in Pipeline.default().steps}


def test_the_table_of_substitutions_is_current() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "doc_substitutions.py"), "--check"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
