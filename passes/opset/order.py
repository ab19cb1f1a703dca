"""The order of nodes that the toolchain needs: what dequantises stands right behind what quantises."""

from __future__ import annotations

from surgery.ir import Node
from surgery.pipeline import PassRun
from surgery.rewrite import Rewriter
from surgery.rewrite.rewriter import Change
from surgery.target.facts import parted_pairs

PAIR = "pair"
"""What the pass calls these edits."""


def pair(run: PassRun, by: str) -> list[Change]:
    """Put every first DequantizeLinear right behind its QuantizeLinear, exactly as it is; protected ones stay."""
    rw = Rewriter(run.model.graph, run.model.opset, run.rw.editor)
    apart = [found for found in parted_pairs(run.model.graph) if not any(map(run.ctx.is_protected, found))]
    changes = [_behind(quantise, node, by, rw) for quantise, node in apart]
    rw.editor.settle()
    return changes


def _behind(quantise: Node, node: Node, by: str, rw: Rewriter) -> Change:
    rw.begin(f"{by}/{node.op}", quantise)
    value = rw.op(node.op, *node.inputs, heir=node, **node.attrs)
    rw.replace(node, value)
    return rw.change(PAIR)
