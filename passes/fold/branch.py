"""The If whose condition is constant."""

from __future__ import annotations

from dataclasses import dataclass

from surgery.ir import Graph, Node
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, need


@dataclass(frozen=True)
class Branch:
    """An If whose branch is known."""

    node: Node
    taken: Graph


class InlineBranch(Rule[Branch]):
    """``If(true, then, else) -> then``; exact, since the nodes themselves stay as they are."""

    name, roots = "inline-branch", frozenset({"If"})
    purpose, exactness = Purpose.NORMALISE, Exactness.EXACT

    def match(self, node: Node, ctx: Context) -> Branch | Mismatch:
        """The condition has to be constant."""
        taken = bool(need.constant(node, 0).reshape(()))
        return Branch(node, node.attrs["then_branch" if taken else "else_branch"])

    def rewrite(self, match: Branch, rw: Rewriter) -> None:
        """Move the nodes of the branch to where the If is."""
        outputs = match.taken.outputs
        rw.editor.set_graph_outputs(match.taken, [])
        home = match.node.graph or rw.main
        for index, node in enumerate(match.taken.nodes):
            rw.editor.move(node, home, (*match.node.position, float(index)))
        rw.replace(match.node, *outputs)
