"""Operators that the BPU runs where the toolchain is asked to: ``run_on_bpu``."""

from __future__ import annotations

import pytest

import surgery
from surgery.errors import InputError
from surgery.ir import Model
from surgery.report.verdict import closing
from surgery.target import load_target, place
from surgery.toolchain import Witness
from tests.support import model_of

CONV = "Conv <kernel_shape = [1, 1]>"
HEADS = f"""g (float[1,8,16,16] x) => (float[1,8,16,16] y) <float[8,8,1,1] w = {{{", ".join(["0.5"] * 64)}}}> {{
    [c] a = {CONV} (x, w)  [one] b = Softmax <axis = 3> (a)  [d] e = {CONV} (b, w)
    [two] f = Softmax <axis = 3> (e)  [h] y = {CONV} (f, w)
}}"""


def model() -> Model:
    return model_of(HEADS, opset=11)


def devices(*globs: str, march: str = "X5") -> dict[str, str]:
    found = model()
    target = load_target(march).asking(globs, found.nodes())
    return {row.node.name: row.device for row in place(found, target).rows}


@pytest.mark.parametrize(
    ("globs", "on_bpu"), [((), ""), (("one",), "one"), (("Softmax",), "one two"), (("t*", "one"), "one two")]
)
def test_nodes_or_operators(globs: tuple[str, ...], on_bpu: str) -> None:
    found = devices(*globs)
    assert {name for name in ("one", "two") if found[name] == "bpu"} == set(on_bpu.split())


def test_limits_hold_all_the_same() -> None:
    """The X3 has a Softmax over channels at the end only."""
    assert {devices("Softmax", march="X3")[name] for name in ("one", "two")} == {"cpu"}


@pytest.mark.parametrize(("glob", "march"), [("Sofmax", "X5"), ("c", "X5"), ("Softmax", "S100")])
def test_what_does_not_run_on_request(glob: str, march: str) -> None:
    with pytest.raises(InputError, match=f"'{glob}' names nothing that .* runs on request"):
        surgery.check(model(), march=march, run_on_bpu=(glob,))


def test_check_says_what_is_asked_for() -> None:
    document = surgery.check(model(), march="X5", run_on_bpu=("Softmax",))
    assert (document.summary.cpu, document.summary.segments, document.run_on_bpu) == (0, 1, ("Softmax",))
    assert surgery.check(model(), march="X5").summary.segments == 3


def test_the_time_follows() -> None:
    before, after = (surgery.cost(model(), march="X5", run_on_bpu=globs) for globs in ((), ("Softmax",)))
    assert before.latency_ms is not None
    assert after.latency_ms is not None
    assert after.latency_ms.mid < before.latency_ms.mid
    assert after.run_on_bpu == ("Softmax",)


def test_run_says_so_and_can_be_repeated() -> None:
    document = surgery.run(model(), march="X5", run_on_bpu=("Softmax",)).report
    assert (document.after.cpu, document.run_on_bpu, document.replay["run_on_bpu"]) == (0, ("Softmax",), ["Softmax"])


def test_the_checker_cannot_be_asked() -> None:
    with pytest.raises(InputError, match="cannot be asked for nodes on the BPU"):
        surgery.check(model(), march="X5", run_on_bpu=("Softmax",), witness="auto")


@pytest.mark.witness
def test_the_toolchain_does_as_it_is_asked(vendor: Witness) -> None:
    document = surgery.run(
        model(), march="X5", run_on_bpu=("Softmax",), witness=vendor, witness_level="O0", pipeline=surgery.Pipeline(())
    ).report
    assert document.witness is not None
    assert document.witness.after.cpu == ()
    assert "ask for Softmax on the BPU" in closing(document).sentence
