"""What is no part of a shape leaves it unchanged: names, order, blocks around, sizes, idle layers."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

import pytest

import netdsl
from netdsl.backends.diagram.model.shape import recognise
from netdsl.ir.graph import Graph
from tests.backends.diagram.model import FOLDER, WRITTEN, graph_of
from tests.sampling import number

HEADER = re.compile(r"^net (\w+)(\([^)]*\))? \{\n", re.M)
INPUT = re.compile(r"^    input (\w+): (.*)$", re.M)
VALUE = re.compile(r"^    (\w+) = ", re.M)
BRANCHES = re.compile(r"add \{ ([^;{}]+) ; ([^;{}]+) \}")
LISTED = re.compile(r"\) -> (add|concat|mul)\b")
PLAIN_CONV = re.compile(r"(?<=-> )(conv\([^()]*\))(?= ->)")


def answer(graph: Graph) -> object:
    """All that a layout takes from a shape, without names."""
    shape = recognise(graph)
    bridges = {(b.level, b.turn, b.place) for b in shape.bridges}
    features = shape.features
    return (
        shape.layout,
        shape.reason,
        shape.stacks,
        bridges,
        {b.level for b in shape.caps},
        [len(chain.merges) for chain in features.chains],
        [(fan.setting, fan.values) for fan in features.fans if fan.setting],
        {level for level in shape.levels.values() if level is not None},
    )


def renamed(text: str, chance: Random) -> str:
    """Other names for values."""
    for index, name in enumerate(VALUE.findall(text)):
        text = re.sub(rf"(?<![\w.]){name}(?![\w(])", f"v{index}_{chance.randrange(10)}", text)
    return text


def swapped(text: str, chance: Random) -> str:
    """Merges that read what they read in another order."""
    text = BRANCHES.sub(
        lambda m: f"add {{ {m[2]} ; {m[1]} }}" if chance.random() < 0.7 else m[0], text
    )
    for match in reversed(list(LISTED.finditer(text))):
        parts, start = listed(text, match.start())
        if len(parts) > 1 and chance.random() < 0.7:
            text = text[:start] + ", ".join((*parts[1:], parts[0])) + text[match.start() :]
    return text


def listed(text: str, end: int) -> tuple[list[str], int]:
    """The values of a list in parentheses that ends there, and where the first of them begins."""
    parts, depth, start = [""], 0, end
    while depth or text[start - 1] != "(":
        start -= 1
        depth += {")": 1, "(": -1}.get(text[start], 0)
        if text[start] == "," and not depth:
            parts.insert(0, "")
        else:
            parts[0] = text[start] + parts[0]
    return [part.strip() for part in parts], start


def with_idle_layers(text: str, chance: Random) -> str:
    """Dropout and identities behind some layers."""

    def more(match: re.Match[str]) -> str:
        return match[1] + chance.choice(("", " -> identity", " -> dropout(0.1)", " -> identity"))

    return PLAIN_CONV.sub(more, text)


def in_blocks(text: str, chance: Random) -> str:
    """Some convolutions each in a block of its own."""
    block = "\nblock Wrapped(channels: int) {\n    conv(channels, 3, padding=1)\n}\n"
    wrapped = re.sub(
        r"conv\((\d+), 3, padding=1\)",
        lambda m: f"Wrapped({m[1]})" if chance.random() < 0.6 else m[0],
        text,
    )
    return wrapped + block if wrapped != text else text


def in_one_block(text: str, chance: Random) -> str:
    """The whole network in a block, called by a net."""
    header, given = HEADER.search(text), INPUT.findall(text)
    outputs = re.findall(r"^    output (\w+) = ", text, re.M)
    if header is None or header[2] or len(given) != 1 or "layer " in text or "when" in text:
        return text
    ((name, shape),) = given
    body = INPUT.sub("", text[header.end() :], count=1)
    body = re.sub(rf"\b{name}\b", "in", body)
    for output in outputs:
        body = body.replace(f"    output {output} = ", f"    result_{output} = ")
    end = body.index("\n}\n")
    results = ", ".join(f"result_{output}" for output in outputs)
    results = f"({results})" if len(outputs) > 1 else results
    named = ", ".join(f"y{index}" for index, _ in enumerate(outputs))
    call = f"({named})" if len(outputs) > 1 else named
    net = (
        f"net Outer {{\n    input {name}: {shape}\n    {call} = {name} -> all_of_it: Whole\n"
        + "".join(f"    output {o} = y{index}\n" for index, o in enumerate(outputs))
        + "}\n\nblock Whole {\n"
    )
    return text[: header.start()] + net + body[:end] + f"\n    {results}" + body[end:]


CHANGES: dict[str, Callable[[str, Random], str]] = {
    "renamed": renamed,
    "swapped": swapped,
    "with idle layers": with_idle_layers,
    "in blocks": in_blocks,
    "in one block": in_one_block,
}


def varied(name: str, change: str) -> str:
    text = (FOLDER / f"{name}.net").read_text()
    return CHANGES[change](text, Random(number(name, change)))


def sizes_for(name: str, size: int) -> dict[str, int] | None:
    graph = graph_of(name)
    wanted = dict.fromkeys(graph.symbols, size)
    return netdsl.load(FOLDER / f"{name}.net").sizes.nearest(**wanted).closest


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.one_in(3)
def test_a_change_of_writing_changes_no_answer(name: str, change: str) -> None:
    text = varied(name, change)
    assert answer(netdsl.loads(text).graph) == answer(graph_of(name))


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_changes_many_texts(change: str) -> None:
    """So that the test above compares something."""
    texts = ((FOLDER / f"{name}.net").read_text() for name in WRITTEN)
    changed = [varied(name, change) != text for name, text in zip(WRITTEN, texts, strict=True)]
    assert sum(changed) >= 10


@pytest.mark.parametrize("size", [33, 97, 224])
@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.one_in(4)
def test_sizes_change_no_level(name: str, size: int) -> None:
    graph = graph_of(name)
    sizes = sizes_for(name, size) if graph.symbols else None
    if sizes is None:
        return
    fixed = netdsl.load(FOLDER / f"{name}.net", sizes=sizes).graph
    assert answer(fixed) == answer(graph)
    levels = recognise(graph).levels.values()
    assert list(recognise(fixed).levels.values()) == list(levels)
