"""Topological order: kept where it can be, without recursion."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surgery.errors import ModelError
from surgery.ir import Graph, Model, Node, Value
from surgery.ir.sort import reads, sort
from tests.support import model_of, proto_of


def graph_of(edges: list[list[int]]) -> Graph:
    """Node ``i`` reads the outputs of the nodes in ``edges[i]``; positions as listed."""
    values = [Value(f"v{i}") for i in range(len(edges))]
    graph = Graph("g")
    for index, sources in enumerate(edges):
        node = Node("Sum", f"n{index}", inputs=[values[s] for s in sources], outputs=[values[index]])
        node.graph, node.position = graph, (index,)
        graph.nodes.append(node)
    return graph


def names(graph: Graph) -> list[str]:
    return [n.name for n in graph.nodes]


def test_sorted_graph_keeps_its_order() -> None:
    graph = graph_of([[], [], [0], [1], [0, 3], [2]])
    assert not sort(graph)
    assert names(graph) == [f"n{i}" for i in range(6)]


def test_only_what_has_to_move_moves() -> None:
    graph = graph_of([[], [3], [], [], [1]])
    assert sort(graph)
    assert names(graph) == ["n0", "n2", "n3", "n1", "n4"]
    assert [n.position for n in graph.nodes] == [(i,) for i in range(5)]


def test_a_node_between_two_positions_goes_between() -> None:
    graph = graph_of([[], [], []])
    graph.nodes[2].position = (0.0, 1.0)
    sort(graph)
    assert names(graph) == ["n0", "n2", "n1"]


def test_cycle_is_refused() -> None:
    with pytest.raises(ModelError, match=r"node 'n[12]' \(Sum\): takes part in a cycle"):
        sort(graph_of([[], [2], [1], [2]]))


def test_a_cycle_in_a_file_is_refused() -> None:
    proto = proto_of("g (float[1] x) => (float[1] y) { a = Relu (x) b = Neg (a) y = Abs (b) }")
    proto.graph.node[0].input[0] = "b"
    with pytest.raises(ModelError, match="cycle"):
        Model.load(proto)


def test_what_a_body_reads_counts_for_its_owner() -> None:
    proto = proto_of("""<ir_version: 8, opset_import: ["": 17]> g (bool c, float[1] x) => (float[1] y) {
        a = Relu (x)
        y = If (c) <then_branch = t () => (float[1] p) { p = Neg (a) },
                    else_branch = e () => (float[1] q) { q = Abs (x) }> }""")
    nodes = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend(nodes[::-1])
    model = Model.load(proto)
    assert [n.op for n in model.graph.nodes] == ["Relu", "If"]
    assert {t.name for t in reads(model.graph.nodes[1])} >= {"c", "a", "x"}


def test_reversed_chain_of_5000() -> None:
    graph = graph_of([[i - 1] if i else [] for i in range(5000)])
    graph.nodes.reverse()
    for index, node in enumerate(graph.nodes):
        node.position = (index,)
    sort(graph)
    assert names(graph) == [f"n{i}" for i in range(5000)]


def test_a_reversed_file_of_5000_nodes_loads() -> None:
    lines = "  ".join(f"v{i + 1} = Relu (v{i})" for i in range(5000))
    proto = proto_of(f"g (float[1] v0) => (float[1] v5000) {{ {lines} }}")
    nodes = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend(nodes[::-1])
    model = Model.load(proto)
    assert [n.outputs[0].name for n in model.graph.nodes][:2] == ["v1", "v2"]
    assert any("topological order" in note for note in model.normalised)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(1, 30), st.randoms(use_true_random=False))
def test_every_order_of_a_graph_is_sorted(size: int, chance: random.Random) -> None:
    edges = [[s for s in range(i) if chance.random() < 0.3] for i in range(size)]
    graph = graph_of(edges)
    chance.shuffle(graph.nodes)
    for index, node in enumerate(graph.nodes):
        node.position = (index,)
    sort(graph)
    done: set[str] = set()
    for node in graph.nodes:
        assert {t.name for t in node.inputs} <= done
        done.add(node.outputs[0].name)
    assert not sort(graph)


def test_models_are_loaded_in_order() -> None:
    model = model_of("g (float[1] x) => (float[1] y) { a = Relu (x) b = Neg (x) y = Add (a, b) }")
    assert model.normalised == ["3 unnamed nodes were given names"]
