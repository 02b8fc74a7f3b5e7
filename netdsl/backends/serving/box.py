"""The box of sizes that an engine is built for: the least, the usual and the largest ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from netdsl.analyses.sizes import Sizes, sizes_of
from netdsl.backends.onnx.builder import batch_name
from netdsl.backends.onnx.options import ExportError
from netdsl.ir.graph import Graph

Point = Mapping[str, int]

TYPICAL, LARGEST = 224, 640
BATCHES = (1, 4, 8)
"""Fewest, usual and most samples, unless the file fixes them."""
WORDS = ("min", "opt", "max")


class Wishes(NamedTuple):
    """Sizes that a person asks for, symbol by symbol; the batch goes by the name of its axis."""

    least: Point
    usual: Point
    most: Point


NO_WISHES = Wishes({}, {}, {})


@dataclass(frozen=True, slots=True)
class Corner:
    """Sizes that the network takes, and a number of samples."""

    sizes: Point
    samples: int


@dataclass(frozen=True, slots=True)
class Box:
    """All sizes between two corners, of which the usual ones are to be fast.

    An engine takes every size of its box; those that the contract refuses have to be kept from it.
    """

    least: Corner
    usual: Corner
    most: Corner

    @property
    def corners(self) -> tuple[Corner, Corner, Corner]:
        return self.least, self.usual, self.most

    def range_of(self, name: str) -> range:
        """The sizes of a symbol that lie in the box."""
        return range(self.least.sizes[name], self.most.sizes[name] + 1)


def box_of(graph: Graph, batch: int | None = None, wishes: Wishes = NO_WISHES) -> Box:
    """The box of a network's sizes, within its contract at all three corners.

    Without wishes the least size is the contract's smallest, or the nearest to 1 where that is not
    known, and the usual and the largest are those nearest to 224 and 640 that work.
    Raises `ExportError` where there is none.
    """
    sizes, axis = sizes_of(graph), batch_name(graph)
    _check_names(sizes, axis, batch, wishes)
    least = _at(sizes, _smallest(sizes, wishes.least), wishes.least, "min")
    most = _at(sizes, _clipped(sizes, LARGEST, wishes.most, least, {}), wishes.most, "max")
    usual = _at(sizes, _clipped(sizes, TYPICAL, wishes.usual, least, most), wishes.usual, "opt")
    samples = [
        batch or asked.get(axis, number) for asked, number in zip(wishes, BATCHES, strict=True)
    ]
    if axis not in wishes.usual:
        samples[1] = min(max(samples[0], samples[1]), samples[2])
    if axis not in wishes.most:
        samples[2] = max(samples)
    box = Box(*map(Corner, (least, usual, most), samples))
    _check_order(box, axis)
    return box


def _smallest(sizes: Sizes, asked: Point) -> Point:
    """The smallest sizes of the contract, in place of those that are not asked for."""
    if all(name in asked for name in sizes.symbols):
        return {name: asked[name] for name in sizes.symbols}
    small = sizes.small()
    if small is None:
        raise ExportError(
            "no size was found that this network takes; give one: --size, or --min, --opt and --max"
        )
    return {name: asked.get(name, size) for name, size in small.items()}


def _clipped(sizes: Sizes, size: int, asked: Point, least: Point, most: Point) -> Point:
    """A size for all symbols that are not asked for, within what is settled already."""
    return {
        name: asked.get(name) or min(max(size, least[name]), most.get(name, size + least[name]))
        for name in sizes.symbols
    }


def _at(sizes: Sizes, wanted: Point, asked: Point, word: str) -> Point:
    """The sizes nearest to those wanted that work; those asked for are taken or refused."""
    if not sizes.symbols or sizes.accepts(**wanted):
        return wanted
    near = sizes.nearest(**wanted).closest
    if near is None:
        raise ExportError(f"no size was found for --{word}: give every size symbol one")
    changed = [name for name in near if name in asked and near[name] != asked[name]]
    if changed:
        text = ", ".join(f"{name}={number}" for name, number in wanted.items())
        reasons = "\n".join(sizes.explain(**wanted))
        closest = ",".join(f"{name}={number}" for name, number in near.items())
        raise ExportError(f"--{word}: the network refuses {text}; nearest: {closest}\n{reasons}")
    return near


def _check_names(sizes: Sizes, axis: str, batch: int | None, wishes: Wishes) -> None:
    names = (*sizes.symbols, *(() if batch else (axis,)))
    for word, asked in zip(WORDS, wishes, strict=True):
        for name, number in asked.items():
            if name not in names:
                there = f"there are: {', '.join(names)}" if names else "all are fixed"
                raise ExportError(f"--{word}: there is no open size {name}; {there}")
            if number < 1:
                raise ExportError(f"--{word}: {name} is at least 1, not {number}")


def _check_order(box: Box, axis: str) -> None:
    """Each size grows from corner to corner, or stays."""
    corners = [{**corner.sizes, axis: corner.samples} for corner in box.corners]
    for name in corners[0]:
        numbers = [corner[name] for corner in corners]
        if numbers != sorted(numbers):
            shown = ", ".join(
                f"{word} {number}" for word, number in zip(WORDS, numbers, strict=True)
            )
            raise ExportError(
                f"these are no sizes from a least to a largest: {name} has {shown}; choose them: "
                f"--min {name}=..., --opt {name}=..., --max {name}=..."
            )
