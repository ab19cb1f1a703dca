"""Plans of channels in terms of a module's parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

import numpy as np

from surgery.channels import Kept, Plan, plan_of
from surgery.errors import InputError
from surgery.ir import Constant, Model, Node
from surgery.pipeline.view import folded
from surgery.training.twin import Twin, constants

Form: TypeAlias = "tuple[tuple[int, tuple[int, ...]], ...]"
Place: TypeAlias = "tuple[Constant, Node, int, tuple[int, ...]]"
"""A constant, a node that reads it, an axis, and the indices along it that stay."""

HINT = (
    "plan with surgery.training.prune, whose plans name the parameters; or give as model= the export that it is of, "
    "by the same exporter"
)


def units_of(twin: Twin, plan: Plan, given: Model | None = None) -> frozenset[int]:
    """The units of the twin's channels that ``plan`` takes out.

    Args:
        plan: of the module's parameters, or of an export of it.
        given: that export, whose nodes tell its initializers of other names.

    Raises:
        InputError: weights are not the module's, have other shapes, or would have to lose other channels, too.
    """
    named = [kept for kept in plan.weights if kept.name in twin.keys]
    foreign = [kept for kept in plan.weights if kept.name not in twin.keys]
    theirs = {} if given is None else {constant.name: constant for constant in constants(folded(given))}
    if unknown := [kept.name for kept in foreign if kept.name not in theirs]:
        raise _no_parameters(unknown)
    _need_shapes(twin, named)
    places = [*_by_name(twin, named), *_by_node(twin, foreign, theirs)]
    gone: set[int] = set()
    for constant, reader, axis, indices in places:
        units = twin.channels.units(constant, axis, reader)
        if units is not None:
            gone.update(np.delete(units, np.array(indices, np.int64)).tolist())
    _need_fit(twin, plan_of_module(twin, gone), named, foreign)
    return frozenset(gone)


def plan_of_module(twin: Twin, gone: Iterable[int]) -> Plan:
    """What stays of the module's parameters and buffers when ``gone`` goes.

    Raises:
        InputError: constants that are no parameters would lose channels, or one parameter different ones.
    """
    rows: dict[str, Kept] = {}
    uses: Counter[str] = Counter()
    foreign = []
    for kept in plan_of(twin.channels, gone).weights:
        uses[kept.name] += bool(kept.node)
        origin = twin.origins.get(kept.name)
        if origin is None:
            foreign.append(kept.name)
            continue
        keep = {axis: kept.keep[own] for own, axis in enumerate(origin.axes) if axis is not None and own in kept.keep}
        row = Kept(name=origin.key, shape=twin.shapes[origin.key], keep=dict(sorted(keep.items())))
        if rows.setdefault(origin.key, row) != row:
            raise InputError(f"{origin.key!r} would have to keep different channels for the nodes that read it")
    _need_parameters(twin, foreign)
    _need_all_uses(twin, uses)
    return Plan(weights=tuple(rows.values()))


def fixed(twin: Twin) -> list[Constant]:
    """Constants that no parameter holds and that cannot lose channels: values of the code, or computed from others."""
    own = (c for c in constants(twin.model) if c.name not in twin.origins and c.values.dtype.kind == "f")
    return [constant for constant in own if constant.values.size and not _is_uniform(constant)]


def _is_uniform(constant: Constant) -> bool:
    """Whether all elements are equal, so that it does not matter which go."""
    return bool((constant.values == constant.values.flat[0]).all())


def _need_shapes(twin: Twin, named: Iterable[Kept]) -> None:
    for kept in named:
        shape = twin.shapes.get(twin.keys[kept.name])
        if shape != kept.shape:
            found = "is no tensor of floats" if shape is None else f"has the shape {list(shape)}"
            raise InputError(f"{found}, the plan is of {list(kept.shape)}", where=kept.name)


def _by_name(twin: Twin, named: Iterable[Kept]) -> Iterator[Place]:
    for kept in named:
        key = twin.keys[kept.name]
        for constant in constants(twin.model):
            origin = twin.origins.get(constant.name)
            if origin is None or origin.key != key:
                continue
            for reader in constant.consumers:
                yield from ((constant, reader, origin.axes.index(axis), own) for axis, own in kept.keep.items())


def _by_node(twin: Twin, foreign: Iterable[Kept], theirs: Mapping[str, Constant]) -> Iterator[Place]:
    """Where the twin reads what a constant of an export is read for, at the node of the same name."""
    nodes = {node.name: node for node in twin.model.nodes()}
    for kept in foreign:
        constant = theirs[kept.name]
        for reader in constant.consumers if constant.shape == kept.shape else ():
            node = nodes.get(reader.name)
            ours = None if node is None else node.input(reader.inputs.index(constant))
            if node is not None and isinstance(ours, Constant) and ours.shape == kept.shape:
                yield from ((ours, node, axis, own) for axis, own in kept.keep.items())


def _need_fit(twin: Twin, whole: Plan, named: list[Kept], foreign: list[Kept]) -> None:
    """Refuse a plan that is not ``whole``, but for vectors, which an export may have folded away."""
    ours = {kept.name: kept for kept in whole.weights}
    if odd := [kept.name for kept in named if (row := ours.pop(twin.keys[kept.name], None)) and row.keep != kept.keep]:
        raise InputError(f"what goes of {_listed(odd)} does not fit the rest of the plan", where="plan")
    left = Counter(map(_form, ours.values()))
    unmatched = []
    for kept in foreign:
        unmatched += [] if left[_form(kept)] else [kept.name]
        left[_form(kept)] -= 1
    if unmatched:
        raise _no_parameters(unmatched)
    if torn := [kept.name for kept in ours.values() if len(_form(kept)) > 1 and left[_form(kept)] > 0]:
        raise InputError(f"{_listed(torn)} would have to lose channels, too", where="plan")


def _form(kept: Kept) -> Form:
    """Sizes and what stays of them, for weights of which only the order of axes may differ."""
    return tuple(sorted((size, kept.keep.get(axis, ())) for axis, size in enumerate(kept.shape) if size > 1))


def _need_parameters(twin: Twin, names: list[str]) -> None:
    found = [constant.name for constant in fixed(twin) if constant.name in names]
    if found:
        what = f"{_listed(found)} would lose channels, and are no parameters"
        raise InputError(what, hint="values that the code writes down or computes from parameters cannot be cut")


def _need_all_uses(twin: Twin, uses: Counter[str]) -> None:
    """Refuse to thin for one node what another reads whole.

    Args:
        uses: of vectors that several nodes read, how many of these nodes lose channels.
    """
    for constant in constants(twin.model):
        if 0 < uses[constant.name] < len({id(reader) for reader in constant.consumers}):
            raise InputError(f"{constant.name!r} is read whole elsewhere, and would have to lose channels")


def _no_parameters(names: Iterable[str]) -> InputError:
    return InputError(f"the module has no parameters {_listed(names)}", where="plan", hint=HINT)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))
