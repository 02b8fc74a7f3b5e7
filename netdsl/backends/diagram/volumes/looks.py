"""How large letters and forms of a picture of volumes are: as usual, or for a page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Looks:
    """Sizes in points. `most` is the width that the picture may have; None for any.

    `names` and `names_in_u` are the widths of a name's line, `half` that of a label's other
    lines. `grid` is the side of a map in a pyramid's panel, `joining` the room between the last
    of its grids and the vector, `tall` and `tall_in_u` are heights
    of the largest map to choose from, `widest` and `longest` the channels and the vectors.
    """

    name: float = 10.0
    soft: float = 8.0
    shape: float = 9.0
    says: float = 8.5
    names: float = 92.0
    names_in_u: float = 70.0
    half: float = 104.0
    has_counts: bool = True
    grid: float = 128.0
    grid_gap: float = 34.0
    joining: float = 96.0
    tall: tuple[float, ...] = (112.0, 128.0, 150.0, 176.0)
    tall_in_u: tuple[float, ...] = (112.0, 140.0, 176.0)
    widest: float = 66.0
    longest: float = 128.0
    most: float | None = None

    @property
    def inside(self) -> float:
        """The width without the margins that texts may have."""
        return self.most - 40.0 if self.most is not None else 10_000.0


USUAL = Looks()
LETTER = 8.0


def for_page(width: float, smallest: float) -> Looks:
    """Letters of one size and so narrow a picture that they are readable in print.

    What the shape tells already, the number of neurons, is left out.
    """
    return Looks(
        name=LETTER, shape=LETTER, says=LETTER, names=66.0, names_in_u=66.0, half=86.0,
        has_counts=False, grid=84.0, grid_gap=12.0, joining=52.0, tall=(84.0, 100.0, 120.0),
        tall_in_u=(84.0, 100.0, 120.0), widest=42.0, longest=100.0,
        most=width * LETTER / smallest - 0.5,
    )  # fmt: skip
