"""The origin of a node, as its metadata has it."""

from __future__ import annotations

import pytest

from surgery.ir import Node
from surgery.ir.origin import ORIGIN, source_name


@pytest.mark.parametrize(
    ("text", "name"), [("fuse/rule: Conv_1", "Conv_1"), ("fuse/rule: a: b", "a: b"), ("odd", "odd"), (None, None)]
)
def test_the_source_is_what_follows_the_rule(text: str | None, name: str | None) -> None:
    node = Node("Relu")
    node.metadata = {} if text is None else {ORIGIN: text}
    assert source_name(node) == name
