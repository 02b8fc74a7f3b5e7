"""The page of each code: what it means, a file that gives it, and the same file mended."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from textwrap import fill

EXAMPLE = re.compile(r"```(net|sh) (wrong|right)(?: ([^\n]*))?\n(.*?)```\n", re.DOTALL)


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
