"""What is known of a receptive field along one axis: its rule, and what places see at most."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

Ends: TypeAlias = "tuple[int, int] | None"
"""First and last cell that is seen; None: none is."""


@dataclass(frozen=True, slots=True)
class Axis:
    """What positions see along one axis, away from the borders: cells may lie outside of the map.

    `ends[i]` are the first and last cell that position i sees, for one period; a period further
    on they lie `shift` cells further. Without layers that enlarge, the period is 1. With
    `is_loose` less may be seen; with `wraps` positions at a border see the other one, too; with
    `is_mixed` single channels see less than all together.
    """

    ends: tuple[Ends, ...]
    shift: int
    is_loose: bool = False
    wraps: bool = False
    is_mixed: bool = False

    @property
    def size(self) -> int:
        """Cells that a position sees, the most of any."""
        return max((last - first + 1 for first, last in filter(None, self.ends)), default=0)

    @property
    def stride(self) -> Fraction:
        """Cells of the input for one step here (the jump); below 1 where the map is enlarged."""
        return Fraction(self.shift, len(self.ends))

    @property
    def start(self) -> int:
        """The first cell that position 0 sees; below 0 in the padding."""
        return next(ends[0] for ends in self.ends if ends is not None) if any(self.ends) else 0

    def at(self, position: int) -> Ends:
        """The first and last cell that a position sees."""
        turns, place = divmod(position, len(self.ends))
        ends = self.ends[place]
        return (
            None if ends is None else (ends[0] + turns * self.shift, ends[1] + turns * self.shift)
        )


@dataclass(frozen=True, slots=True)
class Reach:
    """What one position of a value sees along an axis of an input, at most.

    `size` is from the first cell to the last, the most of all positions; cells beyond a border
    are none. Of open sizes it is what holds from some size on; None: it depends on the sizes.
    With `is_bound` it is an upper bound. `rule` tells what positions away from the borders see
    and by how much they move, where all move alike.
    """

    size: int | None
    rule: Axis | None
    is_bound: bool = False

    @property
    def stride(self) -> Fraction | None:
        """Cells of the input for one step here; None where they differ."""
        return self.rule and self.rule.stride

    @property
    def start(self) -> int | None:
        """The first cell that position 0 sees, by the rule; below 0 in the padding."""
        return self.rule and self.rule.start

    @property
    def unclipped(self) -> int | None:
        """The size away from the borders, where that is known to be another."""
        is_sure = self.rule is not None and not self.rule.is_loose and self.size is not None
        return self.rule.size if is_sure and self.rule and self.rule.size != self.size else None


Rule: TypeAlias = "Axis | None | Literal['unknown', 'bins']"
"""What is known of open sizes. None: all of the axis; `unknown`: a part that follows no rule;
`bins`: the same, and all positions together see all of it."""
Field: TypeAlias = "tuple[Reach | None, ...]"
"""An axis each. None: all of that axis."""
