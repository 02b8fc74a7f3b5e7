"""Several runs of a module as one: what is the same in all, and the numbers that vary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from netdsl.importers.torch.events import (
    Constant,
    Frame,
    Line,
    Op,
    Run,
    Sized,
    Varies,
    is_same,
)
from netdsl.importers.torch.sized import Comparison, Expression, Of, axes, known


class Differ(Exception):
    """Runs that are not alike; `lines` are where."""

    def __init__(self, message: str, *lines: Line) -> None:
        super().__init__(message)
        self.lines = lines


@dataclass(eq=False, slots=True)
class Agreed:
    """Runs at several sizes as one.

    The last run alone has another batch, so that its axis is known in every value.
    """

    frame: Frame
    inputs: dict[str, int]
    shapes: list[list[tuple[int, ...]]]
    dtypes: list[str]
    comparisons: list[Comparison]
    reads: list[Line] = field(default_factory=list[Line])
    gradients: dict[str, Line] = field(default_factory=dict[str, Line])

    def sizes(self, of: Of) -> tuple[int, ...]:
        """The sizes of an axis in all runs."""
        return tuple(shapes[of.value][of.axis] for shapes in self.shapes)

    def constant(self, of: Of) -> int | None:
        """The size of an axis where it is the same in all runs."""
        first, *others = self.sizes(of)
        return first if all(one == first for one in others) else None

    def batch_axis(self, value: int) -> int | None:
        """The axis of a value that the batch is in; None where there is none."""
        if len(self.shapes) == 1:
            return 0
        one, other = self.shapes[0][value], self.shapes[-1][value]
        places = [axis for axis, size in enumerate(one) if size != other[axis]]
        if len(places) > 1:
            raise Differ(f"the batch is in {len(places)} axes of one value")
        return places[0] if places else None


def agreed(runs: Sequence[Run]) -> Agreed:
    """Runs that called the same, as one. Raises `Differ`."""
    first = runs[0]
    shapes = [one.shapes for one in runs]
    for one in runs[1:]:
        if len(one.shapes) != len(first.shapes) or one.inputs != first.inputs:
            frames = [run.frame for run in runs]
            _frames(Agreed(first.frame, {}, shapes, [], []), frames)
            raise Differ("the module makes another number of values at other sizes")
    result = Agreed(first.frame, first.inputs, shapes, first.dtypes, [])
    ranks = [[len(shape) for shape in one.shapes] for one in runs]
    if any(one != ranks[0] for one in ranks):
        raise Differ("the module makes values with another number of axes at other sizes")
    result.frame = _frames(result, [one.frame for one in runs])
    result.comparisons = _comparisons(result, runs)
    result.reads = first.reads
    result.gradients = first.gradients
    return result


def _frames(known_as: Agreed, frames: Sequence[Frame]) -> Frame:
    first = frames[0]
    arguments = _merged(known_as, [one.arguments for one in frames], first.line)
    merged = Frame(first.path, first.line, arguments, number=first.number)
    for number in range(max(len(one.items) for one in frames)):
        items = [one.items[number] if number < len(one.items) else None for one in frames]
        merged.items.append(_items(known_as, items, first))
    merged.results = _merged(known_as, [one.results for one in frames], first.line)
    return merged


def _items(known_as: Agreed, items: Sequence[Op | Frame | None], around: Frame) -> Op | Frame:
    first = items[0]
    for one in items[1:]:
        if _key(one) != _key(first):
            lines = [part.line if part else around.line for part in (first, one)]
            raise Differ(
                f"the module calls {_named(first)} at one size, {_named(one)} at another", *lines
            )
    if isinstance(first, Frame):
        return _frames(known_as, cast("list[Frame]", items))
    ops = cast("list[Op]", items)
    op = ops[0]
    return Op(
        op.name,
        _merged(known_as, [one.arguments for one in ops], op.line),
        _merged(known_as, [one.keywords for one in ops], op.line),
        _merged(known_as, [one.results for one in ops], op.line),
        op.line,
        op.module,
        op.outputs,
        function=op.function,
    )


def _key(item: Op | Frame | None) -> object:
    if item is None:
        return None
    return (item.name, item.module, item.outputs) if isinstance(item, Op) else item.path


def _named(item: Op | Frame | None) -> str:
    if item is None:
        return "nothing"
    return f"`{item.name}`" if isinstance(item, Op) else f"`{item.path}`"


def _merged(known_as: Agreed, things: Sequence[Any], line: Line) -> Any:
    first = things[0]
    if any(type(one) is not type(first) for one in things):
        if all(isinstance(one, int | float | Sized) for one in things):
            return _number(known_as, things, line)
        raise Differ("an argument is of another kind at another size", line)
    if isinstance(first, tuple | list):
        if any(len(one) != len(first) for one in things):
            raise Differ("an argument has another length at another size", line)
        parts = [_merged(known_as, one, line) for one in zip(*things, strict=True)]
        if isinstance(first, list):
            return parts
        return type(first)(*parts) if hasattr(first, "_fields") else tuple(parts)
    if isinstance(first, dict):
        if any(one.keys() != first.keys() for one in things):
            raise Differ("an argument has other keys at another size", line)
        return {key: _merged(known_as, [one[key] for one in things], line) for key in first}
    if isinstance(first, slice):
        ends = [[one.start, one.stop, one.step] for one in things]
        return slice(*_merged(known_as, ends, line))
    if isinstance(first, int | float | Sized) and not isinstance(first, bool):
        return _number(known_as, things, line)
    if not isinstance(first, Constant) and any(one != first for one in things):
        raise Differ("an argument is another one at another size", line)
    return first


def _number(known_as: Agreed, things: Sequence[Any], line: Line) -> Any:
    numbers = tuple(one.number if isinstance(one, Sized) else one for one in things)
    source = _source(known_as, things)
    if source is not None and not isinstance(source, int | float):
        return Varies(numbers, source)
    if all(is_same(one, numbers[0]) for one in numbers):
        return numbers[0]
    return Varies(numbers, None)


def _source(known_as: Agreed, things: Sequence[Any]) -> Expression | None:
    """What a number comes from in all runs; a number where the sizes it comes from are fixed."""
    sources = {one.source for one in things if isinstance(one, Sized)}
    if len(sources) != 1 or not all(isinstance(one, Sized) for one in things):
        return None
    return known(sources.pop(), known_as.constant)


def _comparisons(result: Agreed, runs: Sequence[Run]) -> list[Comparison]:
    """The comparisons of open sizes. Each has the same outcome in all runs, else they differed."""
    open_ones: list[Comparison] = []
    for one in {(c.left, c.operator, c.right): c for c in runs[0].comparisons}.values():
        left, right = known(one.left, result.constant), known(one.right, result.constant)
        if left != right and any((*axes(left), *axes(right))):
            open_ones.append(Comparison(left, one.operator, right, one.outcome, one.place))
    return open_ones
