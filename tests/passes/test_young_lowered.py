"""From any opset to what X5 takes: young operators written out, then the whole model lowered."""

from __future__ import annotations

from collections.abc import Callable

import onnx
import pytest

from surgery.ir import Model
from surgery.pipeline.run import run
from surgery.target.birth import births
from tests.passes.definitions import DEFINED
from tests.passes.substitutions import CASES


def _is_young(model: Model) -> bool:
    return any(births()[node.op] > 11 for node in model.nodes())


MODELS: dict[str, Callable[[], Model]] = {
    **{name: case.model for name, case in DEFINED.items()},
    **{name: case.model for name, case in CASES.items() if _is_young(case.model())},
}


@pytest.mark.parametrize("name", MODELS)
def test_opset_11_comes_out(name: str) -> None:
    result = run(MODELS[name](), march="bayes-e")
    assert (result.model.opset, result.model.ir_version) == (11, 7), [r.reason for r in result.passes]
    assert result.verified == (DEFINED[name].verified if name in DEFINED else "full")
    onnx.checker.check_model(result.model.to_proto())
