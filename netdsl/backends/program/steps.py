"""Open sizes as `torch.export` takes them: each by itself, from a least one on in equal steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from netdsl.analyses.describe import describe, pattern
from netdsl.analyses.sizes import Sizes
from netdsl.backends.onnx.options import ExportError
from netdsl.ir.periodic import Members
from netdsl.ir.solver import Group, groups

Point = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Steps:
    """`first`, `first + step`, ... up to `last`; None where there is no end."""

    first: int
    step: int = 1
    last: int | None = None

    @property
    def is_fixed(self) -> bool:
        return self.first == self.last

    def near(self, wanted: int) -> int:
        """The size of these that is nearest to a wanted one."""
        size = self.first + max(0, round((wanted - self.first) / self.step)) * self.step
        return size if self.last is None else min(size, self.last)


def steps_of(sizes: Sizes, least: Point, most: Point) -> dict[str, Steps]:
    """The sizes of each symbol within bounds. Raises `ExportError` where they are no such steps."""
    found: dict[str, Steps] = {}
    for group in groups(sizes.symbols, sizes.condition):
        counted = group.counted()
        if counted is None:
            raise ExportError(_refusal(group, "takes each size by itself", "== 224"))
        (name,) = group.symbols
        found[name] = _steps(group, counted, least.get(name, 1), most.get(name))
    return {name: found[name] for name in sizes.symbols}


def _steps(group: Group, counted: Members, low: int, high: int | None) -> Steps:
    if high is None:
        steps = _without_end(counted, low)
    else:
        steps = _equal([n for n in range(low, high + 1) if n in counted], group, low, high)
    if steps is None:
        _, _, period, residues = pattern(counted)
        some = f"% {period} == {min(residues)}" if residues else f"== {counted.least}"
        raise ExportError(_refusal(group, "takes sizes in equal steps alone", some))
    return steps


def _without_end(counted: Members, low: int) -> Steps | None:
    """From `low` on; None where the steps are not equal."""
    extra, _, period, residues = pattern(counted)
    if not residues:
        return _in_a_row([n for n in extra if n >= low])
    first = counted.above(low)
    if first is None or len(residues) > 1 or any(n >= low for n in extra):
        return None
    return Steps(first, period)


def _equal(numbers: Sequence[int], group: Group, low: int, high: int) -> Steps | None:
    if not numbers:
        words = describe(group.symbols, group.condition).text
        raise ExportError(f"no size from {low} to {high} is accepted: {words}")
    return _in_a_row(numbers)


def _in_a_row(numbers: Sequence[int]) -> Steps | None:
    steps = {b - a for a, b in pairwise(numbers)}
    if not numbers or len(steps) > 1:
        return None
    return Steps(numbers[0], next(iter(steps), 1), numbers[-1])


def _refusal(group: Group, why: str, some: str) -> str:
    words = describe(group.symbols, group.condition).text
    names = ", ".join(group.symbols)
    return (
        f"torch.export {why}, and refuses this contract: {words}\n"
        f"A `where` in the file (`where {group.symbols[0]} {some}`) or --min and --max choose some "
        f"of the sizes of {names}; --size fixes them"
    )
