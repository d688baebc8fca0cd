"""What a filter of samples says: comparisons of columns, parsed and never evaluated as code, or a function."""

import ast
import operator
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import pairwise
from typing import Any, TypeAlias

from walloc_data.errors import DatasetError

__all__ = ["Fields", "Where", "parse_where"]

Fields: TypeAlias = Mapping[str, Any]
_Value: TypeAlias = Callable[[Fields], Any]
_LONGEST = 10_000  # characters
_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, other: one in other,
    ast.NotIn: lambda one, other: one not in other,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}
_OF_NOTHING = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn)  # that hold of no missing value


class _Columns(dict[str, Any]):
    """The columns of a sample, for a function of them."""

    def __missing__(self, name: str) -> Any:
        raise DatasetError(f"where: no column {name}: there are {', '.join(sorted(self))}")


class Where:
    """Whether a sample is wanted, by its fields. `compared` are the columns that this takes, with the constants that
    each is compared with; None: all columns there are."""

    def __init__(self, said: str, compared: Mapping[str, list[Any]] | None, holds: Callable[[Fields], Any]) -> None:
        self.said, self.compared, self._holds = said, compared, holds
        self.names = None if compared is None else set(compared)

    def __call__(self, fields: Fields) -> bool:
        """Raises `DatasetError` for values that cannot be compared as asked."""
        if self.names is None:
            return bool(self._holds(_Columns(fields)))
        try:
            return bool(self._holds(fields))
        except (TypeError, ValueError, LookupError) as error:
            values = ", ".join(f"{name}={fields.get(name)!r:.60}" for name in sorted(self.names))
            raise DatasetError(f"where={self.said!r} cannot be said of {values}: {error}") from error


def parse_where(where: str | Callable[[Fields], Any]) -> Where:
    """A function of a dict of a sample's fields; or comparisons of columns with numbers, texts and lists of them.

    Comparisons (`==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `not in`, `is None`), chained or not, are joined with `and`,
    `or` and `not`; `size[0]` is a part of a column. A missing value is None, of which `<` and `in` never hold. Raises
    `DatasetError` for anything else.

    >>> wanted = parse_where("label in (1, 5) and score > 0.5")
    >>> wanted({"label": 5, "score": 0.7}), wanted({"label": 5, "score": None})
    (True, False)
    """
    if callable(where):
        return Where(getattr(where, "__name__", repr(where)), None, where)
    if not isinstance(where, str) or len(where) > _LONGEST:
        raise DatasetError('where is an expression, such as "label in (1, 5)", or a function of a dict of columns')
    try:
        tree = ast.parse(where.strip(), mode="eval")
        compared: dict[str, list[Any]] = {}
        return Where(where, compared, _value(tree.body, compared))
    except (SyntaxError, RecursionError, MemoryError, ValueError) as error:
        what = f"{error.args[0]}" if isinstance(error, SyntaxError | ValueError) else "too deep"
        raise DatasetError(
            f"where={where!r:.200}: {what}; it takes comparisons of columns, 'label in (1, 5) and score > 0.5', and "
            "all else is a function of a dict of columns"
        ) from error


def _value(node: ast.expr, names: dict[str, list[Any]]) -> _Value:
    """What a part of an expression is of a sample. Raises `ValueError` for one that is not allowed."""
    if isinstance(node, ast.BoolOp):
        parts, whether = [_value(part, names) for part in node.values], all if isinstance(node.op, ast.And) else any
        return lambda fields: whether(part(fields) for part in parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _value(node.operand, names)
        return lambda fields: not inner(fields)
    if isinstance(node, ast.Compare):
        return _comparison(node, names)
    if isinstance(node, ast.Name):
        name = node.id
        names.setdefault(name, [])
        return lambda fields: fields.get(name)
    if isinstance(node, ast.Subscript):
        of, at = _value(node.value, names), _constant(node.slice)
        return lambda fields: None if (found := of(fields)) is None else found[at]
    constant = _constant(node)
    return lambda _: constant


def _comparison(node: ast.Compare, names: dict[str, list[Any]]) -> _Value:
    parts = (node.left, *node.comparators)
    values = [_value(part, names) for part in parts]
    for one, other in (*pairwise(parts), *pairwise(parts[::-1])):
        if isinstance(one, ast.Name):
            with suppress(ValueError):
                names[one.id].append(_constant(other))
    for op, *sides in zip(node.ops, parts, parts[1:], strict=False):
        if isinstance(op, ast.Is | ast.IsNot) and not any(_is_none(side) for side in sides):
            raise ValueError(f"{ast.unparse(node)!r} asks with `is` for another value than None: write == or !=")
    pairs = [(type(op) in _OF_NOTHING, _COMPARED[type(op)]) for op in node.ops]

    def holds(fields: Fields) -> bool:
        left = values[0](fields)
        for value, (needs, compared) in zip(values[1:], pairs, strict=True):
            right = value(fields)
            if (needs and (left is None or right is None)) or not compared(left, right):
                return False
            left = right
        return True

    return holds


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _constant(node: ast.expr) -> Any:
    """A number, a text, True, False or None, or a list of such."""
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError):
        raise ValueError(f"{ast.unparse(node)!r} is no column and no constant") from None
    return value
