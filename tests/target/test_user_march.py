"""March files of a user: what they can say, and every way they can be wrong, told with file, line and key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from surgery.errors import InputError
from surgery.target import Target, load_target, reading
from tests.support import model_of
from tests.target.nodes import conv, ids, node

MINIMAL = """
march: tiny
sources: {s: {where: here, trust: own}}
model:
  - {param: inputs, max: 2, source: s}
ops:
  Relu Abs:
    device: bpu
    source: s
    limits:
      - {param: rank, max: 4}
"""
Writer = Callable[..., str]


@pytest.fixture
def written(tmp_path: Path) -> Writer:
    """Writes a march file and returns its path."""

    def write(text: str | bytes, name: str = "tiny") -> str:
        path = tmp_path / f"{name}.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def refusal(path: str) -> str:
    with pytest.raises(InputError) as error:
        load_target(path)
    return str(error.value)


def test_a_path_is_a_march_and_extends_another(written: Writer) -> None:
    target = load_target(written("march: mine\nextends: bayes-e\nops: {Neg: {device: bpu, source: checker}}\n"))
    assert target.march.ops["Neg"].device == "bpu"
    assert target.march.ops["Conv"] == load_target("bayes-e").march.ops["Conv"]
    assert (target.name, target.cost, target.probed) == ("mine", {}, {})


def test_conditions_of_neighbours_are_checked_at_load(written: Writer) -> None:
    for key in ("waiting", "only", "along", "aloof", "planar", "floats"):
        text = f'march: mine\nextends: bayes-e\npassive:\n  {key}: {{Mul: "nonsense > 1"}}\nops: {{}}\n'
        assert f"passive.{key}.Mul: unknown name 'nonsense'" in refusal(written(text))


def test_a_condition_without_a_value_does_not_hold() -> None:
    model = model_of("g (float[1,8,4,4] x, float[1,8,4,4] z) => (float[1,8,4,4] y) { y = Mul (x, z) }", opset=11)
    target = load_target("bayes-e")
    assert not target.holds("rank / 0 > 1", model.graph.nodes[0], 11)
    assert target.holds("rank > 1", model.graph.nodes[0], 11)


def test_a_file_extends_one_beside_it(written: Writer) -> None:
    written(MINIMAL, "base")
    assert set(load_target(written("march: mine\nextends: base\n", "mine")).march.ops) == {"Relu", "Abs"}


def test_a_file_overrides_the_march_of_its_own_name(written: Writer) -> None:
    text = "march: bayes-e\nextends: bayes-e\nops: {Neg: {device: bpu, source: checker}}\n"
    assert load_target(written(text, "bayes-e")).march.ops["Neg"].device == "bpu"
    assert load_target("bayes-e").march.ops["Neg"].device == "cpu"


def test_cost_stands_beside_the_march(written: Writer) -> None:
    written("engine: 1", "tiny.cost")
    assert load_target(written(MINIMAL)).cost == {"engine": 1}


RELU = "    limits:\n      - {param: rank, max: 4}\n"
BAD = [
    # what to change in the file above, into what, the line and the message
    ("max: 4", "maximum: 4", 11, "unknown key ops.Relu.limits.0 'maximum'\n  hint: did you mean max?"),
    ("trust: own", "trusted: own", 3, "unknown key sources.s 'trusted'\n  hint: did you mean trust?"),
    ("    device: bpu\n", "    device: bpu\n    limit: []\n", 9, "unknown key ops.Relu 'limit'"),
    ("march: tiny", "marhc: tiny", 2, "unknown key 'marhc'\n  hint: did you mean march"),
    ("march: tiny", "", 1, "march: Field required"),
    ("march: tiny", "march: tiny\nextend: bayes", 3, "unknown key 'extend'\n  hint: did you mean extends?"),
    ("march: tiny", "march: tiny\npassive: {op: [Add]}", 3, "unknown key passive 'op'"),
    ("march: tiny", "march: 7", 2, "march: Input should be a valid string, found 7"),
    ("max: 4", "max: four", 11, "ops.Relu.limits.0.max: Input should be a valid number"),
    ("device: bpu", "device: npu", 8, "ops.Relu.device: Input should be 'bpu', 'request'"),
    ("max: 4", "when: rank", 11, "ops.Relu.limits.0: a limit has min/max, or values, or forms, or holds"),
    ("max: 4", "max: 4, values: [1]", 11, "exactly one of them"),
    ("param: rank, max: 4", "max: 4", 11, "ops.Relu.limits.0: a limit needs a param"),
    ("max: 4", "min: 5, max: 4", 11, "nothing is allowed: min 5 is above max 4"),
    ("max: 4", "values: []", 11, "nothing is allowed: the list is empty"),
    ("max: 4", "max: .inf", 11, "a bound is a finite number"),
    ("max: 4", "holds: 1 < 2", 11, "ops.Relu.limits.0.holds: '1 < 2' is the same for every node"),
    ("max: 4", "max: 4, when: not 0", 11, "ops.Relu.limits.0.when: 'not 0' is the same for every node"),
    ("max: 4", 'forms: ["M*K,KxN"]', 11, "ops.Relu.limits.0.forms: 'M*K,KxN' is no form"),
    ("param: rank", "param: rnk", 11, "ops.Relu.limits.0.param: unknown name 'rnk' in 'rnk', did you mean rank"),
    ("param: inputs", "param: rank", 5, "model.0.param: unknown name 'rank' in 'rank'"),
    ("max: 4", "max: 4, when: median(dims) > 1", 11, "ops.Relu.limits.0.when: unknown function 'median'"),
    ("param: rank", "id: r, param: rank.real", 11, "ops.Relu.limits.0.param: Attribute is not allowed"),
    ("max: 4", "holds: rank >", 11, "ops.Relu.limits.0.holds: 'rank >' is no expression (invalid syntax)"),
    ("source: s\n    limits", "source: t\n    limits", 9, "ops.Relu.source: source 't' is cited but not described"),
    ("max: 2, source: s", "max: 2, source: t", 5, "model.0.source: source 't' is cited but not described"),
    ("device: bpu", "device: cpu", 10, "ops.Relu.limits: never looked at where the device is cpu"),
    ("Relu Abs", "Relu Abs Relu", 7, "ops.Relu: written twice"),
    (RELU, f"{RELU}  Abs: {{device: cpu}}\n", 12, "ops.Abs: written twice"),
    (RELU, f"{RELU}  Relu Abs: {{device: cpu}}\n", 12, "Relu Abs: written twice"),
    (
        "march: tiny",
        "march: tiny\nextends: bayes-f",
        3,
        "unknown march in extends 'bayes-f'\n  hint: did you mean bayes",
    ),
    ("march: tiny", "march: &a [[[1]]]", 2, "march: Input should be a valid string, found a list"),
    ("march: tiny", "march: tiny\n7: 8", 3, "7: Keys should be strings"),
    ("    limits:", "    limits: {}\n    text:", 10, "ops.Relu.limits: Input should be a valid tuple, found a mapping"),
    ("ops:", "ops: [", 8, "did not find expected"),
    ("march: tiny", "march: !!python/object:os.system tiny", 2, "could not determine a constructor for the tag"),
]


@pytest.mark.parametrize(("old", "new", "line", "message"), BAD, ids=[f"{new[:30]}-{at}" for _, new, at, _ in BAD])
def test_bad_file(written: Writer, old: str, new: str, line: int, message: str) -> None:
    path = written(MINIMAL.replace(old, new))
    told = refusal(path)
    assert told.startswith(f"{path}:{line}: ")
    assert message in told


@pytest.mark.parametrize("key", ["sources", "ops"])
def test_the_file_that_is_extended_is_of_another_shape(written: Writer, key: str) -> None:
    written(f"march: base\n{key}: 3\n", "base")
    assert "base.yaml" in refusal(written("march: mine\nextends: base\n", "mine"))


@pytest.mark.parametrize(("links", "message"), [(400, "unknown key 'a0'"), (20_000, "values of it, at most")])
def test_a_chain_of_aliases(written: Writer, links: int, message: str) -> None:
    chain = [f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, links)]
    assert message in refusal(written("\n".join(["a0: &a0 [1]", *chain, f"march: *a{links - 1}"])))


def test_an_error_of_the_file_that_is_extended_names_that_file(written: Writer) -> None:
    base = written(MINIMAL.replace("max: 4", "max: four"), "base")
    assert refusal(written("march: mine\nextends: base\n", "mine")).startswith(f"{base}:11: ops.Relu.limits.0.max")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a list", "is no march file"),
        ("ops: [1]", "is no march file"),
        ("", "is no march file"),
        (b"march: \xff\xfe", "is not UTF-8 text (byte 0xff at offset 7)"),
        ("march: \x07", "cannot be read ("),
        (f"march: {'9' * 5000}", "cannot be read (Exceeds the limit"),
        ("march: " + "x" * reading.LARGEST, f"at most {reading.LARGEST}"),
        ("march: " + "[" * 60 + "]" * 60, "nested more than 40 deep"),
        ("march: &a [*a]", "found, at most"),
    ],
    ids=["list", "ops", "empty", "utf-8", "control", "integer", "large", "deep", "endless"],
)
def test_no_file_of_ours(written: Writer, text: str | bytes, message: str) -> None:
    told = refusal(written(text))
    assert message.replace("found, ", "values of it, ") in told
    assert len(told) < 400


def test_aliases_that_unfold_without_end(written: Writer) -> None:
    bomb = ["a0: &a0 [1, 2]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30))]
    assert f"values of it, at most {reading.MOST}" in refusal(written("\n".join(bomb)))


def test_no_file(tmp_path: Path) -> None:
    assert "no such march file" in refusal(str(tmp_path / "absent.yaml"))
    (tmp_path / "folder.yaml").mkdir()
    assert "no such march file" in refusal(str(tmp_path / "folder.yaml"))


def test_cycle(written: Writer) -> None:
    written("march: a\nextends: b\nops: {}", "a")
    told = refusal(written("march: b\nextends: a\nops: {}", "b"))
    assert "a.yaml:2: extends: the files extend each other in a cycle (b.yaml)" in told


def test_a_file_that_extends_itself(written: Writer) -> None:
    assert "extend each other in a cycle" in refusal(written("march: a\nextends: a\nops: {}", "a"))


def limited(written: Writer, limit: str) -> Target:
    return load_target(written(MINIMAL.replace("{param: rank, max: 4}", limit)))


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("{id: r, holds: 8 / (rank - 4) > 1}", "division by zero"),
        ("{param: '9 % (rank - 4)', max: 1}", "modulo by zero"),
        ("{param: rank, max: 9, when: 'dims[7] > 1'}", "out of range"),
        ("{param: 'max(axes[4:])', max: 1}", "empty"),
        ("{param: rank, max: 9, when: mode * 9 > 1}", "arithmetic on '' and 9"),
        ("{param: mode, max: 9}", "not supported between"),
    ],
)
def test_what_cannot_be_computed_is_unknown(written: Writer, limit: str, reason: str) -> None:
    verdict = limited(written, limit).verdict(node("Relu", [(1, 2, 3, 4)], (1, 2, 3, 4)), 11)
    assert verdict.device == "unknown"
    assert reason in verdict.reasons[0]
    assert verdict.reasons[0].startswith("Relu.")


@pytest.mark.parametrize(
    ("limit", "dim"),
    [("{param: dims, max: 9}", "batch"), ("{param: W, max: 9}", "width"), ('{forms: ["NxW"]}', "batch")],
)
def test_a_symbolic_dim_is_named(written: Writer, limit: str, dim: str) -> None:
    shape = ("batch", 3, "width")
    verdict = limited(written, limit).verdict(node("Relu", [shape], shape), 11)
    assert verdict.device == "unknown"
    assert f"dim {dim!r} of 'x0' is symbolic" in verdict.reasons[0]


def test_a_rule_about_models_that_cannot_be_computed(written: Writer) -> None:
    target = load_target(written(MINIMAL.replace("{param: inputs", "{id: i, param: 8 / (inputs - 1)")))
    with pytest.raises(InputError, match=r"tiny.yaml: model.i: cannot be computed \(division by zero\)"):
        target.refusals(model_of("g (float[1] x) => (float[1] y) { y = Relu(x) }"))


PROBED = "Relu.rank: {inside: bpu, outside: cpu}\nAbs.rank: {inside: bpu, outside: no such network}\n"


def test_a_limit_that_was_probed_says_so(written: Writer) -> None:
    written(PROBED, "tiny.probed")
    target = load_target(written(MINIMAL))
    shape = (1,) * 5
    found = {op: target.verdict(node(op, [shape], shape), 11).violations[0] for op in ("Relu", "Abs")}
    assert {op: violation.evidence for op, violation in found.items()} == {"Relu": "probed", "Abs": "read"}
    assert (target.probed["Relu.rank"].inside, target.probed["Abs.rank"].confirms) == ("bpu", False)


def test_what_the_list_says_instead_is_kept(written: Writer) -> None:
    limit = "{param: rank, max: 4, evidence: probed, read: at most 3}"
    assert limited(written, limit).march.ops["Relu"].limits[0].read == "at most 3"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("Relu.rank: {inside: bpu}", 1, "Relu.rank.outside: Field required"),
        ("Relu.rank: {inside: bpu, outside: cpu, side: 1}", 1, "unknown key Relu.rank 'side'\n  hint: did you mean in"),
        ("Abs.rank: {inside: bpu, outside: cpu}\nRelu.rank: bpu", 2, "Relu.rank: Input should be a valid dict"),
        ("- 1", 1, "(top level): Input should be a valid dict"),
    ],
)
def test_a_bad_list_of_probes(written: Writer, text: str, line: int, message: str) -> None:
    beside = written(text, "tiny.probed")
    target = load_target(written(MINIMAL))
    with pytest.raises(InputError) as error:
        target.verdict(conv(), 11), target.checks("Relu")
    assert str(error.value).startswith(f"{beside}:{line}: ")
    assert message in str(error.value)


def test_every_limit_of_one_node_at_once(written: Writer) -> None:
    target = limited(written, "{param: rank, max: 4}\n      - {param: dims, max: 2}")
    assert ids(target.verdict(node("Relu", [(3,) * 5], (3,) * 5), 11)) == ["Relu.rank", "Relu.dims"]
