"""The terms of the field: a small page each, with an example that can be run and its numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from netdsl.analyses.explain.document import Code, Document, Part, Section, Table

EXAMPLE = re.compile(r"```net\n(.*?)```\n", re.DOTALL)
NUMBERS = re.compile(r"```numbers\n(.*?)```\n", re.DOTALL)
LINE_END = re.compile(r"(?<=[.:;])\s")


@dataclass(frozen=True, slots=True)
class Number:
    """A number of the example: `connections of conv = 2,187`; or a sum: `9 * 9 = 81`.

    `path` is the layer or `network`, and empty for a sum.
    """

    what: str
    path: str
    number: str

    @property
    def words(self) -> str:
        """What it counts."""
        return f"{self.what} of {self.path}" if self.path else self.what


@dataclass(frozen=True, slots=True)
class Term:
    """The page of a term.

    `meaning` is its definition, `example` a text of the language, `numbers` what is counted in it,
    `mixed_up` what people take it for. `also` are terms that belong to it.
    """

    name: str
    meaning: str
    example: str
    numbers: tuple[Number, ...]
    mixed_up: str
    also: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The first statement of the meaning."""
        return LINE_END.split(" ".join(self.meaning.split()))[0].rstrip(".:;")

    def page(self) -> Document:
        """The page."""
        rows = tuple((number.words, number.number) for number in self.numbers)
        table: tuple[Part, ...] = (Table(("in this example", ""), rows, frozenset({1})),)
        also = f"See also: {', '.join(f'`{name}`' for name in self.also)}."
        return Document(
            self.name,
            (
                Section("", tuple(_paragraphs(self.meaning))),
                Section("Example", (Code(self.example, "net"), *(table if rows else ()))),
                Section("Often mixed up", tuple(_paragraphs(self.mixed_up))),
                Section("", (also,) if self.also else ()),
            ),
        )


def _paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]


@cache
def terms() -> Mapping[str, Term]:
    """All terms by name, in order."""
    folder = files("netdsl.analyses.explain").joinpath("terms")
    names = sorted(i.name.removesuffix(".md") for i in folder.iterdir() if i.name.endswith(".md"))
    texts = {name: folder.joinpath(f"{name}.md").read_text(encoding="utf-8") for name in names}
    return {name: parsed(name, text) for name, text in texts.items()}


def parsed(name: str, text: str) -> Term:
    """The term of a page as it is written."""
    _, _, body = text.partition("\n\n")
    example = EXAMPLE.search(body)
    assert example is not None, name
    meaning, rest = body[: example.start()], body[example.end() :]
    listed = NUMBERS.search(rest)
    numbers = tuple(map(_number, listed[1].splitlines())) if listed else ()
    rest = rest[listed.end() :] if listed else rest
    mixed_up, _, also = rest.partition("See also:")
    names = tuple(re.findall(r"[a-z][a-z0-9_-]*", also))
    return Term(name, meaning.strip(), example[1], numbers, mixed_up.strip(), names)


def _number(line: str) -> Number:
    left, _, number = line.partition(" = ")
    what, _, path = left.partition(" of ")
    return Number(what, path, number)


def glossary() -> str:
    """docs/glossary.md: all terms, with a list of them in front."""
    every = terms()
    listed = "\n".join(f"- [{name}](#{name}): {term.summary}" for name, term in every.items())
    pages = "\n".join(_lowered(term.page().markdown()) for term in every.values())
    return (
        "# Glossary\n\n`netdsl explain TERM` shows one of these pages. The examples run, and their "
        "numbers are counted in PyTorch by a test. Where a layer has the name of a term, the "
        f"command shows the layer's page below it.\n\n{listed}\n\n{pages}"
    )


def _lowered(page: str) -> str:
    """A page as a section of a larger one: its title one step lower, its parts as bold words."""
    lines = page.splitlines()
    lowered = [f"**{line[3:]}**" if line.startswith("## ") else line for line in lines]
    lowered[0] = f"#{lines[0]}"
    return "\n".join(lowered) + "\n"
