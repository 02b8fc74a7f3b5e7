"""The page of each code: what it means, a file that gives it, and the same file mended."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from textwrap import fill, shorten

EXAMPLE = re.compile(r"```(net|sh) (wrong|right)(?: ([^\n]*))?\n(.*?)```\n", re.DOTALL)


WARNING = "A warning. "
STATEMENT_END = re.compile(r"[.:;]\s(?=(?:[^`]*`[^`]*`)*[^`]*$)")
CLAUSE = re.compile(r", (?=(?:so|and|or|which|that is|such as|as) )")
LINE = 76
"""Letters of a summary: what stands beside the codes on a line of 100."""


@dataclass(frozen=True, slots=True)
class Example:
    """A text that gives the code, or the mended one: a `.net` file, or shell commands.

    `options` are those of `netdsl check`; the first may be `compile` for what only shows there.
    """

    text: str
    is_shell: bool
    options: str


@dataclass(frozen=True, slots=True)
class Page:
    """What `netdsl explain CODE` shows."""

    code: str
    meaning: str
    wrong: Example
    right: Example

    @property
    def is_warning(self) -> bool:
        """Whether the code is a warning's; its page says so first."""
        return self.meaning.startswith(WARNING)

    @property
    def summary(self) -> str:
        """The first statement of the meaning, a long one without its last clauses."""
        meaning = " ".join(self.meaning.removeprefix(WARNING).split())
        clauses = CLAUSE.split(STATEMENT_END.split(meaning)[0].rstrip("."))
        while len(clauses) > 1 and len(", ".join(clauses)) > LINE:
            clauses.pop()
        return ", ".join(clauses)

    def text(self, width: int = 100) -> str:
        """The page for a terminal of a width."""
        paragraphs = self.meaning.split("\n\n")
        parts = [self.code, *(fill(p, width, break_on_hyphens=False) for p in paragraphs)]
        for title, example in ("Wrong", self.wrong), ("Right", self.right):
            options = f" (with {example.options})" if example.options else ""
            lines = "\n".join(f"    {line}".rstrip() for line in example.text.splitlines())
            parts += [f"{title}{options}:", lines]
        return "\n\n".join(parts)


def codes() -> list[str]:
    """All codes that have a page, in order."""
    folder = files("netdsl.diagnostics").joinpath("pages")
    return sorted(
        item.name.removesuffix(".md") for item in folder.iterdir() if item.name.endswith(".md")
    )


def listing(width: int = 100) -> str:
    """Every code with what it means, a line each: errors, then warnings."""
    every = [page(code) for code in codes()]
    wide = max(len(each.code) for each in every)
    room = max(width - wide - 4, 20)
    parts: list[str] = []
    for title, is_warning in ("errors", False), ("warnings", True):
        lines = (
            f"  {each.code:<{wide}}  {shorten(each.summary, room, placeholder=' ...')}"
            for each in every
            if each.is_warning == is_warning
        )
        parts.append("\n".join([title, *lines]))
    return "\n\n".join(parts)


def manual() -> str:
    """docs/errors.md: the page of every code, with a list of them in front."""
    every = codes()
    listed = "\n".join(f"- [`{code}`](#{code})" for code in every)
    pages = "\n".join(markdown(code).replace("# ", "## ", 1) for code in every)
    return (
        "# Errors and warnings\n\nEach message carries a code. `netdsl explain CODE` shows its "
        f"page: what it means, an example, and the corrected example.\n\n{listed}\n\n{pages}"
    )


def related(text: str) -> list[str]:
    """The codes that share a word with a text that is none, those that share most first."""
    words = {word for word in re.split(r"[^a-z]+", text.lower()) if len(word) > 2}
    shared = {code: len(words & set(code.split("-"))) for code in codes()}
    return [c for c in sorted(shared, key=lambda c: -shared[c]) if shared[c]]


def markdown(code: str) -> str:
    """The page as it is written. Raises `FileNotFoundError` for a code without one."""
    folder = files("netdsl.diagnostics").joinpath("pages")
    return folder.joinpath(f"{code}.md").read_text(encoding="utf-8")


def page(code: str) -> Page:
    """The page of a code. Raises `FileNotFoundError` for a code without one."""
    text = markdown(code)
    examples = {
        which: Example(body, kind == "sh", options or "")
        for kind, which, options, body in EXAMPLE.findall(text)
    }
    meaning = text.split("\n\nWrong:")[0].partition("\n\n")[2].strip()
    return Page(code, meaning, examples["wrong"], examples["right"])
