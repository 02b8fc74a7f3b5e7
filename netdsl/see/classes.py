"""Classes of a network, by name or number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netdsl.elaborate.suggest import asked, near
from netdsl.ops.facts import Scores
from netdsl.see.errors import SeeError

if TYPE_CHECKING:
    from torch import Tensor

SHARES = (Scores.SHARES, Scores.SEPARATE)
"""Numbers that are probabilities as they are."""


class Classes:
    """The names of the numbers of an output; without names they are called by their number.

    Raises `SeeError` where there are more or fewer names than numbers.
    """

    def __init__(self, count: int, names: Sequence[str] = ()) -> None:
        if names and len(names) != count:
            raise SeeError(f"there are {len(names)} names, and the network has {count} classes")
        self.count, self.names = count, names

    def name(self, number: int) -> str:
        return self.names[number] if self.names else f"class {number}"

    def number(self, text: str) -> int:
        """The class of a name, or of a number. Raises `SeeError`."""
        same = [n for n, name in enumerate(self.names) if name.lower() == text.lower()]
        if len(same) == 1:
            return same[0]
        if text.isascii() and text.isdigit() and len(text) < 10:
            if int(text) < self.count:
                return int(text)
            raise SeeError(f"there is no class {text}: they go from 0 to {self.count - 1}")
        help = asked(near(text, self.names)) or (
            "give a number, or `--labels` with their names" if not self.names else ""
        )
        raise SeeError(f"no class is called `{text}`; {help or 'give its number'}")

    def best(self, scores: Tensor) -> int:
        """The class with the largest score, of `[1, classes]`."""
        return int(scores.reshape(-1).argmax())


def shares_of(scores: Tensor, kind: Scores | None) -> Tensor:
    """The probability of each class, by what the last layer says that its numbers are.

    Where it says nothing they are taken for logits.
    """
    if kind in SHARES:
        return scores
    return scores.exp() if kind is Scores.LOGARITHMS else scores.softmax(dim=0)
