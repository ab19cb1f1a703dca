"""The same model deployed otherwise: what is asked, what the march can, and what it comes to."""

from __future__ import annotations

from math import prod

import pytest

from surgery.cost import AS_IS, WhatIf, estimate_nodes, speedup, what_if
from surgery.cost.coefficients import Basis, Rates, sheet_of
from surgery.cost.terms import PER_LAYER
from surgery.errors import InputError
from surgery.ir import Model
from surgery.target.target import load_target
from tests.cost.make import X5, estimated
from tests.support import model_of

X3 = load_target("bernoulli2")
NET = """g (float[BATCH,3,64,64] x) => (y) <WEIGHTS> {
  a = Conv <pads = [1,1,1,1]> (x, v) b = Sigmoid(a) c = Conv <pads = [1,1,1,1]> (b, w) y = Conv(c, u) }"""


def net(channels: int = 24, batch: int = 1) -> Model:
    shapes = {"v": (channels, 3, 3, 3), "w": (channels, channels, 3, 3), "u": (32, channels, 1, 1)}
    text = NET.replace("WEIGHTS", ", ".join(map(weight, shapes, shapes.values())))
    return model_of(text.replace("BATCH", str(batch)))


def weight(name: str, shape: tuple[int, ...]) -> str:
    return f"float[{','.join(map(str, shape))}] {name} = {{{','.join(['1'] * prod(shape))}}}"


def asked(text: str, model: Model | None = None, target=X5):
    return estimate_nodes((model or net()).nodes(), lambda _: "bpu", 1, target, what_if(text))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("channels=16,int16,cores=2,batch=4", WhatIf(channels=16, int16=True, cores=2, batch=4)),
        ("int16=Softmax+Conv_*", WhatIf(int16=("Softmax", "Conv_*"))),
        (" batch = 4 , align=width:4+height:2", WhatIf(batch=4, align={"width": 4, "height": 2})),
    ],
)
def test_what_is_asked_is_read_from_text_and_says_itself(text, meant):
    assert what_if(text) == meant
    assert what_if(str(meant)) == meant


def test_what_is_asked_by_key():
    assert what_if({"channels": 16, "int16": ["Softmax"]}) == WhatIf(channels=16, int16=("Softmax",))
    assert what_if(AS_IS) is AS_IS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chanels=16", "unknown key 'chanels'\n  hint: did you mean channels"),
        ("", "unknown key ''"),
        ("batch=2,batch=3", "'batch' is given twice"),
        ("batch", "batch needs a value"),
        ("batch=0", "batch=0: "),
        ("cores=two", "cores=two: "),
        ("channels=-16", "channels=-16: "),
        ("channels=1.5", "channels=1.5: "),
        ("align=widht:4", "unknown size to align 'widht'\n  hint: did you mean width"),
        ("align=width:0", "align=width:0: a multiple is at least 1"),
        ("align=width", "valid integer"),
    ],
)
def test_what_cannot_be_read_is_refused(text, message):
    with pytest.raises(InputError) as refused:
        what_if(text)
    assert message in str(refused.value)
    assert refused.value.where == "--what-if"


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        ("int16", X3, "bernoulli2 has no int16 features"),
        ("int16=Softmax", X5, "int16=Softmax: no node or operator of this name"),
        ("cores=2", X5, "cores=2: the compiler of bayes-e takes 1 for one frame"),
        ("cores=3", X3, "cores=3: the compiler of bernoulli2 takes 1, 2 for one frame"),
    ],
)
def test_what_a_march_cannot_is_refused(text, target, message):
    with pytest.raises(InputError, match=message):
        asked(text, target=target)


def test_nothing_asked_changes_nothing():
    one, other = estimated(net()), asked("batch=1,channels=1,cores=1")
    assert (one.bpu_ms, one.latency_ms, one.bytes_read) == (other.bpu_ms, other.latency_ms, other.bytes_read)


def test_wider_channels_cost_what_such_a_model_costs():
    wide, real = asked("channels=16"), estimated(net(32))
    assert [c.us.mid for c in wide.nodes] == pytest.approx([c.us.mid for c in real.nodes])
    assert wide.bytes_read == real.bytes_read
    assert wide.bpu_ms.mid > estimated(net()).bpu_ms.mid


def test_channels_that_are_multiples_already_cost_the_same():
    assert asked("channels=16", net(32)).latency_ms == estimated(net(32)).latency_ms


def test_a_batch_does_the_work_so_often_and_loads_weights_once():
    one, four = estimated(net()), asked("batch=4")
    real = estimated(net(batch=4))
    assert [c.computing.mid for c in four.nodes] == pytest.approx([c.computing.mid for c in real.nodes])
    assert (four.bytes_read, four.bytes_written) == (real.bytes_read, real.bytes_written)
    assert [t.us.mid for t in four.transfers] == pytest.approx([t.us.mid for t in real.transfers])
    assert four.macs == 4 * one.macs
    assert speedup(one, four).interval.mid == pytest.approx(4 * one.latency_ms.mid / four.latency_ms.mid)


def test_a_batch_on_the_cpu_is_so_much_work():
    model = model_of("g (float[1,8,64,64] x) => (y) { y = Exp(x) }")
    one, four = (
        estimate_nodes(model.nodes(), lambda _: "cpu", 0, X5, what_if(text)) for text in ("batch=1", "batch=4")
    )
    call = 10.0
    assert four.nodes[0].us.mid - call == pytest.approx(4 * (one.nodes[0].us.mid - call))


def test_int16_is_slower_by_the_factor_of_each_term():
    table = Rates(sheet_of(X5.cost))
    wide = Rates(table.sheet, int16=True)
    for term, rate in table.engine.items():
        factor = table.sheet.int16.terms.get(term, table.sheet.int16.other)
        if term in PER_LAYER:
            assert wide.engine[term] == rate
        else:
            assert wide.engine[term].us.mid == pytest.approx(rate.us.mid * factor.value)
            assert wide.engine[term].name == f"{term} int16"
    assert asked("int16").bpu_ms.mid > estimated(net()).bpu_ms.mid


def test_int16_is_no_better_known_than_its_factor():
    found = asked("int16", target=load_target("nash-e"))
    assert {c.basis for c in found.nodes if c.bound == "compute"} == {Basis.ASSUMED}


def test_int16_of_some_nodes_leaves_the_others():
    as_is, some, every = estimated(net()), asked("int16=Sigmoid"), asked("int16")
    changed = [c.node.op for c, d in zip(as_is.nodes, some.nodes, strict=True) if c.us != d.us]
    assert changed == ["Sigmoid"]
    assert as_is.bpu_ms.mid < some.bpu_ms.mid < every.bpu_ms.mid


def test_cores_that_share_a_frame_shorten_large_layers_and_lengthen_small_ones():
    split = sheet_of(X3.cost).cores.split[2]
    one, two = estimated(net(), target=X3), asked("cores=2", target=X3)
    layers = sum(c.us.mid > 0 for c in one.nodes)
    alone = one.bpu_ms.mid - one.segment.mid / 1000
    assert two.bpu_ms.mid - two.segment.mid / 1000 == pytest.approx(
        alone * split.share.value + layers * split.layer.value
    )
    tiny = model_of(f"g (float[1,8,8,8] x) => (y) <{weight('w', (8, 8, 1, 1))}> {{ y = Conv(x, w) }}")
    assert (
        speedup(one, two).interval.mid
        > 1
        > speedup(estimated(tiny, target=X3), asked("cores=2", tiny, X3)).interval.mid
    )
    assert (one.at_once, two.at_once) == (2, 1)


def test_other_multiples_of_the_engine():
    as_is, other = estimated(net()), asked("align=width:64+height:64")
    assert other.nodes[0].us.mid == as_is.nodes[0].us.mid
    assert asked("align=width:128").nodes[0].us.mid > as_is.nodes[0].us.mid


def test_one_thread_waits_for_itself_and_many_for_the_bpu():
    found = estimated(net(), target=X3)
    one, two, eight = (found.throughput_fps(n) for n in (1, 2, 8))
    assert one == pytest.approx([1000 / ms for ms in reversed(found.latency_ms)])
    assert two.mid == pytest.approx(2 * one.mid)
    assert eight == pytest.approx([2 * 1000 / ms for ms in reversed(found.bpu_ms)])
    assert eight.low < eight.mid < eight.high


def test_throughput_counts_the_frames_of_a_batch():
    found = asked("batch=4")
    assert found.throughput_fps(8).mid == pytest.approx(4000 / found.bpu_ms.mid)


def test_a_model_on_the_cpu_alone_has_no_bpu_to_wait_for():
    found = estimated(model_of("g (float[1,8,64,64] x) => (y) { y = Exp(x) }"), {"Exp": "cpu"}, segments=0)
    assert found.throughput_fps(3).mid == pytest.approx(3000 / found.latency_ms.mid)


def test_what_cores_that_share_make_of_it_widens_the_ratio():
    ratio = speedup(estimated(net(), target=X3), asked("cores=2", target=X3)).interval
    share = sheet_of(X3.cost).cores.split[2].share
    assert ratio.high / ratio.mid > 1 / share.spread[0] * 0.99
