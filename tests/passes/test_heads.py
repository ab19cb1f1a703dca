"""cut-heads: every family by the shape of its graph, where it is cut, what the manifest says, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

import surgery
from passes.heads import CutHeads
from passes.heads.families import FAMILIES
from surgery.api import Run
from surgery.errors import InputError
from surgery.ir.session import open_session
from surgery.pipeline.heads import Head
from surgery.pipeline.pipeline import Pipeline
from tests.passes import head_models as nets
from tests.support import Applied, apply_pass, interface, model_of

MAPS = ["s8_class", "s8_box", "s16_class", "s16_box"]
FOUND: Mapping[str, tuple[Callable[[], str], list[str]]] = {
    "yolo-dfl": (nets.dfl, MAPS),
    "yolo-anchor": (nets.anchored, ["s8_all", "s16_all"]),
    "yolo-ltrb": (nets.ltrb, MAPS),
    "yolox": (nets.yolox, ["s8_class", "s8_box", "s8_object", "s16_class", "s16_box", "s16_object"]),
    "ssd": (nets.ssd, MAPS),
    "retinanet": (nets.retinanet, MAPS),
    "detr": (lambda: nets.DETR, ["class", "box"]),
    "segmentation": (lambda: nets.SEGMENTED, ["s1_logits"]),
    "classification": (lambda: nets.CLASSIFIED, ["score"]),
}


def cut(text: str, march: str | None = None, **options: Any) -> Applied:
    return apply_pass(text, CutHeads(**options), march, opset=13)


def head_of(done: Applied) -> Head:
    assert done.manager.io is not None
    [head] = done.manager.io.heads
    return head


@pytest.mark.parametrize("family", FOUND)
def test_a_family_is_known_by_its_graph_and_cut_at_its_last_convolutions(family: str) -> None:
    text, names = FOUND[family]
    done = cut(text())
    head = head_of(done)
    assert head.family == family
    assert [part.tensor for part in head.parts] == names == [t.name for t in done.model.graph.outputs]
    assert set(done.ops) <= {"Conv", "Gemm", "MatMul", "Add"}
    assert head.classes == nets.OUT or family == "classification"
    assert done.result.drift_total == 0.0


def test_every_family_but_fcos_has_a_model() -> None:
    """FCOS differs from YOLOX in its boxes alone; its own test is below."""
    assert set(FAMILIES) - set(FOUND) == {"fcos"}


def test_names_say_nothing() -> None:
    text = nets.dfl().replace("probable", "bbox").replace("box", "cls_score")
    assert head_of(cut(text)).family == "yolo-dfl"


def test_bins_are_counted_and_anchors_read() -> None:
    assert head_of(cut(nets.dfl(bins=8))).reg_max == 8
    assert head_of(cut(nets.ltrb())).reg_max is None
    assert head_of(cut(nets.anchored())).anchors == (
        ((8.0, 16.0), (24.0, 12.0), (16.0, 32.0)),
        ((16.0, 32.0), (48.0, 24.0), (32.0, 64.0)),
    )


def test_masks_and_angles_come_behind_all_boxes() -> None:
    assert [p.tensor for p in head_of(cut(nets.dfl(mask=3))).parts] == [*MAPS, "s8_mask", "s16_mask"]
    assert [p.role for p in head_of(cut(nets.dfl(angle=True))).parts][-2:] == ["angle", "angle"]


def test_an_end_to_end_head_is_cut_in_front_of_its_selection() -> None:
    done = cut(nets.selected())
    assert [p.tensor for p in head_of(done).parts] == MAPS
    assert {"TopK", "GatherElements"}.isdisjoint(done.ops)


def test_fcos_has_distances_and_a_centreness() -> None:
    text = nets.yolox().replace("wa = Exp (wh)", "wa = Add (wh, points)").replace("xa = Add", "xa = Sub")
    assert head_of(cut(text)).family == "fcos"


def test_a_head_that_fits_two_families_is_not_cut_unless_told() -> None:
    done = cut(nets.raw())
    assert done.result.status == "refused"
    assert done.reasons == ["the head could be yolox or fcos, cut-heads.family must say which"]
    assert head_of(cut(nets.raw(), family="fcos")).family == "fcos"


def test_a_family_that_does_not_fit_is_refused_with_those_that_do() -> None:
    assert cut(nets.ssd(), family="yolo-dfl").reasons == ["the head is no yolo-dfl, it could be ssd"]
    assert cut(nets.UNKNOWN, family="detr").reasons == ["the head is no detr"]


def test_an_unknown_head_is_cut_where_the_cpu_begins() -> None:
    done = cut(nets.UNKNOWN, "bayes-e")
    assert done.ops == ["Conv", "Relu", "Transpose"]
    assert [t.name for t in done.model.graph.outputs] == ["r_nhwc"]
    assert done.manager.io is not None
    assert done.manager.io.heads == ()


def test_nothing_on_the_cpu_is_nothing_to_cut() -> None:
    text = """g (float[1,3,8,8] x, float[2,3,1,1] w) => (float[1,2,8,8] y)
        { c = Conv (x, w)  a = Sigmoid (c)  y = Relu (a) }"""
    assert cut(text, "bayes-e").reasons == [
        "nothing behind the last convolutions is on the CPU, no head is left to cut"
    ]


@pytest.mark.parametrize("last", ["Relu (c)", "Transpose <perm = [0, 2, 3, 1]> (c)"])
def test_what_decodes_nothing_is_left_to_strip(last: str) -> None:
    text = f"g (float[1,3,8,8] x, float[2,3,1,1] w) => (float[1,8,8,2] y) {{ c = Conv (x, w)  y = {last} }}"
    text = text.replace("float[1,8,8,2] y", "float[1,2,8,8] y") if last == "Relu (c)" else text
    reason = "nothing is decoded behind the last convolutions, strip-io-nodes takes what only moves data"
    assert cut(text, "bayes-e").reasons == [reason]


def test_a_cut_is_made_at_the_tensors_given() -> None:
    done = cut(nets.ltrb(), at="s, d")
    assert [t.name for t in done.model.graph.outputs] == ["s", "d"]
    assert {"Sigmoid", "Split"}.isdisjoint(done.ops)
    assert done.result.drift_total == 0.0


def test_outputs_that_do_not_move_stay_where_they_are() -> None:
    text = """g (float[1,3,4,4] x) => (float[1,3,4,4] a, float[1,3,4,4] y, float[1,3,4,4] b)
        { a = Neg (x)  c = Abs (x)  y = Sqrt (c)  b = Exp (x) }"""
    done = cut(text, at="c", layout="NCHW")
    assert [name for name, _, _ in interface(done.model)] == ["x", "a", "c", "b"]


def test_a_tensor_that_is_an_output_already_stays_one() -> None:
    text = "g (float[1,2] x) => (float[1,2] c, float[1,2] y) { c = Abs (x)  y = Sqrt (c) }"
    assert [t.name for t in cut(text, at="c").model.graph.outputs] == ["c"]


BOTH = """g (float[1,3,4,4] x) => (float[1,3,4,4] y)
{ a = Neg (x)  b = Abs (x)  c = Exp (a)  y = Mul (c, b) }"""
REFUSED = {
    "'b' goes into what is cut off, too, it must be cut at as well": (BOTH, {"at": "c"}),
    "'c' is computed behind another cut, one of both must be enough": (BOTH, {"at": "a,c,b"}),
    "nothing is behind the cut, the outputs stay as they are": (BOTH, {"at": "y"}),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_cut_that_cannot_be_is_refused(reason: str) -> None:
    text, options = REFUSED[reason]
    assert cut(text, **options).reasons == [reason]


def test_protected_nodes_stay() -> None:
    model, pipeline = model_of(nets.CLASSIFIED, opset=13), Pipeline.of("cut-heads")
    run = surgery.run(model, march="bayes-e", pipeline=pipeline, protect="Softmax")
    assert run.report.passes[0].reason == "'Softmax' is protected (1)"


def test_a_tensor_that_is_not_there_is_an_error_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"cut-heads\.at: unknown tensor 'dd'\n  hint: did you mean d\?"):
        cut(nets.ltrb(), at="dd")
    with pytest.raises(InputError, match="'d' is given twice"):
        cut(nets.ltrb(), at="d,d")


def test_names_with_commas_go_into_a_list_and_semicolons_are_refused_in_text() -> None:
    assert CutHeads(at="a, b,").at == ("a", "b")
    assert CutHeads(at=["a,b", "c;d"]).at == ("a,b", "c;d")
    with pytest.raises(InputError, match="names are separated by a comma here"):
        Pipeline.of("cut-heads").with_options({"cut-heads.at": "a;b"})
    text = nets.ltrb().replace(" s = Concat", " odd = Concat").replace("(s)", "(odd)")
    model = model_of(text, opset=13)
    next(v for n in model.graph.nodes for v in n.outputs if v.name == "odd").name = "a,b;c"
    done = apply_pass(model, CutHeads(at=["a,b;c", "d"]))
    assert [t.name for t in done.model.graph.outputs] == ["a,b;c", "d"]


def test_an_unknown_family_is_an_error() -> None:
    with pytest.raises(InputError, match="unknown family 'yolo'"):
        Pipeline.of({"cut-heads": {"family": "yolo"}})


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_maps_have_the_layout_asked_for(layout: str) -> None:
    done = cut(nets.ltrb(), layout=layout)
    assert {p.layout for p in head_of(done).parts} == {layout}
    assert done.model.graph.outputs[0].shape == ((1, 4, 4, 2) if layout == "NHWC" else (1, 2, 4, 4))
    assert done.result.drift_total == 0.0


def test_the_layout_is_what_the_estimate_prefers() -> None:
    """bernoulli2 turns a map at an output on the BPU; without a march there is no estimate, and nothing is turned."""
    assert {p.layout for p in head_of(cut(nets.ltrb(), "bernoulli2")).parts} == {"NHWC"}
    assert {p.layout for p in head_of(cut(nets.ltrb())).parts} == {"NCHW"}


def test_names_are_kept_when_asked() -> None:
    assert [t.name for t in cut(nets.ltrb(), names="keep").model.graph.outputs] == ["c8", "b8", "c16", "b16"]


def test_the_activation_belongs_to_the_convolution() -> None:
    text = """g (float[1,3,8,8] x, float[4,3,1,1] w) => (float[1,64,4] y) <int64[3] s = {1, 64, 4}>
        { c = Conv (x, w)  g = Sigmoid (c)  m = Mul (c, g)  t = Transpose <perm = [0, 2, 3, 1]> (m)
          r = Reshape (t, s)  f = Softmax (r)  y = Sign (f) }"""
    done = cut(text, "bayes-e", family="none", layout="NCHW")
    assert done.ops[:3] == ["Conv", "Sigmoid", "Mul"]


def full(text: str, march: str = "bernoulli2") -> Run:
    return surgery.run(model_of(text, opset=17), march=march, add=["cut-heads"], samples=1)


@pytest.mark.parametrize("family", FOUND)
def test_a_whole_run_has_the_original_again_in_opset_11_and_in_host_code(family: str) -> None:
    """The default pipeline writes opset 11: what went to the host in opset 17 follows it."""
    text, names = FOUND[family]
    run = full(text())
    assert (run.report.verified, run.model.opset) == ("full", 11)
    assert [t.name for t in run.model.graph.outputs] == names
    assert run.result.inputs is not None
    sample = run.result.inputs.samples[0]
    known = open_session(run.result.original).run(sample)
    functions = run.host_code().functions()
    found = functions["epilogue"](open_session(run.model).run(functions["prologue"](sample)))
    for name, value in known.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-5)
    assert [h.family for h in run.host_code().manifest.heads] == [family]


def test_what_is_stripped_behind_a_cut_is_host_code_too() -> None:
    """strip-io-nodes takes the Transposes to NHWC away again: the head's tensors are no outputs any more."""
    run = surgery.run(
        model_of(nets.ltrb(), opset=13), march="bernoulli2", add=["cut-heads", "strip-io-nodes"], samples=1
    )
    assert run.report.verified == "full"
    assert [t.shape for t in run.model.graph.outputs] == [(1, 2, 4, 4), (1, 4, 4, 4), (1, 2, 2, 2), (1, 4, 2, 2)]
    manifest = run.host_code().manifest
    assert manifest.heads == ()
    assert [step.op for step in manifest.epilogue.steps][:4] == ["Transpose"] * 4


def test_the_pass_runs_behind_the_folding_when_added_by_name() -> None:
    steps = [s.id for s in Pipeline.default("bernoulli2").adding(["cut-heads"]).steps]
    assert steps[steps.index("cut-heads") - 1] == "remove-noops"
    assert [s.id for s in Pipeline.of("fold-constants", "tile-kernels").adding(["cut-heads"]).steps][-1] == "cut-heads"
