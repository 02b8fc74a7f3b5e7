"""The rows of a file as layers with their numbers scaled, by the rules of the format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, inf
from typing import Any

from netdsl.diagnostics import Span
from netdsl.importers.frontend import refused
from netdsl.importers.ultralytics.basic import RELU, SILU, Act
from netdsl.importers.ultralytics.document import Item

KEYS = frozenset(
    [
        "nc",
        "scales",
        "scale",
        "backbone",
        "head",
        "activation",
        "depth_multiple",
        "width_multiple",
        "kpt_shape",
        "end2end",
        "reg_max",
        "channels",
        "ch",
        "names",
        "task",
        "text_model",
        "yaml_file",
    ]
)
"""What stands at the top of a file; of these `names`, `task` and `text_model` make no layers."""
MAX_ROWS = 1000
MAX_REPEATS = 1000
ACTIVATION = re.compile(r"(?:torch\.)?nn\.(\w+)\(([^()]*)\)")
ACTS: dict[str, Act] = {
    "SiLU": SILU,
    "ReLU": RELU,
    "ReLU6": ("relu6", {}),
    "Identity": ("identity", {}),
    "GELU": ("gelu", {}),
    "Hardswish": ("hardswish", {}),
    "Mish": ("mish", {}),
    "Tanh": ("tanh", {}),
    "ELU": ("elu", {}),
}
SCALE_IN_NAME = re.compile(r"yolo(?:e-)?v?\d+([nslmx])")


@dataclass(frozen=True, slots=True)
class Row:
    """A layer: its number, where its values come from, how often, its module and arguments."""

    number: int
    sources: tuple[int, ...]
    takes_list: bool
    repeats: int
    module: str
    arguments: list[Item]
    span: Span


@dataclass(frozen=True, slots=True)
class Model:
    """A file, at one of its scales."""

    rows: list[Row]
    span: Span
    classes: int
    channels: int
    scale: str = ""
    depth: float = 1.0
    width: float = 1.0
    most: float = inf
    act: Act = SILU
    points: tuple[int, int] | None = None
    twofold: bool = False
    bins: int = 16
    remarks: list[str] = field(default_factory=list[str])

    def repeats(self, count: int) -> int:
        """How often a layer is repeated at this scale."""
        return max(round(count * self.depth), 1) if count > 1 else count

    def wide(self, channels: float, most: float | None = None) -> int:
        """A number of channels at this scale, a multiple of 8."""
        return ceil(min(channels, self.most if most is None else most) * self.width / 8) * 8


def model(document: Item, settings: Mapping[str, str], stem: str) -> Model:
    """The rows of a document and what else it says. Raises `DiagnosticError`."""
    top = document.value
    if not isinstance(top, dict):
        raise refused("a model is a mapping with `backbone` and `head`", _first(document.span))
    for name, item in top.items():
        if name not in KEYS:
            help = f"known are {', '.join(sorted(KEYS - {'yaml_file'}))}"
            raise refused(f"`{name[:40]}` is not known at the top of a model", item.span, help=help)
    for name in "backbone", "head":
        if name not in top:
            raise refused(f"the model has no `{name}`", _first(document.span))
    rows: list[Row] = []
    for name in "backbone", "head":
        rows += _rows(top[name], len(rows))
    if not rows:
        raise refused("the model has no layers", top["backbone"].span)
    reader = _Top(top, settings, _first(document.span))
    scale, sizes = reader.scale(stem)
    return Model(
        rows, _first(document.span), reader.classes(), reader.channels(), scale, *sizes,
        act=reader.act(), points=reader.points(), twofold=reader.flag("end2end"),
        bins=reader.whole("reg_max", 16, 1, 256), remarks=reader.remarks,
    )  # fmt: skip


def _first(span: Span) -> Span:
    """The first line of a span."""
    end = span.source.text.find("\n", span.start)
    return Span(span.source, span.start, min(span.end, end if end >= 0 else span.end))


def _rows(item: Item, before: int) -> list[Row]:
    if not isinstance(item.value, list):
        raise refused("the layers are a list", _first(item.span))
    if len(item.value) > MAX_ROWS:
        message = f"there are {len(item.value):,} layers, of at most {MAX_ROWS:,}"
        raise refused(message, _first(item.span), code="too-many-layers")
    return [_row(one, before + place) for place, one in enumerate(item.value)]


def _row(item: Item, number: int) -> Row:
    if not isinstance(item.value, list) or len(item.value) != 4:
        raise refused("a layer is `[from, repeats, module, arguments]`", item.span)
    source, repeats, module, arguments = item.value
    takes_list = isinstance(source.value, list)
    parts = source.value if isinstance(source.value, list) else [source]
    sources = tuple(_source(one, number) for one in parts)
    if not sources:
        raise refused("a layer takes the result of one layer at least", source.span)
    if not _is_whole(repeats.value) or not 1 <= repeats.value <= MAX_REPEATS:  # type: ignore[operator]
        message = f"a layer is repeated 1 to {MAX_REPEATS:,} times, not {shown(repeats)}"
        raise refused(message, repeats.span)
    if not isinstance(module.value, str):
        raise refused(f"a module is named by a word, not {shown(module)}", module.span)
    if not isinstance(arguments.value, list):
        raise refused(f"arguments are a list, not {shown(arguments)}", arguments.span)
    return Row(
        number, sources, takes_list, int(repeats.value), module.value, arguments.value, item.span  # type: ignore[arg-type]
    )  # fmt: skip


def _source(item: Item, number: int) -> int:
    """The number of the layer that a value comes from; -1 for the picture."""
    value = item.value
    if not isinstance(value, int) or isinstance(value, bool):
        raise refused(f"a layer is told by its number, not {shown(item)}", item.span)
    place = number + value if value < 0 else value
    if value == -1 and number == 0:
        return -1
    if not 0 <= place < number:
        message = f"layer {number} takes the result of layer {place}, which is not before it"
        raise refused(message, item.span)
    return place


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def shown(item: Item) -> str:
    """A value as it stands in the file, if it is short."""
    text = " ".join(item.span.text.split())
    return f"`{text}`" if len(text) <= 40 else f"`{text[:40]}...`"


@dataclass(frozen=True, slots=True)
class _Top:
    """What stands at the top of a file, with what is set from outside."""

    items: dict[str, Item]
    settings: Mapping[str, str]
    span: Span
    remarks: list[str] = field(default_factory=list[str])

    def scale(self, stem: str) -> tuple[str, tuple[float, float, float]]:
        """The scale and its depth, width and most channels."""
        scales = self.items.get("scales")
        if scales is None or scales.value is None:
            if "scale" in self.settings:
                message = f"the file has no scales, and `{self.settings['scale']}` is asked for"
                raise refused(message, self.span)
            depth, width = (self.number(f"{name}_multiple", 1.0) for name in ("depth", "width"))
            return "", (depth, width, inf)
        if not isinstance(scales.value, dict) or not scales.value:
            raise refused("`scales` are lists by name", _first(scales.span))
        name = self._scale_name(scales.value, stem)
        if name not in scales.value:
            help = f"known are {', '.join(scales.value)}"
            raise refused(f"the file has no scale `{name}`", _first(scales.span), help=help)
        item = scales.value[name]
        sizes = item.plain()
        if not isinstance(sizes, list) or len(sizes) != 3 or not all(map(_is_number, sizes)):
            raise refused("a scale is `[depth, width, most channels]`", item.span)
        if not all(0 < size <= 100_000 for size in sizes):
            raise refused("the numbers of a scale are above 0, to 100,000", item.span)
        return name, (float(sizes[0]), float(sizes[1]), float(sizes[2]))

    def _scale_name(self, scales: dict[str, Item], stem: str) -> str:
        if "scale" in self.settings:
            return self.settings["scale"]
        if "scale" in self.items:
            return str(self.items["scale"].value)
        told = SCALE_IN_NAME.match(stem)
        if told and told[1] in scales:
            return told[1]
        name = next(iter(scales))
        if len(scales) > 1:
            others = ", ".join(f"`--set scale={one}`" for one in scales if one != name)
            self.remarks.append(f"scale {name}, the first of the file ({others})")
        return name

    def classes(self) -> int:
        return self.set_or_said("nc", 80, 100_000)

    def channels(self) -> int:
        """Channels of the picture."""
        name = "channels" if "channels" in self.items or "channels" in self.settings else "ch"
        return self.set_or_said(name, 3, 10_000)

    def set_or_said(self, name: str, default: int, most: int) -> int:
        """A number from outside, else that of the file."""
        if name not in self.settings:
            return self.whole(name, default, 1, most)
        text = self.settings[name]
        if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= most:
            raise refused(f"`{name}` is a whole number from 1 to {most:,}, not {text!r}", self.span)
        return int(text)

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        item = self.items.get(name)
        if item is None or item.value is None:
            return default
        value = item.value
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            message = f"`{name}` is a whole number from {least} to {most:,}, not {shown(item)}"
            raise refused(message, item.span)
        return value

    def number(self, name: str, default: float) -> float:
        item = self.items.get(name)
        if item is None:
            return default
        if not _is_number(item.value) or not 0 < item.value <= 1000:  # type: ignore[operator]
            message = f"`{name}` is a number above 0, to 1,000, not {shown(item)}"
            raise refused(message, item.span)
        return float(item.value)  # type: ignore[arg-type]

    def flag(self, name: str) -> bool:
        item = self.items.get(name)
        if item is None or item.value is None:
            return False
        if not isinstance(item.value, bool):
            raise refused(f"`{name}` is true or false, not {shown(item)}", item.span)
        return item.value

    def points(self) -> tuple[int, int] | None:
        item = self.items.get("kpt_shape")
        if item is None:
            return None
        pair: Any = item.plain()
        if not isinstance(pair, list) or len(pair) != 2 or not all(map(_is_whole, pair)):
            raise refused("`kpt_shape` is `[points, 2 or 3]`", item.span)
        if not 1 <= pair[0] <= 10_000 or pair[1] not in (2, 3):
            raise refused("`kpt_shape` is `[points, 2 or 3]`", item.span)
        return pair[0], pair[1]

    def act(self) -> Act:
        item = self.items.get("activation")
        if item is None or item.value is None:
            return SILU
        told = ACTIVATION.fullmatch(str(item.value).strip())
        if told and told[1] in ACTS and not told[2].replace("inplace=True", "").strip():
            return ACTS[told[1]]
        if told and told[1] == "LeakyReLU":
            slope = told[2].replace("negative_slope=", "").strip() or "0.01"
            if re.fullmatch(r"[0-9]{0,9}\.?[0-9]{0,9}", slope) and any(map(str.isdigit, slope)):
                return "leaky_relu", {"slope": float(slope)}
        help = f"known are {', '.join(f'nn.{one}()' for one in ACTS)} and nn.LeakyReLU(0.1)"
        raise refused(f"the activation {shown(item)} is not known", item.span, help=help)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
