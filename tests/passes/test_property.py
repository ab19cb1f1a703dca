"""Random graphs through random pipelines for random marches: nothing crashes, breaks, or has to be rolled back."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from hypothesis import given, settings
from hypothesis import strategies as st

from surgery.ir import Model
from surgery.ir.infer import sharpens
from surgery.ir.session import open_session
from surgery.pipeline import Pipeline, registry
from surgery.pipeline.result import PassResult, RunResult, Status
from surgery.pipeline.run import run
from surgery.rewrite import Exactness
from surgery.target import march_names
from tests.passes.clamp_marches import marches
from tests.passes.random_graphs import graphs
from tests.support import interface

FOLDER = tempfile.TemporaryDirectory(prefix="marches")
MARCHES = [*march_names(), *marches(Path(FOLDER.name)).values()]
"""Those that come with the project, and those of the tests, whose limits small graphs exceed."""
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "fold-constants": [{}, {"max_growth_bytes": 0}],
    "clamp-conv-channels": [{}, {"mode": "pad", "multiple": 8}],
    "strip-io-nodes": [{"side": "inputs"}, {"types": ("Softmax", "Transpose", "Reshape")}],
}


@st.composite
def pipelines(draw: Any) -> Pipeline:
    """Some of the registered passes in an order that their facts allow."""
    exact = [name for name in registry.names() if registry.load(name)().exactness(None) is not Exactness.APPROXIMATE]
    left = draw(st.lists(st.sampled_from(exact), min_size=2, unique=True))
    ordered = []
    while left:
        ready = [n for n in left if not registry.load(n).after & set(left)]
        ordered.append(draw(st.sampled_from(ready)))
        left.remove(ordered[-1])
    return Pipeline.of(*({n: draw(st.sampled_from(OPTIONS.get(n, [{}])))} for n in ordered))


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(graphs(), pipelines(), st.sampled_from(MARCHES))
def test_random_graphs_survive_random_pipelines(proto: onnx.ModelProto, pipeline: Pipeline, march: str) -> None:
    result = run(proto, march=march, pipeline=pipeline)
    broken = [p for p in result.passes if p.status in (Status.FAILED, Status.ROLLED_BACK) and not _is_flat(p, result)]
    assert not broken, broken
    assert result.verified == "full", result.reasons
    whole = result.model if result.io is None else result.io.compose(result.model)
    frozen = result.io is not None and result.io.frozen
    assert interface(whole) == interface(result.original) or (frozen and _is_sharper(whole, result.original))
    Model.load(result.model.to_proto()).check()


def _is_sharper(after: Model, before: Model) -> bool:
    """Whether nothing but dims that were no numbers changed of inputs and outputs."""
    ends = [(*model.graph.inputs, *model.graph.outputs) for model in (before, after)]
    pairs = zip(*ends, strict=True)
    return all((a.name, a.dtype) == (b.name, b.dtype) and sharpens(a.shape, b.shape) for a, b in pairs)


def _is_flat(step: PassResult, result: RunResult) -> bool:
    """Whether the pass was undone for a channel that has the same value everywhere: no range to measure against."""
    found = re.match(r"output '(\w+)': channel (\d+) differs by \S+ of its range", step.reason)
    if found is None or result.inputs is None:
        return False
    session = open_session(result.original)
    values = np.concatenate([session.run(feeds)[found[1]] for feeds in result.inputs.samples])
    channel = values[:, int(found[2])] if values.ndim >= 3 else values
    return bool(np.ptp(channel) <= 1e-6 * np.abs(channel).max())


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(graphs(), st.sampled_from(march_names()))
def test_a_run_on_its_own_output_changes_nothing(proto: onnx.ModelProto, march: str) -> None:
    first = run(proto, march=march, verify="off")
    again = run(first.model.to_proto(), march=march, verify="off")
    assert [p.name for p in again.passes if p.applied] == []
    assert again.model.to_proto() == first.model.to_proto()
