"""The number of classes, where the source calls it so: a parameter of the net."""

from __future__ import annotations

from collections.abc import Container, Iterator

from netdsl.importers.program import Call, Path, Program, Region, Value
from netdsl.importers.recover.weights import has_weights

NAME = "classes"
"""What the parameter is called."""
NAMES = ("num_classes", "n_classes", "classes", "nc")
"""What sources call the number of classes, in the arguments of a constructor or in a file."""
WIDTHS = ("features", "channels")
"""Parameters of layers that say how many numbers come out."""


class Classes(int):
    """The number of classes: a number that is written as the parameter."""

    __slots__ = ()

    def __repr__(self) -> str:
        return NAME


def name_classes(program: Program) -> None:
    """Mark the number of classes in the last layers before the outputs.

    It is one where the network, or a module around the layer, has it by one of `NAMES`. Where
    these say different numbers, another last layer has the number without the name, or the name
    is not free, nothing is marked.
    """
    last = {call.path: call for one in program.outputs for call in _last(program, one.value)}
    widths = dict(_named(program.root, last, ()))
    numbers = {width for _, width in widths.values()}
    paths = {part for call in program.root.calls() for part in call.path}
    names = {one.name for one in (*program.inputs, *program.outputs)} | paths
    others = [call for path, call in last.items() if path not in widths]
    if len(numbers) != 1 or NAME in names or any(numbers & _widths(call) for call in others):
        return
    program.classes = numbers.pop()
    for call in program.root.calls():
        if call.path in widths:
            call.settings[widths[call.path][0]] = Classes(program.classes)


def _widths(call: Call) -> set[int]:
    values = [call.settings.get(name) for name in WIDTHS]
    return {value for value in values if isinstance(value, int)}


def _last(program: Program, value: Value) -> Iterator[Call]:
    """The layers with weights that a value comes from by layers without."""
    producers = {result: call for call in program.root.calls() for result in call.outputs}
    waiting, visited = [value], set[Value]()
    while waiting:
        one = waiting.pop()
        call = producers.get(one)
        if one in visited or call is None:
            continue
        visited.add(one)
        if has_weights(call):
            yield call
        else:
            waiting += call.inputs


def _named(
    region: Region, last: Container[Path], counts: tuple[int, ...]
) -> Iterator[tuple[Path, tuple[str, int]]]:
    """The last layers whose width is a number of classes, with the parameter that says it."""
    own = [region.settings.get(name) for name in NAMES]
    counts += tuple(count for count in own if type(count) is int)
    for item in region.items:
        if isinstance(item, Region):
            yield from _named(item, last, counts)
        elif isinstance(item, Call) and item.path in last:
            for name in WIDTHS:
                width = item.settings.get(name)
                if type(width) is int and width in counts:
                    yield item.path, (name, width)
