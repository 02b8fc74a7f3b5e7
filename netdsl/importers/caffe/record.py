"""Fields of a message by name and kind, and an error for those that nobody asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite

from netdsl.diagnostics import Span
from netdsl.importers.caffe.text import Field, Message, Scalar
from netdsl.importers.frontend import refused

TRUE, FALSE = ("true", "True", "t", "1"), ("false", "False", "f", "0")
HIGHEST = 2**31 - 1


@dataclass(slots=True)
class Record:
    """A message whose fields are read by name; `title` is what messages call it."""

    message: Message
    title: str
    span: Span
    asked: set[str] = field(default_factory=set[str])

    def all(self, name: str) -> list[Field]:
        """The fields of a name."""
        self.asked.add(name)
        return [one for one in self.message.fields if one.name == name]

    def has(self, *names: str) -> bool:
        """Whether there is a field of one of these names."""
        return any(one.name in names for one in self.message.fields)

    def one(self, name: str) -> Field | None:
        """The field of a name, which may be there once."""
        fields = self.all(name)
        if len(fields) > 1:
            raise refused(f"`{name}` is there twice in {self.title}", fields[1].span)
        return fields[0] if fields else None

    def span_of(self, name: str) -> Span:
        """Where a field stands, or the message."""
        fields = self.all(name)
        return fields[0].span if fields else self.span

    def whole(self, name: str, default: int | None = None, *, least: int = -HIGHEST) -> int:
        """A whole number."""
        one = self.one(name)
        if one is None:
            if default is None:
                raise refused(f"{self.title} needs `{name}`", self.span)
            return default
        return whole(one, least)

    def wholes(self, name: str, *, least: int = -HIGHEST) -> list[int]:
        """Whole numbers, one a field."""
        return [whole(one, least) for one in self.all(name)]

    def real(self, name: str, default: float) -> float:
        """A number."""
        one = self.one(name)
        return default if one is None else real(one)

    def reals(self, name: str) -> list[float]:
        """Numbers, one a field."""
        return [real(one) for one in self.all(name)]

    def flag(self, name: str, default: bool) -> bool:
        """`true` or `false`."""
        one = self.one(name)
        if one is None:
            return default
        text = scalar(one).text
        if text not in TRUE + FALSE:
            raise refused(f"`{name}` is `true` or `false`, not `{text:.40}`", one.span)
        return text in TRUE

    def text(self, name: str, default: str = "") -> str:
        """A text in quotes."""
        one = self.one(name)
        return default if one is None else text(one)

    def texts(self, name: str) -> list[str]:
        """Texts in quotes, one a field."""
        return [text(one) for one in self.all(name)]

    def choice(self, name: str, words: tuple[str, ...], default: str) -> str:
        """One of some words, which may be given by its number."""
        one = self.one(name)
        if one is None:
            return default
        value = scalar(one).text
        if value.isdecimal() and int(value[:6]) < len(words):
            return words[int(value[:6])]
        if value not in words:
            listed = ", ".join(f"`{word}`" for word in words if word)
            raise refused(f"`{name}` is one of {listed}, not `{value:.40}`", one.span)
        return value

    def record(self, name: str, title: str = "") -> Record:
        """A message in a field; an empty one where it is absent."""
        one = self.one(name)
        title = title or f"`{name}`"
        if one is None:
            return Record(Message(self.span), title, self.span)
        return nested(one, title)

    def records(self, name: str) -> list[Record]:
        """The messages of a name."""
        return [nested(one, f"`{name}`") for one in self.all(name)]

    def skip(self, *names: str) -> None:
        """Fields that say nothing about what is computed."""
        self.asked.update(names)

    def finish(self) -> None:
        """Refuse a field that nobody asked for."""
        for one in self.message.fields:
            if one.name not in self.asked:
                raise refused(
                    f"{self.title} has no field `{one.name:.60}`, or none that has a word here",
                    one.span,
                )


def scalar(one: Field) -> Scalar:
    """What a field holds that is no message."""
    if isinstance(one.value, Message):
        raise refused(f"`{one.name}` is one value, not `{{ ... }}`", one.span)
    return one.value


def nested(one: Field, title: str) -> Record:
    """The message that a field holds."""
    if isinstance(one.value, Scalar):
        raise refused(f"`{one.name}` holds fields: `{one.name} {{ ... }}`", one.span)
    return Record(one.value, title, one.span)


def whole(one: Field, least: int) -> int:
    """A whole number."""
    value = scalar(one)
    digits = value.text.lstrip("+-")
    try:
        if value.kind != "number" or len(digits) > 20:
            raise ValueError
        is_octal = digits.startswith("0") and digits.isdecimal()
        number = int(value.text, 8) if is_octal else int(value.text, 0)
    except ValueError:
        raise refused(f"`{one.name}` is a whole number, not `{value.text:.40}`", one.span) from None
    if not least <= number <= HIGHEST:
        limits = f"{least} to {HIGHEST:,}" if least > -HIGHEST else f"at most {HIGHEST:,}"
        raise refused(f"`{one.name}` is {limits}, not {number}", one.span)
    return number


def real(one: Field) -> float:
    """A number that is finite."""
    value = scalar(one)
    try:
        number = float(value.text.rstrip("fF") if value.kind == "number" else value.text)
    except ValueError:
        number = float("nan")
    if value.kind == "text" or not isfinite(number):
        raise refused(f"`{one.name}` is a number, not `{value.text:.40}`", one.span)
    return number


def text(one: Field) -> str:
    """A text in quotes."""
    value = scalar(one)
    if value.kind != "text":
        raise refused(f"`{one.name}` is a text in quotes, not `{value.text:.40}`", one.span)
    return value.text
