"""What goes through memory for want of room: of what is held, handed on or looked up, and nothing inside a lookup."""

from __future__ import annotations

import pytest

from surgery.cost.coefficients import Rates, rates
from surgery.cost.edges import Edge, edge_of
from surgery.cost.nodes import cost_on
from surgery.cost.spilling import Room, Rooms, is_held, sizes, spilled
from surgery.ir import Model, Node
from tests.cost.make import X5
from tests.support import model_of

NEVER = Room(float("inf"), 1.0)
SIZE = 8 * 16 * 16


def model(body: str) -> Model:
    return model_of(f"g (float[1,8,16,16] x) => (y) <float s = {{1.0}}> {{ {body} }}")


def node(made: Model, op: str) -> Node:
    return next(n for n in made.nodes() if n.op == op)


def test_what_waits_for_another_is_held_and_the_rest_handed_on():
    made = model("a = Add(x, x) b = MaxPool<kernel_shape=[1,1]>(a) c = Softmax(b) y = Add(a, c)")
    assert [t.name for n in made.nodes() for t in n.outputs if is_held(t)] == ["a", "c"]
    pool = node(made, "MaxPool")
    assert sizes(pool, Edge()) == ((SIZE,), (SIZE,), (), ())
    assert spilled(pool, Rooms(Room(1048, 0.5), NEVER)) == (500, 0)
    assert spilled(pool, Rooms(NEVER, Room(48, 0.25))) == (0, 500)
    assert spilled(pool, Rooms(Room(4096, 1.0), Room(4096, 1.0))) == (0, 0)


def test_what_a_table_makes_has_a_room_of_its_own_where_the_march_says_so():
    made = model("a = Exp(x) b = Neg(a) c = LeakyRelu(b) d = Softmax(c) y = Add(a, d)")
    assert sizes(node(made, "Neg"), Edge()) == ((), (), (SIZE,), (SIZE,))
    assert sizes(node(made, "LeakyRelu"), Edge()) == ((), (SIZE,), (), (SIZE,))
    looked_up = Rooms(NEVER, Room(48, 0.25), Room(0, 1.0))
    assert spilled(node(made, "Neg"), looked_up) == (SIZE, SIZE)
    assert spilled(node(made, "LeakyRelu"), looked_up) == (SIZE, 500)


def test_what_crosses_the_edge_does_not_spill_beside():
    made = model("a = Exp(x) b = Neg(a) y = Abs(b)")
    exp, last = node(made, "Exp"), node(made, "Abs")
    assert sizes(exp, edge_of(exp)) == ((), (), (), (SIZE,))
    assert sizes(last, edge_of(last)) == ((), (), (), (SIZE,))


def test_what_one_lookup_alone_reads_is_handed_on():
    exp = node(model("a = Exp(x) b = Sigmoid(a) c = Mul(a, b) y = Neg(c)"), "Exp")
    assert not is_held(exp.outputs[0])
    beside = node(model("a = Exp(x) b = Sigmoid(a) c = Mul(a, b) d = Neg(c) y = Add(a, d)"), "Exp")
    assert is_held(beside.outputs[0])


@pytest.mark.parametrize(
    "body",
    ["b = Sigmoid(a) c = Mul(a, b) y = Neg(c)", "d = Erf(a) e = Add(d, s) b = Mul(a, e) c = Mul(b, s) y = Neg(c)"],
)
def test_what_is_inside_a_lookup_is_nowhere(body: str) -> None:
    made = model(f"a = Exp(x) {body}")
    last = next(n for n in made.nodes() if n.outputs[0].name == "c")
    inside = next(t for n in made.nodes() for t in n.outputs if t.name == "b")
    assert last in inside.outputs
    everything = Room(0, 1.0)
    assert spilled(last, Rooms(everything, everything)).written == SIZE
    assert spilled(last, Rooms(everything, everything)).read == (SIZE if body.startswith("b") else 0)


def test_a_march_says_how_much_of_each() -> None:
    sheet = rates(X5).sheet
    made = node(model("a = Exp(x) b = Neg(a) y = Abs(b)"), "Neg")

    def moved(**said: float | None) -> tuple[int, int]:
        memory = sheet.memory.model_copy(update={"spill_mb": None, "pass_mb": None, **said})
        cost = cost_on(made, "bpu", Rates(sheet.model_copy(update={"memory": memory})))
        return cost.read, cost.written

    assert moved() == moved(spill_mb=1e-9) == (0, 0)
    assert moved(pass_mb=48e-6, pass_share=0.5) == (1000, 1000)
    assert moved(pass_mb=SIZE * 1e-6) == (0, 0)
