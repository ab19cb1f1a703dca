"""What the vendor's checker says of a model before and after it is cut."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from passes.clamp import ClampConvChannels
from surgery.ir import Model
from tests.passes.clamp_marches import seeded
from tests.support import apply_pass

TEXT = """g (float[1,16,7,7] x) => (float[1,16,7,7] y) {
    a = Conv <dilations = [1, 1]> (x, u)
    b = Conv <dilations = [1, 1]> (a, w, c)
    r = Relu (b)
    d = Conv <dilations = [1, 1]> (r, v)
    y = Conv <dilations = [1, 1]> (d, z)
}"""
SIZES = {"u": (64, 16, 1, 1), "w": (5000, 64, 1, 1), "c": (5000,), "v": (64, 5000, 1, 1), "z": (16, 64, 1, 1)}


def devices(model: Model, folder: Path, march: str) -> list[str]:
    """Where the checker puts the nodes it knows."""
    folder.mkdir()
    model.save(folder / "m.onnx")
    tools = os.environ.get("SURGERY_WITNESS", "/opt/witness") + "/bin"
    command = ["hb_mapper", "checker", "--model-type", "onnx", "--march", march, "--model", "m.onnx"]
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, env=environment, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]
    return re.findall(r"^\S+ +(BPU|CPU) +(?:id\(|--)", done.stdout + done.stderr, re.MULTILINE)


@pytest.mark.witness
def test_the_vendor_takes_what_was_cut(tmp_path: Path) -> None:
    model = seeded(TEXT, opset=11, **SIZES)
    applied = apply_pass(model, ClampConvChannels(), "bernoulli2")
    assert "CPU" in devices(model, tmp_path / "before", "bernoulli2")
    assert set(devices(applied.model, tmp_path / "after", "bernoulli2")) == {"BPU"}
