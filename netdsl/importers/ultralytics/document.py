"""A YAML text as plain values that know their places, within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from netdsl.diagnostics import DiagnosticError, Source, Span
from netdsl.importers.frontend import refused

if TYPE_CHECKING:
    import yaml

MAX_TEXT = 100_000
MAX_DEPTH = 16
MAX_NUMBER = 2**31
PLAIN = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map")
)

Scalar: TypeAlias = "str | int | float | bool | None"


@dataclass(frozen=True, slots=True)
class Item:
    """A value of the document at its place: a scalar, a list or a mapping of items."""

    value: Scalar | list[Item] | dict[str, Item]
    span: Span

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, list):
            return [one.plain() for one in self.value]
        if isinstance(self.value, dict):
            return {name: one.plain() for name, one in self.value.items()}
        return self.value


def document(source: Source) -> Item:
    """The document of a YAML text. Raises `DiagnosticError`."""
    try:
        import yaml
    except ImportError:
        raise refused(
            "a YAML file is read by PyYAML, which is not installed",
            Span(source, 0, 0),
            help="`pip install pyyaml`",
        ) from None
    start = Span(source, 0, 0)
    if len(source.text) > MAX_TEXT:
        message = f"the file has {len(source.text):,} characters, of at most {MAX_TEXT:,}"
        raise refused(message, start, code="too-large")
    try:
        _check_events(yaml.parse(source.text, yaml.SafeLoader), source)
        node = yaml.compose(source.text, yaml.SafeLoader)
        if node is None:
            raise refused("the file is empty", start)
        return _Reader(source, yaml.SafeLoader(""), yaml).item(node)
    except DiagnosticError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        offset = mark.index if mark else 0
        problem = " ".join((error.problem or "it can't be read").split())
        raise refused(f"this is no YAML: {problem}", Span(source, offset, offset)) from None
    except (yaml.YAMLError, ValueError) as error:
        raise refused(f"this is no YAML: {' '.join(str(error).split())}", start) from None


def _check_events(events: Any, source: Source) -> None:
    """Refuses what would grow when it is put together."""
    depth = 0
    for event in events:
        name = type(event).__name__
        at = Span(source, event.start_mark.index, event.end_mark.index)
        if name == "AliasEvent":
            help = "write the value out where it is used"
            raise refused("the file repeats a part of itself by `*`", at, help=help)
        depth += name.endswith("StartEvent") - name.endswith("EndEvent")
        if depth > MAX_DEPTH:
            message = f"the file is nested more than {MAX_DEPTH} deep"
            raise refused(message, at, code="too-deep")


@dataclass(frozen=True, slots=True)
class _Reader:
    source: Source
    loader: Any
    yaml: Any

    def item(self, node: yaml.Node) -> Item:
        span = self.span(node)
        if node.tag not in PLAIN:
            raise refused(f"`{node.tag[-40:]}` is not read here, only plain values", span)
        if isinstance(node, self.yaml.SequenceNode):
            return Item([self.item(one) for one in node.value], span)
        if isinstance(node, self.yaml.MappingNode):
            return Item(self.mapping(node), span)
        return Item(self.scalar(node, span), span)

    def mapping(self, node: Any) -> dict[str, Item]:
        items: dict[str, Item] = {}
        for key, value in node.value:
            if not isinstance(key, self.yaml.ScalarNode):
                raise refused("a key is a word", self.span(key))
            if key.value in items:
                raise refused(f"`{key.value[:40]}` is there twice", self.span(key))
            items[key.value] = self.item(value)
        return items

    def scalar(self, node: Any, span: Span) -> Scalar:
        try:
            value: Scalar = self.loader.construct_object(node)
        except (ValueError, OverflowError, IndexError, KeyError):
            raise refused(f"`{node.value[:40]}` is no number", span) from None
        if isinstance(value, int | float) and not abs(value) < MAX_NUMBER:
            message = f"{node.value[:40]} is beyond every number of a network"
            raise refused(message, span, code="number-range")
        return value

    def span(self, node: Any) -> Span:
        """Where a node stands, without the white space behind it."""
        start, end = node.start_mark.index, node.end_mark.index
        text = self.source.text[start:end].rstrip()
        return Span(self.source, start, start + len(text))
