"""What the results of recurrent layers read of their input and of the states they begin with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netdsl.ir.dim import Size, floor_div, minimum
from netdsl.ops.cells import Indices, Product, Reads, fixed

NONE: Indices = frozenset()


@dataclass(frozen=True, slots=True)
class Part:
    """States that are wanted: the `own` features of some `rows`, run through some `steps`.

    With `is_first` it is the first step: of a cell state each feature reads itself alone.
    """

    rows: Indices
    own: Indices
    steps: Indices
    is_first: bool


@dataclass(frozen=True, slots=True)
class Course:
    """States that run through `steps` of an input in `directions`, `layers` upon each other.

    A state reads all of its layer's state before it, and of the layers below all that has come.
    """

    steps: Size
    layers: int
    directions: int
    hidden: int

    @property
    def mixes(self) -> bool:
        """Whether each step meets all others: a layer that runs both ways lies below."""
        return self.directions > 1 and self.layers > 1

    # --- how many links there are

    def input_links(self, features: int, states: int) -> Size:
        """How many elements of the input the steps and so many results of last states read."""
        count = self.steps
        pairs = count * count if self.mixes else floor_div(count * (count + 1), 2)
        width = self.directions * self.hidden
        return (pairs * width + count * (states * self.layers * width)) * features

    def start_links(self, states: int, *, is_cell: bool) -> Size:
        """The same for the states that it begins with, of an LSTM's cells or of others."""
        count, hidden, width = self.steps, self.hidden, self.directions * self.hidden
        below = (self.layers - 1) * width
        own = (count - 1) * hidden + 1 if is_cell else count * hidden
        last = 1 + (hidden - 1) * minimum(1, count - 1) if is_cell else hidden
        layers_below = floor_div(self.layers * (self.layers - 1), 2)
        ends = last * (self.layers * width) + width * width * layers_below
        return (count * below + own) * width + ends * states

    # --- which they are

    def parts_of_steps(self, wanted: Product) -> list[Part]:
        """What elements of the result [T, directions * hidden] are made of, by direction."""
        times, features = wanted
        below = (self.layers - 1) * self.directions
        parts: list[Part] = []
        for direction in range(self.directions):
            first = direction * self.hidden
            own = frozenset(i - first for i in features if first <= i < first + self.hidden)
            row = frozenset((below + direction,)) if own else NONE
            (count,) = fixed((self.steps,))
            is_first = times == frozenset((count - 1 if direction else 0,))
            parts.append(Part(row, own, self._run(times, direction), is_first))
        return parts

    def _run(self, wanted: Indices, direction: int) -> Indices:
        """The steps up to some, or from them on."""
        (count,) = fixed((self.steps,))
        if self.mixes or not wanted:
            return frozenset(range(count if wanted else 0))
        return frozenset(range(min(wanted), count) if direction else range(max(wanted) + 1))

    def parts_of_states(self, wanted: Product) -> list[Part]:
        """What elements of a last state [layers * directions, hidden] are made of."""
        rows, own = wanted
        (count,) = fixed((self.steps,))
        return [Part(rows, own, frozenset(range(count)), count == 1)]

    def input_reads(self, parts: Sequence[Part], features: Indices) -> Reads:
        """The steps of input 0 that are read, with all features."""
        return [(0, (part.steps, features if part.rows else NONE)) for part in parts]

    def start_reads(self, index: int, parts: Sequence[Part], *, is_cell: bool) -> Reads:
        """What is read of input `index`, the states that it begins with."""
        every = frozenset(range(self.hidden))
        highest = max((row for part in parts for row in part.rows), default=0)
        below = frozenset(range(highest // self.directions * self.directions))
        pieces: Reads = [(index, (below, every))]
        for part in parts:
            seen = part.own if is_cell and part.is_first else every
            pieces.append((index, (part.rows, seen)))
        return pieces
