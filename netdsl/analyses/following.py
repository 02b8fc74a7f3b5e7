"""Sizes of outputs that follow the size of an input: as a multiple of it, rounded down."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from netdsl.ir.condition import Truth, equal
from netdsl.ir.dim import Size, evaluate, floor_div, symbol
from netdsl.ir.graph import Graph, Node, Value
from netdsl.ir.periodic import TooLong, members, slope
from netdsl.ir.solver import Domain, Verdict
from netdsl.ops.base import UNKNOWN, op_of
from netdsl.ops.tables import types_of

MOST_TRIED = 10_000
"""Sizes that are looked at for what is added; that it is right is then proved."""


@dataclass(frozen=True, slots=True)
class Followed:
    """That a size is `floor((p*n + added) / q)` for a ratio p/q, at all n that a network takes.

    Where it is not `is_exact` it is never more, and less at some sizes.
    """

    ratio: Fraction
    added: int
    is_exact: bool

    def at(self, size: Size) -> Size:
        """The multiple of a size."""
        return floor_div(size * self.ratio.numerator + self.added, self.ratio.denominator)


def followed(size: Size, name: str, contract: Truth) -> Followed | None:
    """How a size of one symbol follows it at the sizes of a contract; None: not, or not known.

    Of several numbers that may be added, it is the one with which the cells cover all of the image:
    `ceil(p*n / q)`; else the one next to that.
    """
    ratio = slope(size)
    if ratio is None or ratio <= 0:
        return None
    p, q = ratio.numerator, ratio.denominator
    try:
        taken = members(name, contract)
    except TooLong:
        return None
    last = min(taken.start + max(taken.period, 4 * q, 64), MOST_TRIED)
    points = [n for n in range(1, last + taken.period) if n in taken][:MOST_TRIED]
    rests = [q * evaluate(size, {name: n}) - p * n for n in points]
    if not rests:
        return None
    least, most = max(rests), min(rests) + q - 1
    domain, own = Domain((name,), contract), symbol(name)
    is_exact = least <= most
    follows = Followed(ratio, min(max(q - 1, least), most) if is_exact else least, is_exact)
    says = equal(size, follows.at(own)) if is_exact else size <= follows.at(own)
    return follows if domain.decide(says) is Verdict.PROVED else None


def moved_axes(graph: Graph) -> set[tuple[Value, int]]:
    """Axes along which the cells added to an image do not come last.

    Maps stand one behind the other, or a part was taken that begins somewhere else at each size.
    """
    moved: set[tuple[Value, int]] = set()
    for node in graph.nodes():
        inputs = [value for _, value in node.data_inputs()]
        for value in node.outputs:
            rank = value.type.rank
            for axis, origin in enumerate(op_of(node).axis_origins(*types_of(node))):
                before = [(one, axis if one.type.rank == rank else origin) for one in inputs[1:]]
                before += [(one, origin) for one in inputs[:1]]
                if _moves(node, axis, rank) or any(part in moved for part in before):
                    moved.add((value, axis))
    return moved


def _moves(node: Node, axis: int, rank: int) -> bool:
    """Whether the cells of an axis do not go on from where those of the input begin."""
    op, (inputs, outputs) = op_of(node), types_of(node)
    if op.joined_axis(rank) == axis:
        return len(node.data_inputs()) > 1
    if op.cut_axis(rank) == axis and len(outputs) > 1:
        return True
    takes_part = op.family == "size" or op.cut_axis(rank) == axis
    if axis == 0 or not takes_part or op.axis_origins(inputs, outputs) != tuple(range(rank)):
        return False
    windows = op.windows(inputs, outputs)
    return windows is not None and len(windows) == rank - 1 and windows[axis - 1] == UNKNOWN
