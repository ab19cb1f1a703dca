"""Heads of real exports: what was cut off them as Python beside onnxruntime, and as C++ beside Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scripts.corpus import items
from scripts.host_cpp import compile_headers
from surgery.host.check import difference
from surgery.host.cpp import cpp_header
from surgery.host.program import read_program
from surgery.ir import Model
from surgery.ir.session import open_session
from surgery.pipeline.iomap import as_model
from surgery.pipeline.manager import Manager
from surgery.pipeline.pipeline import Pipeline
from surgery.pipeline.view import folded
from tests.host.test_operators import function_of

CUT = Pipeline.of("fold-constants", "remove-noops", {"cut-heads": {"layout": "NHWC"}})


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "family", "outputs"),
    [
        ("ul_yolov8n_op11", "yolo-dfl", 6),
        ("ul_yolo11n_pose_op17", "yolo-dfl", 9),
        ("ul_yolov8n_seg_op13", "yolo-dfl", 10),
        ("ul_yolov8n_obb_op13", "yolo-dfl", 9),
    ],
)
def test_the_head_of_an_export(name: str, family: str, outputs: int, tmp_path: Path) -> None:
    [item] = items([f"models/{name}"])
    manager = Manager(Model.load(item.filled()))
    manager.run([(s.id, s.step) for s in CUT.steps])
    assert manager.io is not None
    assert [head.family for head in manager.io.heads] == [family]
    assert len(manager.model.graph.outputs) == outputs
    epilogue = folded(as_model(manager.io.epilogue, manager.model.opset))
    program = read_program("epilogue", epilogue, [t.name for t in epilogue.graph.outputs])
    rng = np.random.default_rng(0)
    feeds = {slot.name: 3 * rng.standard_normal(slot.shape, np.float32) for slot in program.inputs}
    known, found = open_session(epilogue).run(feeds), function_of(program)(feeds)
    assert difference(program, known, found) == ""
    made = compile_headers([cpp_header([program], "head", [])], ["head"], [program], tmp_path).run(0, feeds)
    for output, value in found.items():
        np.testing.assert_allclose(made[output], value, rtol=1e-6, atol=1e-6 * float(np.abs(value).max()))
