"""Files are repaired as text: what an edit does not touch stays as it was, and what is written says what was meant."""

from __future__ import annotations

import pytest
import yaml

from surgery.toolchain.conversion.edits import apply, repaired, same
from surgery.toolchain.conversion.finding import Drop, Put, Rename

TEXT = """\
# of the camera team
model_parameters:
    march: "bayes-e"  # X5
    log_level: debug
    # where results go
    working_dir: 'out'
    node_info: {"a b": {ON: BPU}}
compiler_parameters:
    debug: yes
    # the highest
    optimise_level: O3  # slow to compile
"""


def test_the_rest_stays_as_it_was() -> None:
    edits = (
        Put(("model_parameters", "march"), "bayes"),
        Drop(("model_parameters", "log_level")),
        Rename(("model_parameters", "node_info", "a b", True), "ON"),
        Put(("compiler_parameters", "debug"), False),
        Rename(("compiler_parameters", "optimise_level"), "optimize_level"),
        Put(("calibration_parameters", "calibration_type"), "skip"),
    )
    expected = (
        TEXT.replace('"bayes-e"', '"bayes"  ').replace("    log_level: debug\n", "").replace("{ON: BPU}", "{'ON': BPU}")
        .replace("debug: yes", "debug: false").replace("optimise", "optimize")
    )  # fmt: skip
    assert repaired(TEXT, edits) == expected + "calibration_parameters:\n    calibration_type: skip\n"


def test_line_ends_stay() -> None:
    text = TEXT.replace("\n", "\r\n")
    assert repaired(text, [Drop(("model_parameters", "log_level"))]) == text.replace("    log_level: debug\r\n", "")


def test_text_that_reads_as_something_else_is_quoted() -> None:
    found = repaired(TEXT, [Put(("model_parameters", "working_dir"), "on"), Put(("custom_op", "custom_op_dir"), "on")])
    assert "working_dir: 'on'" in found
    assert "custom_op_dir: 'on'" in found
    assert yaml.safe_load(found)["custom_op"] == {"custom_op_dir": "on"}


def test_anchors_and_merged_keys_stay() -> None:
    text = "a: &base {march: bayes}\nb:\n  <<: *base\n  debug: true\n"
    assert repaired(text, [Put(("b", "debug"), False)]) == text.replace("true", "false")


@pytest.mark.parametrize(
    "edit",
    [Drop(("a", "b")), Drop(("text", "b")), Rename(("a", "b"), "c"), Put(("text", "b"), 1), Rename(("t",), "text")],
)
def test_an_edit_whose_place_has_gone_is_passed_over(edit: Drop | Rename | Put) -> None:
    data = {"text": "x", "t": 1}
    apply(data, [edit])
    assert data == {"text": "x", "t": 1}


def test_the_first_key_can_go() -> None:
    assert repaired("a:\n  b: 1\n  c: 2\n", [Drop(("a", "b"))]) == "a:\n  c: 2\n"


def test_true_is_no_1() -> None:
    assert not same({"a": [1]}, {"a": [True]})
    assert same({"a": [1]}, {"a": [1]})
