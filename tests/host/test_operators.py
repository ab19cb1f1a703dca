"""Every operator: the Python module beside onnxruntime, the C++ header beside the Python module."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from scripts.host_cpp import Compiled, compile_headers
from surgery.drift.inputs import make_inputs
from surgery.drift.metrics import Array
from surgery.host.cpp import cpp_header
from surgery.host.operators import EMITTERS
from surgery.host.program import Program, read_program
from surgery.host.python import python_module
from surgery.ir import Model
from surgery.ir.session import open_session
from surgery.pipeline.view import folded
from tests.host.cases import CASES, Case
from tests.support import model_of

NUMBERS = [pytest.param(number, id=case.what) for number, case in enumerate(CASES)]


def program_of(case: Case) -> tuple[Model, Program]:
    model = folded(model_of(case.text, opset=case.opset))
    return model, read_program("epilogue", model, [t.name for t in model.graph.outputs])


def function_of(program: Program) -> Callable[[Mapping[str, Array]], dict[str, Array]]:
    space: dict[str, Callable[[Mapping[str, Array]], dict[str, Array]]] = {}
    exec(python_module([program], []), space)
    return space["epilogue"]


def feeds_of(model: Model) -> Mapping[str, Array]:
    return make_inputs(model, samples=1).samples[0]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    programs = [program_of(case)[1] for case in CASES]
    names = [f"case{number}" for number in range(len(CASES))]
    headers = [cpp_header([program], name, []) for program, name in zip(programs, names, strict=True)]
    return compile_headers(headers, names, programs, tmp_path_factory.mktemp("cpp"))


@pytest.mark.parametrize("number", NUMBERS)
def test_python_computes_what_onnxruntime_does(number: int) -> None:
    model, program = program_of(CASES[number])
    feeds = feeds_of(model)
    known, found = open_session(model).run(feeds), function_of(program)(feeds)
    assert list(found) == list(known)
    for name, value in known.items():
        assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape)
        exact = program.moves or value.dtype.kind != "f"
        np.testing.assert_allclose(found[name], value, rtol=0 if exact else 2e-6, atol=0 if exact else 1e-6)


@pytest.mark.parametrize("number", NUMBERS)
def test_cpp_computes_what_python_does(number: int, compiled: Compiled) -> None:
    model, program = program_of(CASES[number])
    feeds = feeds_of(model)
    wanted, found = function_of(program)(feeds), compiled.run(number, feeds)
    for name, value in wanted.items():
        exact = program.moves or value.dtype.kind != "f"
        scale = 1.0 if exact else float(np.abs(value).max())
        np.testing.assert_allclose(found[name], value, rtol=0 if exact else 1e-6, atol=0 if exact else 1e-6 * scale)


def test_every_emitter_has_a_case() -> None:
    covered = {step.node.op for case in CASES for step in program_of(case)[1].steps}
    assert set(EMITTERS) - covered == set()
