"""The toolchain, told by the YAML what was lifted, computes what the original graph did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

import surgery
from surgery.ir.session import open_session
from surgery.toolchain import Witness
from surgery.toolchain.config import PREFIX
from surgery.toolchain.quantised import Stage
from tests.passes.lifts import LIFTED

pytestmark = pytest.mark.witness


@pytest.mark.parametrize(
    ("name", "march"),
    [
        ("Gather, then arithmetic", "bayes-e"),
        ("1x1 Conv", "bernoulli2"),
        ("integers in NHWC", "bayes"),
        ("a constant less the image", "bayes-e"),
        ("pixels that the application divides", "bayes-e"),
    ],
)
def test_the_yaml_makes_the_original_of_the_lifted_model(
    vendor: Witness, tmp_path: Path, name: str, march: str
) -> None:
    case = LIFTED[name]
    original = case.model()
    pipeline = surgery.Pipeline.of({"lift-normalisation": {"pixels": case.pixels}})
    done = pipeline.run(original, march=march)
    done.save(tmp_path / "model.onnx")
    surgery.config(tmp_path / "model.onnx", march=march, output=tmp_path / "c.yaml")
    said = yaml.safe_load((tmp_path / "c.yaml").read_text())
    said["model_parameters"] |= {"working_dir": ".", "output_model_file_prefix": PREFIX}
    shape = tuple(dim for dim in original.graph.inputs[0].shape or () if isinstance(dim, int))
    image = np.random.default_rng(0).integers(0, 256, shape)
    fed = (image / 255 if case.pixels == 1 else image).astype(original.graph.inputs[0].dtype)
    wanted = open_session(original).run({"x": fed})["y"]
    pixels = image.transpose(0, 3, 1, 2) if shape[-1] == 3 else image  # the tool's models read the training layout
    with vendor.quantise(tmp_path / "model.onnx", march, [], text=yaml.safe_dump(said), limit=120) as made:
        [(_, ours)] = made.run({done.model.graph.inputs[0].name: pixels.astype(np.float32)}, Stage.ORIGINAL).items()
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-5 * np.ptp(wanted))
