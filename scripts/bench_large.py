"""Peak memory of editing a 3 GiB model with external data.

usage: bench_large.py [--gib N] [--folder DIR] [--mb LIMIT]

Makes a chain of MatMuls with rank-2 float32 weights, Identity nodes in between, in an ONNX file with external data
beside it. A fresh process then loads it, removes the Identity nodes by a pass, exports, and saves, without
verification. Prints its ru_maxrss and seconds per step; exits with 1 when the peak is above LIMIT (150 MB by default)
or the result is not as large as the input.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

WIDTH = 4096
"""Rows and columns of a weight: 64 MiB each."""
LIMIT_MB = 150.0


def make(path: Path, gib: float) -> None:
    """Write the model, its weights one at a time."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper

    count = round(gib * (1 << 30) / (4 * WIDTH * WIDTH))
    nodes, weights, value = [], [], "x"
    rng = np.random.default_rng(0)
    with path.with_suffix(".data").open("wb") as data:
        for index in range(count):
            place = {"location": path.with_suffix(".data").name, "offset": str(data.tell())}
            array = rng.standard_normal((WIDTH, WIDTH), np.float32) / 64
            data.write(array.data)
            weight = TensorProto(name=f"w{index}", data_type=TensorProto.FLOAT, dims=array.shape)
            weight.data_location = TensorProto.EXTERNAL
            entries = {**place, "length": str(array.nbytes)}
            weight.external_data.extend(onnx.StringStringEntryProto(key=k, value=v) for k, v in entries.items())
            weights.append(weight)
            nodes.append(helper.make_node("MatMul", [value, f"w{index}"], [f"m{index}"], f"matmul{index}"))
            nodes.append(helper.make_node("Identity", [f"m{index}"], [f"i{index}"], f"identity{index}"))
            value = f"i{index}"
    nodes.append(helper.make_node("Relu", [value], ["y"], "relu"))
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, WIDTH)) for name in "xy")
    graph = helper.make_graph(nodes, "large", [x], [y], weights)
    onnx.save(helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)]), path)


def edit(source: str, target: str) -> None:
    """What the fresh process does: load, edit, export, save; prints seconds and peak as JSON."""
    marks = [("start", time.perf_counter())]
    from surgery.ir import Model
    from surgery.pipeline import Pipeline
    from surgery.pipeline.manager import Manager

    marks.append(("import", time.perf_counter()))
    model = Model.load(source)
    marks.append(("load", time.perf_counter()))
    steps = Pipeline.of("remove-noops").steps
    (result,) = Manager(model).run([(s.id, s.step) for s in steps])
    marks.append(("edit", time.perf_counter()))
    model.to_proto("external")
    marks.append(("export", time.perf_counter()))
    model.save(target)
    marks.append(("save", time.perf_counter()))
    seconds = {name: end - begin for (_, begin), (name, end) in pairwise(marks)}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    print(json.dumps({"seconds": seconds, "bytes": peak, "applied": result.applied}))


def _fresh(*arguments: str) -> str:
    return subprocess.run([sys.executable, __file__, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> int:
    """Make the model, edit it in a fresh process, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, default=3.0)
    parser.add_argument("--folder", help="where the model is made; a temporary folder by default")
    parser.add_argument("--mb", type=float, default=LIMIT_MB)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        source, target = Path(folder) / "large.onnx", Path(folder) / "out.onnx"
        _fresh("--make", str(source), str(options.gib))  # a process of its own: children inherit the peak of this one
        answer = json.loads(_fresh("--edit", str(source), str(target)))
        read = source.with_suffix(".data").stat().st_size
        written = sum(p.stat().st_size for p in Path(folder).glob("out*"))
    peak = answer["bytes"] / 1e6
    said = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in answer["seconds"].items())
    print(f"{read / (1 << 30):.2f} GiB read, {written / (1 << 30):.2f} GiB written, {answer['applied']} nodes removed")
    print(f"peak {peak:.0f} MB (limit {options.mb:g}); {said}")
    return int(peak > options.mb or written < read)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--edit"]:
        edit(*sys.argv[2:])
    elif sys.argv[1:2] == ["--make"]:
        make(Path(sys.argv[2]), float(sys.argv[3]))
    else:
        sys.exit(main())
