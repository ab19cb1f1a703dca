"""``detect``: the places over a threshold, of floats and of integers, in both languages; where the graph agrees."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

import surgery
from scripts.host_cpp import FLAGS
from surgery.api import Run
from surgery.drift.metrics import Array
from surgery.host import HostCode
from tests.passes import head_models as nets
from tests.support import model_of

CENTRED = """two = Constant <value = float[1] {2}> ()
    sum = Add (low, high)  middle = Div (sum, two)  size = Sub (high, low)
    corners = Concat <axis = 1> (middle, size)"""
OVER = 0.6
MAIN = """
#include "host.hpp"
#include <cstdio>
int main() {
    using T = %s;
    const T* maps[%d];
    std::vector<T> data[%d];
    const std::size_t* sizes = m_host::epilogue_inputs_size;
    for (int i = 0; i < %d; ++i) {
        data[i].resize(sizes[i]);
        if (std::fread(data[i].data(), sizeof(T), sizes[i], stdin) != sizes[i]) return 1;
        maps[i] = data[i].data();
    }
    const m_host::Scale scales[%d] = {%s};
    for (const auto& d : m_host::detect(maps, 0.6f, scales))
        std::printf("%%.9g %%.9g %%.9g %%.9g %%.9g %%d\\n",
                    d.box[0], d.box[1], d.box[2], d.box[3], d.score, d.category);
}
"""


CORNERS = "corners = Concat <axis = 1> (low, high)"


def cut(text: str, layout: str = "NHWC") -> Run:
    options = {"cut-heads.layout": layout}
    pipeline = surgery.Pipeline.of("fold-constants", "cut-heads").with_options(options)
    return surgery.run(model_of(text, opset=13), march="bayes-e", pipeline=pipeline, samples=1)


def maps_of(code: HostCode) -> dict[str, Array]:
    rng = np.random.default_rng(1)
    ports = code.manifest.epilogue.inputs
    return {port.name: 2 * rng.standard_normal(port.shape or (), np.float32) for port in ports}


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("text", [nets.dfl(), nets.dfl().replace(CORNERS, CENTRED)])
def test_what_scores_is_what_the_graph_decodes_there(text: str, layout: str) -> None:
    code = cut(text, layout).host_code("m")
    assert code.manifest.detect
    maps, functions = maps_of(code), code.functions()
    decoded = functions["epilogue"](maps)["y"][0].T
    boxes, scores, categories = functions["detect"](maps, OVER)
    over = decoded[:, 4:].max(axis=1) >= OVER
    assert 0 < over.sum() < len(over)
    np.testing.assert_allclose(boxes, decoded[over, :4], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(scores, decoded[over, 4:].max(axis=1), rtol=1e-6)
    np.testing.assert_array_equal(categories, decoded[over, 4:].argmax(axis=1))


def quantised(maps: dict[str, Array]) -> tuple[dict[str, Array], dict[str, tuple[float, int]]]:
    scales = {name: (0.05 + 0.01 * i, i - 2) for i, name in enumerate(maps)}
    integers = {
        name: np.clip(np.rint(value / scales[name][0]) + scales[name][1], -128, 127).astype(np.int8)
        for name, value in maps.items()
    }
    return integers, scales


def test_integers_are_compared_as_they_are() -> None:
    code = cut(nets.dfl()).host_code("m")
    integers, scales = quantised(maps_of(code))
    floats = {
        n: (q.astype(np.float32) - np.float32(scales[n][1])) * np.float32(scales[n][0]) for n, q in integers.items()
    }
    detect = code.functions()["detect"]
    for found, known in zip(detect(integers, OVER, scales), detect(floats, OVER), strict=True):
        np.testing.assert_allclose(found, known, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", ["float", "std::int8_t"])
def test_cpp_finds_what_python_does(kind: str, tmp_path: Path) -> None:
    code = cut(nets.dfl(mask=2)).host_code("m")
    maps, scales = maps_of(code), dict[str, tuple[float, int]]()
    if kind != "float":
        maps, scales = quantised(maps)
    count = len(maps)
    said = ", ".join(f"{{{s}f, {z}.0f}}" for s, z in scales.values()) if scales else ""
    (tmp_path / "host.hpp").write_text(code.cpp)
    (tmp_path / "main.cpp").write_text(MAIN % (kind, count, count, count, count, said))
    build = ["g++", *FLAGS, "-Wno-missing-field-initializers", str(tmp_path / "main.cpp"), "-o", str(tmp_path / "main")]
    assert subprocess.run(build, capture_output=True, text=True, check=False).stderr == ""
    data = b"".join(np.ascontiguousarray(value).tobytes() for value in maps.values())
    done = subprocess.run([str(tmp_path / "main")], input=data, capture_output=True, check=True)
    rows = np.array([line.split() for line in done.stdout.decode().splitlines()], np.float64)
    boxes, scores, categories = code.functions()["detect"](maps, OVER, scales)
    np.testing.assert_allclose(rows[:, :4], boxes, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(rows[:, 4], scores, rtol=1e-6)
    np.testing.assert_array_equal(rows[:, 5], categories)


def test_it_is_left_out_where_the_graph_decodes_otherwise() -> None:
    code = cut(nets.dfl().replace("low = Sub", "low = Add")).host_code("m")
    assert not code.manifest.detect
    assert "detect" not in code.functions()
    assert "Detection" not in code.cpp


def test_other_families_have_none() -> None:
    assert not cut(nets.ssd()).host_code("m").manifest.detect
