"""Parts of a sketch on one line, with marks."""

from __future__ import annotations

from typing import cast

from netdsl.importers import spelling
from netdsl.importers.marked import MARK, Marks
from netdsl.importers.program import Setting
from netdsl.importers.recover.classes import Classes
from netdsl.importers.recover.shares import Share
from netdsl.importers.recover.sketch import (
    Body,
    Chain,
    Definition,
    LabelPart,
    Line,
    Numbered,
    Quoted,
    Stage,
    Text,
)
from netdsl.ops import registry
from netdsl.ops.op_parameters import parameters

UNNAMED = ("number", "p", "scale", "slope")
"""Parameters that go without their name where they are the first of a layer."""


def width(text: str) -> int:
    """How wide a text is without its marks."""
    return len(MARK.sub("", text))


def number(value: object) -> str:
    """A number, an option, a size, a list, or what is written already."""
    if isinstance(value, Text):
        return value.text
    if isinstance(value, Share | Classes):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(map(number, cast('list[object]', value)))}]"
    return spelling.setting(cast(Setting, value), _nameless)


def label(parts: tuple[LabelPart, ...]) -> str:
    """A label: `features.0`, `layer[i + 1]`."""
    return ".".join(map(_part, parts))


def head_of(stage: Stage) -> str:
    """What stands before a body: how often it is repeated, over what, under which condition."""
    if "start" in stage.args:
        return f"{stage.columns[0]} in {number(stage.args['start'])}..{number(stage.args['stop'])}"
    return stage.head or number(next(iter(stage.args.values())))


def declared_weight(line: Line) -> str:
    """`weight scale: frozen [64, 1, 1] = 1`."""
    args = line.args
    shape = ", ".join(number(value) for name, value in args.items() if name.isdigit())
    fill = number(args["fill"])
    text = f"weight {args['label']}: {args['kind']}[{shape}]"
    return f"{text} = {fill}" if fill else text


def _part(part: LabelPart) -> str:
    if isinstance(part, Numbered):
        name = spelling.label((part.name,)) if part.name else ""
        return f"{name}[{part.number}]"
    assert isinstance(part, str)
    return f'"{part}"' if isinstance(part, Quoted) else spelling.label((part,))


class Inline:
    """Writes parts on one line; `definitions` are the blocks by name."""

    def __init__(self, definitions: dict[str, Definition], marks: Marks) -> None:
        self.definitions, self.marks = definitions, marks

    def chain(self, chain: Chain) -> str:
        texts = [self.source(chain)] if chain.source is not None or chain.several else []
        texts += map(self.stage, chain.stages)
        return " -> ".join(texts)

    def source(self, chain: Chain) -> str:
        if chain.source is not None:
            return chain.source
        return f"({', '.join(map(self.chain, chain.several))})"

    def stage(self, stage: Stage) -> str:
        text = self.head(stage)
        if stage.branches:
            return f"{text} {{ {' ; '.join(map(self.chain, stage.branches))} }}"
        if stage.body is None:
            return text
        text += f" {self.body(stage.body)}" if not text.endswith(" ") else self.body(stage.body)
        if stage.otherwise is not None:
            text += f" else {self.body(stage.otherwise)}"
        return text

    def body(self, body: Body) -> str:
        return f"{{ {' ; '.join(map(self.line, body.lines))} }}"

    def line(self, line: Line) -> str:
        return self.marks.mark(line.origin) + self.prefix(line) + self.rest(line)

    def prefix(self, line: Line) -> str:
        """What stands before the chain of a line."""
        if line.declared == "layer":
            return f"layer {line.names[0]} = "
        if line.output:
            return f"output {line.output} = "
        if not line.names:
            return ""
        names = line.names[0] if len(line.names) == 1 else f"({', '.join(line.names)})"
        return f"{names} = "

    def rest(self, line: Line) -> str:
        if line.declared == "weight":
            return declared_weight(line)
        if line.declared and line.declared != "layer":
            return line.declared
        return self.chain(line.chain) + (" when training" if line.when_training else "")

    def head(self, stage: Stage) -> str:
        """A stage without what stands in its braces."""
        shown = label(stage.label) if stage.label and not stage.is_placed else ""
        text = self.marks.mark(stage.origin) + (f"{shown}: " if shown else "")
        match stage.kind:
            case "layer":
                texts = self.layer_arguments(stage)
            case "call":
                texts = self.call_arguments(stage)
            case "repeat" | "for" | "if":
                return f"{text}{stage.kind} {head_of(stage)}"
            case "group":
                return text
            case _:
                texts = []
        return f"{text}{stage.name}({', '.join(texts)})" if texts else f"{text}{stage.name}"

    def layer_arguments(self, stage: Stage) -> list[str]:
        if stage.name not in registry():
            return []
        texts: list[str] = []
        for place, one in enumerate(parameters(registry()[stage.name])):
            if one.name in stage.args and not _is_default(one, stage):
                text = number(stage.args[one.name])
                is_first = place == 0 and one.name in UNNAMED
                is_plain = one.required or is_first
                texts.append(text if is_plain and not one.named else f"{one.name}={text}")
        return texts

    def call_arguments(self, stage: Stage) -> list[str]:
        texts: list[str] = []
        for one in self.definitions[stage.name].parameters:
            text = number(stage.args[one.name])
            if one.default:
                if text != one.default:
                    texts.append(f"{one.name}={text}")
            else:
                texts.append(text)
        return texts


def _is_default(one: object, stage: Stage) -> bool:
    parameter = cast("spelling.OpParameter", one)
    value = stage.args[parameter.name]
    if isinstance(value, Text):
        same = getattr(parameter.default, "parameter", None)
        return same is not None and stage.args.get(same) == value
    return spelling.is_default(parameter, cast("dict[str, Setting]", stage.args))


def _nameless(value: object) -> str:
    raise AssertionError(f"{value} has no name here")
