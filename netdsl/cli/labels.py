"""Names of classes, read from a file of lines or of JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, cast

import click

from netdsl.files import read_source


@dataclass(frozen=True, slots=True)
class Labels:
    """The names of classes in their order, and the file that they come from."""

    path: str
    names: Sequence[str]


def labels_of(path: str) -> Labels:
    """The names in a file: a line each; or JSON, a list, or an object with the numbers as keys.

    Of a list in place of a name (`["n01440764", "tench"]`) the last item is the name. Raises
    `DiagnosticError` for a file that can't be read, `click.BadParameter` for what holds no names.
    """
    text = read_source(path).text
    if path.endswith(".json"):
        return Labels(path, _from_json(path, text))
    names = [line.strip() for line in text.splitlines()]
    while names and not names[-1]:
        names.pop()
    if not names:
        _refuse(f"{path} holds no names")
    return Labels(path, names)


def _from_json(path: str, text: str) -> list[str]:
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        _refuse(f"{path} is no JSON: {error}")
    if isinstance(data, dict):
        table = cast("dict[str, Any]", data)
        wanted = [str(number) for number in range(len(table))]
        if set(table) != set(wanted):
            _refuse(f"the keys of {path} are not the numbers from 0 to {len(table) - 1}")
        data = [table[number] for number in wanted]
    if not isinstance(data, list) or not data:
        _refuse(f"{path} holds no list of names")
    return [_name(path, item) for item in cast("list[Any]", data)]


def _name(path: str, item: Any) -> str:
    if isinstance(item, list) and item:
        item = cast("list[Any]", item)[-1]
    if not isinstance(item, str):
        _refuse(f"{path} has a name that is no text: {json.dumps(item):.60}")
    return item


def _refuse(message: str) -> NoReturn:
    raise click.BadParameter(message, param_hint="--labels")
