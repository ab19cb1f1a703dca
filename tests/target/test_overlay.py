from __future__ import annotations

from typing import Any

import pytest

from surgery.ir import Node
from surgery.target import Verdict, Word, load_target, place
from surgery.target.verdict import Violation
from tests.support import model_of

TEXT = """g (float[1,4,8,8] x) => (float[1,4,8,8] y) <float[4,4,1,1] w = {1,1,1,1, 1,1,1,1, 1,1,1,1, 1,1,1,1}> {
    [a] a = Conv (x, w)
    [s] s = Sigmoid (a)
    [m] m = Mul (a, s)
    [y] y = Softmax <axis = 1> (m)
}"""


def node(text: str) -> Node:
    found: Node = model_of(f"g (float[1,4,8,8] x, float[4,4,3,3] w) => (float y) {{ {text} }}").graph.nodes[0]
    return found


def conv(attrs: str = "pads = [1,1,1,1], strides = [1,1]") -> Node:
    return node(f"[n] y = Conv <{attrs}> (x, w)")


def test_it_is_about_the_node_that_the_log_saw() -> None:
    assert Word.of(conv(), "cpu").about(conv())


@pytest.mark.parametrize(
    "other",
    [
        node("[n] y = Relu (x)"),
        conv("pads = [1,1,1,1], strides = [2,2]"),
        conv("pads = [0,0,0,0], strides = [1,1]"),
    ],
    ids=["operator", "shape", "attribute"],
)  # fmt: skip
def test_not_about_what_was_made_of_it(other: Node) -> None:
    assert not Word.of(conv(), "cpu").about(other)


def test_what_one_of_them_lacks_may_be_anything() -> None:
    bare = conv("pads = [1,1,1,1]")
    bare.outputs[0].shape = None
    assert Word.of(conv(), "cpu").about(bare)
    bare.outputs[0].shape = ("n", 4, 8, None)
    assert Word.of(bare, "cpu").about(conv())
    bare.outputs[0].shape = (1, 4, 8)
    assert not Word.of(bare, "cpu").about(conv())


def limit(name: str) -> Violation:
    return Violation(f"Conv.{name}", 1, "2", "", "", "read")


def test_the_cpu_keeps_our_reasons_but_not_that_the_operator_is_unknown() -> None:
    verdict = Word.of(conv(), "cpu").over(Verdict("refused", (limit("kernel"), limit("opset")), ("why",)))
    assert verdict.device == "cpu"
    assert [v.constraint for v in verdict.violations] == ["Conv.log", "Conv.kernel"]
    assert verdict.violations[0].evidence == verdict.violations[0].source == "log"
    assert "vendor's log" in verdict.violations[0].text


def test_the_bpu_has_no_violations() -> None:
    assert Word.of(conv(), "bpu").over(Verdict("cpu", (limit("kernel"),))) == Verdict("bpu")


def placed(words: dict[str, Any]) -> dict[str, str]:
    model = model_of(TEXT)
    by_name = {n.name: n for n in model.graph.nodes}
    told = {name: Word.of(by_name[name], device) for name, device in words.items()}
    return {row.node.name: row.device for row in place(model, load_target("bayes-e").overlaid(told)).rows}


def test_placement_follows() -> None:
    assert placed({}) == {"a": "bpu", "s": "folded", "m": "bpu", "y": "cpu"}
    assert placed({"y": "bpu"})["y"] == "bpu"
    assert placed({"a": "cpu"})["a"] == "cpu"


def test_what_the_log_names_is_not_folded() -> None:
    assert placed({"s": "cpu"}) == {"a": "bpu", "s": "cpu", "m": "bpu", "y": "cpu"}
    assert placed({"m": "cpu"}) == {"a": "bpu", "s": "bpu", "m": "cpu", "y": "cpu"}


def test_the_march_itself_stays_as_it_is() -> None:
    target = load_target("bayes-e")
    word = Word.of(model_of(TEXT).graph.nodes[0], "cpu")
    assert target.overlaid({"a": word}).name == "bayes-e"
    assert target.said(model_of(TEXT).graph.nodes[0]) is None


def test_a_passive_node_at_the_end_is_where_the_log_has_it() -> None:
    text = "g (float[1,4,8,8] x, float[4,4,1,1] w) => (float[1,4,4,4] y) { [c] c = Conv (x, w) "
    model = model_of(text + "[t] y = MaxPool <kernel_shape = [2,2], strides = [2,2]> (c) }")
    tail, target = model.graph.nodes[-1], load_target("bayes-e")
    assert place(model, target).device(tail) == "cpu"
    row = place(model, target.overlaid({"t": Word.of(tail, "bpu")})).row(tail)
    assert (row.device, row.segment, row.note) == ("bpu", 0, "as in the vendor's log")
