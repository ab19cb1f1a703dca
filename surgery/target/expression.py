"""The language of march files: arithmetic, comparisons and a few functions over named parameters.

Text is parsed with :mod:`ast`, checked against a whitelist, and turned into nested closures once; nothing is
ever handed to ``eval``. Names are looked up in a mapping at run time, so a parameter is computed only when an
expression reaches it.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

Env: TypeAlias = Mapping[str, Any]
Closure: TypeAlias = Callable[[Env], Any]

LONGEST = 400
"""Characters of an expression; a bound on the work of parsing one."""
DEEPEST = 40
"""Operators within operators."""


class ExpressionError(ValueError):
    """The text is no expression of this language; the message says which part is not."""


def is_power_of_two(value: float) -> bool:
    """Whether ``value`` is 1, 2, 4, 8, …; false for fractions.

    >>> [n for n in range(10) if is_power_of_two(n)]
    [1, 2, 4, 8]
    """
    return value >= 1 and value == int(value) and int(value) & (int(value) - 1) == 0


def ceil_to(value: int, step: int) -> int:
    """``value`` rounded up to a multiple of ``step``."""
    return -(-value // step) * step


def within(values: Iterable[float], low: float, high: float) -> bool:
    """Whether every one of ``values`` lies in ``low..high``."""
    return all(low <= value <= high for value in values)


def divides(parts: Iterable[int], whole: int) -> bool:
    """Whether every one of ``parts`` divides ``whole``."""
    return all(part > 0 and whole % part == 0 for part in parts)


def multiples(values: Iterable[int], step: int) -> bool:
    """Whether every one of ``values`` is a multiple of ``step``."""
    return all(value % step == 0 for value in values)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": min, "max": max, "len": len, "abs": abs, "sum": sum,
    "is_power_of_two": is_power_of_two, "ceil_to": ceil_to, "within": within, "divides": divides,
    "multiples": multiples,
}  # fmt: skip


def _of_numbers(apply: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """``apply`` of numbers alone: a text or list times a large number would fill the memory."""

    def run(left: Any, right: Any) -> Any:
        if not (isinstance(left, (int, float)) and isinstance(right, (int, float))):
            raise TypeError(f"arithmetic on {left!r} and {right!r}")
        return apply(left, right)

    return run


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: _of_numbers(operator.add), ast.Sub: _of_numbers(operator.sub), ast.Mult: _of_numbers(operator.mul),
    ast.Div: _of_numbers(operator.truediv), ast.FloorDiv: _of_numbers(operator.floordiv),
    ast.Mod: _of_numbers(operator.mod),
}  # fmt: skip
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip


class Expression:
    """A compiled expression: call it with a mapping of parameters; ``run`` is the bare closure.

    Args:
        text: the source, e.g. ``"kernel_h * kernel_w <= 8192"``.
        known: the names it may use.

    Raises:
        ExpressionError: on a syntax error, an unknown name or function, or anything outside the language.

    >>> Expression("1 < a <= 3 and b in (1, 2)", {"a", "b"})({"a": 3, "b": 2})
    True
    """

    __slots__ = ("names", "run", "text")

    def __init__(self, text: str, known: Iterable[str]) -> None:
        self.text = text
        tree = _parse(text)
        self.run = _compile(tree)
        called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
        self.names = frozenset(n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in called)
        if stray := self.names - set(known):
            raise ExpressionError(f"unknown name {min(stray)!r} in {text!r}{_nearest(min(stray), known)}")

    def __call__(self, env: Env) -> Any:
        """The value; a name missing in ``env`` raises what ``env`` raises."""
        return self.run(env)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


def _parse(text: str) -> ast.expr:
    if len(text) > LONGEST:
        raise ExpressionError(f"expression of {len(text)} characters, at most {LONGEST}")
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ExpressionError(f"{text!r} is no expression ({reason})") from error
    level: list[ast.AST] = [tree]
    for _ in range(DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    if level:
        raise ExpressionError(f"{text!r} is nested more than {DEEPEST} deep")
    return tree


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3)
    return f", did you mean {', '.join(near)}?" if near else ""


def _compile(node: ast.expr) -> Closure:
    builder = _BUILDERS.get(type(node))
    if builder is None:
        raise ExpressionError(f"{type(node).__name__} is not allowed in {ast.unparse(node)!r}")
    return builder(node)


def _constant(node: ast.Constant) -> Closure:
    value = node.value
    if not isinstance(value, (int, float, str)):
        raise ExpressionError(f"constant {value!r} is not allowed")
    return lambda _env: value


def _name(node: ast.Name) -> Closure:
    return operator.itemgetter(node.id)


def _sequence(node: ast.Tuple | ast.List) -> Closure:
    items = [_compile(item) for item in node.elts]
    return lambda env: tuple(item(env) for item in items)


def _unary(node: ast.UnaryOp) -> Closure:
    run = _compile(node.operand)
    if isinstance(node.op, ast.Not):
        return lambda env: not run(env)
    if isinstance(node.op, ast.USub):
        return lambda env: -run(env)
    raise ExpressionError(f"operator {type(node.op).__name__} is not allowed")


def _binary(node: ast.BinOp) -> Closure:
    apply, left, right = _BINARY.get(type(node.op)), _compile(node.left), _compile(node.right)
    if apply is None:
        raise ExpressionError(f"operator {type(node.op).__name__} is not allowed in {ast.unparse(node)!r}")
    return lambda env: apply(left(env), right(env))


def _boolean(node: ast.BoolOp) -> Closure:
    parts = [_compile(part) for part in node.values]
    if len(parts) == 2:
        left, right = parts
        if isinstance(node.op, ast.And):
            return lambda env: left(env) and right(env)
        return lambda env: left(env) or right(env)
    if isinstance(node.op, ast.And):
        return lambda env: all(part(env) for part in parts)
    return lambda env: any(part(env) for part in parts)


def _compare(node: ast.Compare) -> Closure:
    terms = [_compile(term) for term in (node.left, *node.comparators)]
    tests = [_COMPARE.get(type(test)) for test in node.ops]
    if None in tests:
        raise ExpressionError(f"comparison not allowed in {ast.unparse(node)!r}")
    if len(tests) == 1:
        left, right, only = terms[0], terms[1], tests[0]
        return lambda env: only(left(env), right(env))  # type: ignore[misc]

    def run(env: Env) -> bool:
        values = [term(env) for term in terms]
        return all(test(a, b) for test, a, b in zip(tests, values, values[1:], strict=False))  # type: ignore[misc]

    return run


def _call(node: ast.Call) -> Closure:
    name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
    apply, arguments = FUNCTIONS.get(name), [_compile(argument) for argument in node.args]
    if apply is None or node.keywords:
        raise ExpressionError(f"unknown function {name!r} (known: {', '.join(sorted(FUNCTIONS))})")
    try:
        inspect.signature(apply).bind(*arguments)
    except TypeError as error:
        raise ExpressionError(f"{ast.unparse(node)!r}: {error}") from error
    except ValueError:  # min and max have no signature
        pass
    return lambda env: apply(*(argument(env) for argument in arguments))


def _subscript(node: ast.Subscript) -> Closure:
    value = _compile(node.value)
    if isinstance(node.slice, ast.Slice):
        low, high = (None if end is None else _compile(end) for end in (node.slice.lower, node.slice.upper))
        return lambda env: value(env)[low and low(env) : high and high(env)]
    index = _compile(node.slice)
    return lambda env: value(env)[index(env)]


_BUILDERS: dict[type[ast.expr], Callable[[Any], Closure]] = {
    ast.Constant: _constant, ast.Name: _name, ast.Tuple: _sequence, ast.List: _sequence, ast.UnaryOp: _unary,
    ast.BinOp: _binary, ast.BoolOp: _boolean, ast.Compare: _compare, ast.Call: _call, ast.Subscript: _subscript,
}  # fmt: skip
