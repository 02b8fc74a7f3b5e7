"""What a shape rule says: what it requires of sizes, and what can't be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn

from netdsl.ir.condition import Truth
from netdsl.ir.graph import Needed


class Refusal(Exception):
    """A stage that no size makes legal; `at` names the field or input at fault (`in`, `in[1]`)."""

    def __init__(
        self, at: str, message: str, *, code: str, notes: tuple[str, ...], help: str
    ) -> None:
        super().__init__(message)
        self.at, self.message, self.code, self.notes, self.help = at, message, code, notes, help


@dataclass(slots=True)
class Rules:
    """Handed to a shape rule: it states what it requires and refuses what can't be."""

    needed: list[Needed] = field(default_factory=list[Needed])

    def require(
        self,
        truth: Truth,
        at: str,
        message: str,
        *,
        code: str = "shape-mismatch",
        notes: tuple[str, ...] = (),
        help: str = "",
        training_only: bool = False,
        unless_batch: int = 0,
    ) -> None:
        """Proved: nothing. Refuted: a `Refusal`. True for some sizes: into the size contract.

        `message` says what is required and why, with the values (`kernel 7 is larger than the
        padded height H + 2`). What only training needs refuses no network; with `unless_batch`,
        batches of that many samples do not need it.
        """
        if truth is True:
            return
        if truth is False and not training_only:
            raise Refusal(at, message, code=code, notes=notes, help=help)
        self.needed.append(Needed(truth, at, message, code, training_only, unless_batch, help))

    def refuse(
        self,
        at: str,
        message: str,
        *,
        code: str = "shape-mismatch",
        notes: tuple[str, ...] = (),
        help: str = "",
    ) -> NoReturn:
        """This can't be, whatever the sizes."""
        raise Refusal(at, message, code=code, notes=notes, help=help)
