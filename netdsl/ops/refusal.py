"""How a layer says that something can't be."""

from __future__ import annotations


class Refusal(Exception):
    """A stage that no size makes legal; `at` names the field or input at fault (`in`, `in[1]`)."""

    def __init__(
        self, at: str, message: str, *, code: str, notes: tuple[str, ...], help: str
    ) -> None:
        super().__init__(message)
        self.at, self.message, self.code, self.notes, self.help = at, message, code, notes, help
