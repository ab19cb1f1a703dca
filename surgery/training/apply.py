"""Cutting the channels of a plan out of a module, so that training goes on with what is left."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from surgery.channels import Plan
from surgery.channels.plan import take_out
from surgery.ir import Model
from surgery.training.cut import Cutting
from surgery.training.plans import plan_of_module, units_of
from surgery.training.proof import computed, distance, expected, need_same
from surgery.training.twin import twin_of

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from surgery.ir.model import Source
    from surgery.training.example import Example


def apply_plan(
    module: nn.Module,
    plan: Plan | str | os.PathLike[str],
    example: Example,
    *,
    model: Source | None = None,
    optimizers: Iterable[Optimizer] = (),
    exporter: str | None = None,
) -> Plan:
    """Cut the channels of ``plan`` out of ``module`` in place; returns the plan by the names of its parameters.

    Parameters, buffers and the attributes of layers that state numbers of channels follow. Afterwards the module is run
    on the example, and has to compute what its graph computes without these channels; where it does not, or anything
    else fails, it is left as it was.

    Args:
        module: on any device, in any mode; not wrapped for several devices.
        plan: a ``surgery.plan/1``, or its file: of the module's parameters (:func:`surgery.training.prune`) or of an
            export of it.
        example: what ``forward`` is called with, as for :func:`surgery.training.export`.
        model: the export that the plan is of, where initializers have other names than the parameters.
        optimizers: have their parameters replaced, and keep what they remember of the channels that stay; others have
            to be made anew.
        exporter: ``legacy`` or ``dynamo``, which the module is looked at with.

    Raises:
        InputError: weights of the plan are not the module's (all of them are named), or have other shapes; other
            channels would have to go with them; the module has no parameters; its code writes numbers of channels down.
    """
    asked = plan if isinstance(plan, Plan) else Plan.read(plan)
    twin = twin_of(module, example, exporter)
    gone = units_of(twin, asked, None if model is None else Model.load(model))
    whole = plan_of_module(twin, gone)
    noise = distance(computed(module, example), expected(twin.model, module, example))
    take_out(twin.model, twin.channels, gone)
    cutting = Cutting(module, whole)
    try:
        cutting.run()
        need_same(computed(module, example), expected(twin.model, module, example), noise)
    except BaseException:
        cutting.undo()
        raise
    cutting.carry(optimizers)
    return whole
