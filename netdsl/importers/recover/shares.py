"""Shares of stochastic depth that grow from unit to unit: `0.1 * i / 17` in place of a number."""

from __future__ import annotations

from collections.abc import Iterable

from netdsl.importers.program import Program

LEAST = 3
"""So many shares must lie on one line."""


class Share(float):
    """The number `total * step / steps`."""

    step: int
    total: float
    steps: int

    def __repr__(self) -> str:
        return self.text(str(self.step))

    def text(self, step: str) -> str:
        """The number as it is written, at a step."""
        return f"{self.total!r} * {step} / {self.steps}"


def shares_of(program: Program) -> dict[float, Share]:
    """The shares of all units that are dropped, if they grow evenly from 0."""
    drops = (call.settings.get("p") for call in program.root.calls() if call.layer == "drop_path")
    numbers = sorted({p for p in drops if type(p) is float and p > 0.0})
    if len(numbers) < LEAST:
        return {}
    for last in range(len(numbers), 3 * len(numbers) + 1):
        for steps in range(last, last + 4):
            total = round(numbers[-1] * steps / last, 6)
            shares = dict(_on_line(total, steps, range(steps + 1)))
            if all(number in shares for number in numbers):
                return shares
    return {}


def _on_line(total: float, steps: int, taken: Iterable[int]) -> Iterable[tuple[float, Share]]:
    for step in taken:
        share = Share(total * step / steps)
        share.step, share.total, share.steps = step, total, steps
        yield float(share), share
