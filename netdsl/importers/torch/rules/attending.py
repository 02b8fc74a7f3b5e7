"""Contractions by Einstein's notation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdsl.importers.torch.lows import Low, Refusal
from netdsl.importers.torch.rules.rule import RULES, rule

if TYPE_CHECKING:
    from netdsl.importers.torch.builder import Builder


@rule("einsum")
def einsum(to: Builder, equation: str, *operands: Any) -> Low:
    """Products of two tensors that are a product of matrices."""
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    text = equation.replace(" ", "")
    if "->" not in text or "." in text or len(operands) != 2:
        raise Refusal(f"`{equation}` has no word in the language", "write it with `matmul`")
    sides, target = text.split("->")
    left, right = sides.split(",")
    return _product(to, equation, left, right, target, [to.plain(one) for one in operands])


def _product(
    to: Builder, equation: str, left: str, right: str, target: str, lows: list[Low]
) -> Low:
    """Axes in all lead; those of one operand alone are rows and columns; others are summed.

    Where the second is a table, further axes of the first lie in front.
    """
    shared = [one for one in target if one in left and one in right]
    rows = [one for one in target if one in left and one not in right]
    columns = [one for one in target if one in right and one not in left]
    summed = [one for one in left if one in right and one not in target]
    whole = set(left) | set(right)
    is_spread = lows[1].is_table and len(rows) > 1
    front = rows[:-1] if is_spread else []
    rows = rows[len(front) :]
    count = len(front) + len(shared) + 3
    if len(rows) != 1 or len(columns) != 1 or len(summed) != 1 or len(whole) != count:
        raise Refusal(f"`{equation}` is no product of matrices", "write it with `matmul`")
    permute = RULES["permute"]
    first = permute(to, lows[0], [left.index(one) for one in [*front, *shared, *rows, *summed]])
    second = permute(to, lows[1], [right.index(one) for one in [*shared, *summed, *columns]])
    product = RULES["matmul"](to, first, second)
    order = [*front, *shared, *rows, *columns]
    return permute(to, product, [order.index(one) for one in target])
