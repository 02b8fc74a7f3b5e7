"""Random changes of a text, by a seed: characters, numbers, words and lines; and what they bring."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

from netdsl import DiagnosticError
from netdsl.importers.frontend import Question
from netdsl.importers.imported import read
from tests.sampling import FULL

PARTS = range(20 if FULL else 2)
SEEDS = 250 if FULL else 150
"""Changed texts in a part."""

NUMBERS = ["0", "-1", "1", "2", "3", "7", "1000", "99999999", "4294967296", "9" * 30, "1e9", "0.5",
           "-0", "nan", "inf", "x", ""]  # fmt: skip
MARKS = "=[]{}<>:,;#\"'\\\n\t \0\ud7ffé€-+.%0"


def check_part(part: int, texts: list[str], words: list[str], path: Path) -> None:
    """Changed texts, written to `path`, are read or refused with a place, in little time."""
    refusals = 0
    for seed in range(part * SEEDS, part * SEEDS + SEEDS):
        path.write_text(mutated(texts[seed % len(texts)], seed, words), errors="surrogatepass")
        start = time.process_time()
        try:
            read(Question(str(path)))
        except DiagnosticError as error:
            refusals += 1
            for one in error.diagnostics:
                assert one.span is not None or one.code == "not-text", (seed, one)
        assert time.process_time() - start < 5, seed
    assert 40 < refusals < SEEDS


def mutated(text: str, seed: int, words: list[str]) -> str:
    """A text with one to four changes."""
    draw = random.Random(seed)
    for _ in range(draw.randint(1, 4)):
        text = draw.choice([number, number, word, word, character, line, cut])(text, draw, words)
    return text


def number(text: str, draw: random.Random, words: list[str]) -> str:
    """Another number in place of one."""
    places = list(re.finditer(r"-?[0-9]+(\.[0-9]+)?", text))
    if not places:
        return text
    place = draw.choice(places)
    return text[: place.start()] + draw.choice(NUMBERS) + text[place.end() :]


def word(text: str, draw: random.Random, words: list[str]) -> str:
    """Another word in place of one."""
    places = list(re.finditer(r"[A-Za-z_]+", text))
    if not places:
        return text
    place = draw.choice(places)
    other = draw.choice([*words, draw.choice(places).group()])
    return text[: place.start()] + other + text[place.end() :]


def character(text: str, draw: random.Random, words: list[str]) -> str:
    """A character more, less, or another."""
    place = draw.randrange(len(text) + 1)
    return text[:place] + draw.choice([*MARKS, ""]) + text[place + draw.randint(0, 1) :]


def line(text: str, draw: random.Random, words: list[str]) -> str:
    """A line left out, twice, or in another place."""
    lines = text.split("\n")
    place = draw.randrange(len(lines))
    part = lines.pop(place)
    for _ in range(draw.randint(0, 2)):
        lines.insert(draw.randrange(len(lines) + 1), part)
    return "\n".join(lines)


def cut(text: str, draw: random.Random, words: list[str]) -> str:
    """Some of it left out."""
    start = draw.randrange(len(text) + 1)
    end = min(len(text), start + draw.randint(1, 40))
    return text[:start] + text[end:]
