"""March files: what comes with the package holds together, and a bad file is refused with its name and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from surgery.errors import InputError
from surgery.target import aliases, load_target, march_names
from surgery.target.facts import FACTS
from surgery.target.march import Limit

MINIMAL = """
march: tiny
sources: {s: {where: here, trust: own}}
ops:
  Relu Abs: {device: bpu, source: s, limits: [{param: rank, max: 4}]}
"""


def written(folder: Path, text: str, name: str = "tiny") -> str:
    path = folder / f"{name}.yaml"
    path.write_text(text)
    return str(path)


def refusal(folder: Path, text: str) -> str:
    path = written(folder, text)
    with pytest.raises(InputError) as error:
        load_target(path).checks("Relu")
    return str(error.value)


def test_names_and_aliases() -> None:
    assert march_names() == ["bayes", "bayes-e", "bernoulli2", "nash-e", "nash-m", "nash-p"]
    boards = {"X3": "bernoulli2", "ultra": "bayes", "J5": "bayes", "x5": "bayes-e", "RDK X5": "bayes-e"}
    nash = {"S100": "nash-e", "J6E": "nash-e", "S100P": "nash-m", "J6M": "nash-m", "S600": "nash-p", "J6P": "nash-p"}
    for board, march in (boards | nash).items():
        assert load_target(board).name == march
        assert aliases()[board.lower()] == march


def test_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown march 'bayes-f'[\s\S]*did you mean bayes-e"):
        load_target("bayes-f")


@pytest.mark.parametrize("name", march_names())
def test_every_limit_compiles_and_every_fact_has_a_source(name: str) -> None:
    target = load_target(name)
    for op, row in target.march.ops.items():
        assert row.source, op
        for check in target.checks(op):
            assert check.source in target.march.sources
            assert check.text


@pytest.mark.parametrize("name", ["bayes", "bayes-e", "bernoulli2"])
def test_limits_have_numbered_ids_of_their_operator(name: str) -> None:
    target = load_target(name)
    for op in target.march.ops:
        ids = [check.constraint for check in target.checks(op)]
        assert len(set(ids)) == len(ids)
        assert all(i.startswith(f"{op}.") for i in ids)


def test_nash_is_written_once() -> None:
    one, other = (load_target(name).march for name in ("nash-e", "nash-p"))
    assert one.ops == other.ops
    assert one.boards != other.boards


def test_model_rules() -> None:
    rules = {limit.name for limit in load_target("bayes-e").march.model}
    assert rules <= FACTS.keys()
    assert {"opset", "ir_version", "outputs", "dynamic_dims", "input_ranks"} <= rules


def test_a_path_is_a_march_and_extends_another(tmp_path: Path) -> None:
    text = "march: mine\nextends: bayes-e\nops: {Neg: {device: bpu, source: checker}}\n"
    target = load_target(written(tmp_path, text))
    assert target.march.ops["Neg"].device == "bpu"
    assert target.march.ops["Conv"] == load_target("bayes-e").march.ops["Conv"]
    assert (target.name, target.cost) == ("mine", {})


def test_cost_stands_beside_the_march(tmp_path: Path) -> None:
    written(tmp_path, "engine: 1", "tiny.cost")
    assert load_target(written(tmp_path, MINIMAL)).cost == {"engine": 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("max: 4", "maximum: 4"), "ops.Relu.limits.0.maximum: Extra inputs are not permitted"),
        (("max: 4", "max: four"), "ops.Relu.limits.0.max: Input should be a valid number"),
        (("max: 4", "when: rank"), "ops.Relu.limits.0: a limit has min/max, or values, or forms, or holds"),
        (("param: rank, max: 4", "max: 4"), "ops.Relu.limits.0: a limit needs a param"),
        (("param: rank", "param: rnk"), "Relu.rnk: unknown name 'rnk' in 'rnk'"),
        (("param: rank", "id: r, param: rank.real"), "Relu.r: Attribute is not allowed"),
        (("device: bpu", "device: npu"), "ops.Relu.device: Input should be 'bpu'"),
        (("source: s,", "source: t,"), "source 't' is cited but not described under sources"),
        (("Relu Abs", "Relu Relu"), "ops.Relu: written twice"),
        (("march: tiny", "extends: nowhere"), "extends: there is no march file 'nowhere'"),
        (("march: tiny", ""), "march: Field required"),
        (("ops:", "ops: ["), "cannot be read"),
    ],
)
def test_bad_file(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    text = refusal(tmp_path, MINIMAL.replace(*change))
    assert message in text
    assert "tiny.yaml" in text


def test_no_mapping(tmp_path: Path) -> None:
    assert "is no march file" in refusal(tmp_path, "- a list")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such march file"):
        load_target(str(tmp_path / "absent.yaml"))


def test_cycle(tmp_path: Path) -> None:
    written(tmp_path, "march: a\nextends: b\nops: {}", "a")
    with pytest.raises(InputError, match="extend each other in a cycle"):
        load_target(written(tmp_path, "march: b\nextends: a\nops: {}", "b"))


def test_a_limit_names_itself() -> None:
    assert Limit(param="rank", max=4).name == "rank"
    assert Limit(id="r", param="rank", max=4).name == "r"
    assert Limit(forms=("N,N",)).name == "shapes"
