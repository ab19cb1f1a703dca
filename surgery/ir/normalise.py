"""What is put right at load, so that rules meet one form of every graph.

Each step returns sentences that say what it did; they become ``normalised`` in the report.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from surgery.ir.edit import Editor
from surgery.ir.graph import Constant, Graph, Node, Tensor
from surgery.ir.notes import counted, some
from surgery.ir.sort import sort


def normalise(main: Graph, *, keep_input_initializers: bool = False, listed: bool = False) -> list[str]:
    """Bring ``main`` and its bodies into the form that rules expect; returns what was done, a sentence each.

    ``listed`` says that files of this IR version list every initializer among the inputs: saving does it again.
    Raises ModelError when the graph has a cycle.
    """
    notes: list[str] = []
    if not keep_input_initializers:
        moved = _split_inputs(main)
        notes += [] if listed else counted("initializer that was also a graph input made a constant", moved)
    notes += _lift_identities(main)
    notes += _name_nodes(main)
    notes += _name_tensors(main)
    unsorted = [graph.name for graph in main.walk() if sort(graph)]
    return notes + [f"nodes of graph {name!r} put in topological order" for name in unsorted]


def _split_inputs(main: Graph) -> list[str]:
    """Take the constants out of the inputs; returns their names."""
    constants = [v.name for v in main.inputs if isinstance(v, Constant)]
    main.inputs = [v for v in main.inputs if not isinstance(v, Constant)]
    return constants


def _lift_identities(main: Graph) -> Iterator[str]:
    lifted: list[Node] = []
    graphs = list(main.walk())
    outputs = {id(out) for graph in graphs for out in graph.outputs}
    editor = Editor()
    for node in (n for graph in graphs for n in graph.nodes if n.op == "Identity" and n.is_onnx):
        source = node.inputs[0]
        if isinstance(source, Constant) and id(node.outputs[0]) not in outputs:
            editor.redirect(node.outputs[0], source)
            editor.remove(node)
            lifted.append(node)
    editor.settle()
    yield from counted("Identity of a constant replaced by the constant", [n.name for n in lifted])


def _name_nodes(main: Graph) -> Iterator[str]:
    nodes = [node for graph in main.walk() for node in graph.nodes]
    unnamed = [n for n in nodes if not n.name]
    seen: set[str] = set()
    renamed = []
    fresh = Names(n.name for n in nodes)
    for node in nodes:
        if node.name in seen:
            renamed.append(node.name)
            node.name, node.named = fresh(node.name), False
        elif not node.name:
            node.name, node.named = fresh(node.op), False
        seen.add(node.name)
    if unnamed:
        yield f"{len(unnamed)} unnamed nodes were given names"
    if renamed:
        yield f"{len(renamed)} nodes shared a name with another and were renamed: {some(renamed)}"


def _name_tensors(main: Graph) -> Iterator[str]:
    """Bodies may reuse each other's names; here a name denotes one tensor of the whole model."""
    tensors = list(_every_tensor(main))
    fresh = Names(t.name for t in tensors)
    seen: dict[str, Tensor] = {}
    renamed = []
    for tensor in tensors:
        if seen.setdefault(tensor.name, tensor) is not tensor:
            renamed.append(tensor.name)
            tensor.name = fresh(tensor.name)
            seen[tensor.name] = tensor
    if renamed:
        yield f"{len(renamed)} tensors of inner graphs shared a name with another and were renamed: {some(renamed)}"


def _every_tensor(main: Graph) -> Iterator[Tensor]:
    seen: set[int] = set()
    for graph in main.walk():
        linked = (t for n in graph.nodes for t in (*n.inputs, *n.outputs))
        for tensor in (*graph.inputs, *graph.outputs, *linked):
            if not tensor.is_empty() and id(tensor) not in seen:
                seen.add(id(tensor))
                yield tensor


class Names:
    """Names in use; called with one, it returns it, or with a counter that makes it new.

    >>> fresh = Names(["a", "a_1"])
    >>> fresh("a"), fresh("b"), fresh("b")
    ('a_2', 'b', 'b_1')
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self._used = set(taken)
        self._counters: dict[str, int] = {}

    def __call__(self, base: str) -> str:
        """A name made of ``base`` that was not given before."""
        name = base
        while not name or name in self._used:
            self._counters[base] = self._counters.get(base, 0) + 1
            name = f"{base}_{self._counters[base]}"
        self._used.add(name)
        return name

    def release(self, name: str) -> None:
        """Let ``name`` be given again."""
        self._used.discard(name)
        self._counters.clear()
