"""What volumes are called: the path, if it is long without its middle, or in several lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations, pairwise

from netdsl.backends.diagram.fonts import text_width
from netdsl.backends.diagram.volumes.steps import Step

MOST_LINES = 3
LEFT_OUT = ".."
"""Stands where parts of a path are left out."""

Name = tuple[str, ...]
"""At most `MOST_LINES` lines."""


def names_of(steps: Sequence[Step], size: float, width: float) -> dict[Step, Name]:
    """The name of each step, no two alike.

    Where one path is too wide for a line, all leave out their middle that stay apart without it;
    what is too wide then is broken at a dot.
    """
    paths = {step: path_of(step) for step in steps}
    rooms = {step: width - text_width(_suffix(step), size, True) for step in steps}
    short = {key: without_middle(path) for key, path in paths.items()}
    taken = Counter(short.values())
    less = {key for key, path in paths.items() if path != short[key] and taken[short[key]] == 1}
    if all(text_width(paths[key], size, True) <= rooms[key] for key in less):
        less = set()
    names: dict[Step, Name] = {}
    for step in steps:
        key = step
        *first, last = _broken(short[key] if key in less else paths[key], size, rooms[key])
        names[key] = (*first, last + _suffix(step))
    return names


def example_of(steps: Sequence[Step], names: dict[Step, Name]) -> tuple[str, str] | None:
    """A name that leaves something out, and the path that it stands for."""
    for step in steps:
        name = "".join(names[step])
        if LEFT_OUT in name:
            return name.removesuffix(_suffix(step)), path_of(step)
    return None


def path_of(step: Step) -> str:
    """`down1.conv.conv2`, or of several as one `layer1.1–2`."""
    return through(step.name, step.copies[-1].name) if step.copies else step.name


def _suffix(step: Step) -> str:
    return f" × {step.count}" if step.count > 1 else ""


def through(first: str, last: str) -> str:
    """`layer1.1` and `layer1.4` as `layer1.1–4`."""
    if first == last:
        return first
    shared = 0
    while shared < min(len(first), len(last)) and first[shared] == last[shared]:
        shared += 1
    while shared and (first[shared - 1].isdigit() or last[shared - 1].isdigit()):
        shared -= 1
    return f"{first}–{last[shared:]}"


def without_middle(path: str) -> str:
    """`down1..conv2` of `down1.conv.conv2`; a number stays with the name before it."""
    parts: list[str] = []
    for part in path.split("."):
        if parts and part[:1].isdigit():
            parts[-1] += f".{part}"
        else:
            parts.append(part)
    return parts[0] + LEFT_OUT + parts[-1] if len(parts) > 2 else path


def _broken(path: str, size: float, width: float) -> Name:
    """In as few lines as fit, as even as can be; a number stays with the name before it."""
    places = [i for i, (c, d) in enumerate(pairwise(path), 1) if c in ". " and d != "."]
    places = [place for place in places if not path[place].isdigit()]
    best: Name = (path,)
    for count in range(min(MOST_LINES, len(places) + 1)):
        cuts = (_cut(path, chosen) for chosen in combinations(places, count))
        best = min(cuts, key=lambda lines: _widest(lines, size))
        if _widest(best, size) <= width:
            break
    return best


def _cut(path: str, places: Sequence[int]) -> Name:
    return tuple(path[a:b].rstrip(" ") for a, b in pairwise((0, *places, len(path))))


def _widest(lines: Name, size: float) -> float:
    return max(text_width(line, size, True) for line in lines)
