"""Claims about a picture, such as ``mean(x[40:60,10:30]) > 0.5``: a small grammar, read not run.

    claim       comparisons of numbers, joined by and, or, not
    number      constants, + - * /, parentheses, functions of a region
    function    mean, median, min, max, sum, std, of a region
    region      x, x[rows, columns], x[channel, rows, columns]: an index, or first:last in pixels

A claim that is no comparison is a number; its mean and deviation over the posterior are told.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ipx.errors import OptionError

Number = Callable[[Tensor], Tensor]
"""``(B, C, H, W)`` to ``(B,)``."""

FUNCTIONS: dict[str, Number] = {
    "mean": lambda r: r.mean(1),
    "median": lambda r: r.median(1).values,
    "min": lambda r: r.amin(1),
    "max": lambda r: r.amax(1),
    "sum": lambda r: r.sum(1),
    "std": lambda r: r.std(1),
}

_ARITHMETIC: dict[type, Any] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip
_COMPARISONS: dict[type, Any] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip


def claims(text: str | None) -> dict[str, Number]:
    """The claims of a text, separated by semicolons, by their wording.

    Raises:
        OptionError: one of them cannot be read; says what and what may be written.
    """
    parts = [part.strip() for part in (text or "").split(";")]
    return {part: claim(part) for part in parts if part}


def is_probability(text: str) -> bool:
    """True for a claim that holds or not, whose mean is a probability."""
    node = _parsed(text)
    return isinstance(node, ast.Compare | ast.BoolOp) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    )


def claim(text: str) -> Number:
    """A claim as a function of pictures: 1 where it holds, else 0; or the value of a number."""
    return _Reader(text).read(_parsed(text))


def _parsed(text: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise OptionError(f"claim {text!r} cannot be read; {_EXAMPLE}") from None


_EXAMPLE = "write it as in 'mean(x[40:60,10:30]) > 0.5'"


class _Reader:
    """Makes functions of the nodes of an expression."""

    def __init__(self, text: str) -> None:
        self.text = text

    def read(self, node: ast.AST) -> Number:
        """The function of a claim or a number."""
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            value = float(ast.unparse(node))
            return lambda x: x.new_full((len(x),), value)
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            combine = _ARITHMETIC[type(node.op)]
            left, right = self.read(node.left), self.read(node.right)
            return lambda x: combine(left(x), right(x))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            inner = self.read(node.operand)
            return lambda x: -inner(x)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self.read(node.operand)
            return lambda x: 1 - inner(x)
        if isinstance(node, ast.BoolOp):
            parts = [self.read(v) for v in node.values]
            join = torch.amin if isinstance(node.op, ast.And) else torch.amax
            return lambda x: join(torch.stack([p(x) for p in parts]), 0)
        if isinstance(node, ast.Compare):
            return self._compared(node)
        if isinstance(node, ast.Call):
            return self._called(node)
        raise self._refused(f"{ast.unparse(node)!r} is not allowed")

    def _compared(self, node: ast.Compare) -> Number:
        if not all(type(op) in _COMPARISONS for op in node.ops):
            raise self._refused("numbers are compared by < <= > >=")
        terms = [self.read(t) for t in (node.left, *node.comparators)]
        tests = [_COMPARISONS[type(op)] for op in node.ops]

        def holds(x: Tensor) -> Tensor:
            values = [t(x) for t in terms]
            pairs = zip(tests, values[:-1], values[1:], strict=True)
            return torch.stack([test(a, b) for test, a, b in pairs]).all(0).to(x.dtype)

        return holds

    def _called(self, node: ast.Call) -> Number:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS or len(node.args) != 1 or node.keywords:
            raise self._refused(f"functions are {', '.join(FUNCTIONS)}, each of one region")
        function, region = FUNCTIONS[name], self._region(node.args[0])
        return lambda x: function(region(x).flatten(1))

    def _region(self, node: ast.AST) -> Number:
        if isinstance(node, ast.Name) and node.id == "x":
            return lambda x: x
        if not (
            isinstance(node, ast.Subscript)
            and isinstance(node.value, ast.Name)
            and node.value.id == "x"
        ):
            raise self._refused("a region is x, x[rows, columns] or x[channel, rows, columns]")
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if len(inner) not in (2, 3):
            raise self._refused("a region is x, x[rows, columns] or x[channel, rows, columns]")
        index = tuple(self._slice(n) for n in inner)

        def part(x: Tensor) -> Tensor:
            found = x[(slice(None), *([slice(None)] if len(index) == 2 else []), *index)]
            if found.numel() == 0:
                raise self._refused(f"the region is empty in a picture of {tuple(x.shape[1:])}")
            return found

        return part

    def _slice(self, node: ast.AST) -> slice:
        if isinstance(node, ast.Slice) and node.step is None:
            return slice(self._whole(node.lower), self._whole(node.upper))
        first = self._whole(node)
        return slice(first, None if first == -1 or first is None else first + 1)

    def _whole(self, node: ast.AST | None) -> int | None:
        if node is None:
            return None
        sign = -1 if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else 1
        node = node.operand if isinstance(node, ast.UnaryOp) and sign < 0 else node
        if isinstance(node, ast.Constant) and type(node.value) is int:
            return sign * node.value
        raise self._refused("indices are whole numbers")

    def _refused(self, why: str) -> OptionError:
        return OptionError(f"claim {self.text!r}: {why}; {_EXAMPLE}")
