"""What is known while the layers of a network are read, one after the other."""

from __future__ import annotations

from dataclasses import dataclass, field

from netdsl.diagnostics import Span
from netdsl.importers.darknet.cfg import Section
from netdsl.importers.darknet.writer import Flow, Writer
from netdsl.importers.frontend import refused
from netdsl.importers.program import Call, Value


@dataclass(frozen=True, slots=True)
class Shared:
    """A convolution as others may call it again: its number, what must be equal, its calls."""

    number: int
    shape: tuple[int, ...]
    is_normalised: bool
    calls: list[Call] = field(default_factory=list[Call], compare=False)

    @property
    def weight(self) -> tuple[int, ...]:
        """The shape of its filters."""
        filters, channels, groups, kernel = self.shape
        return (filters, channels // groups, kernel, kernel)


@dataclass(slots=True)
class State:
    """The layers so far; `image` is what flows into the first."""

    writer: Writer
    net: Section
    image: Value
    flows: list[Flow] = field(default_factory=list[Flow])
    convolutions: dict[int, Shared] = field(default_factory=dict[int, Shared])
    remarks: list[str] = field(default_factory=list[str])
    is_fixed: bool = False

    def previous(self) -> Flow:
        """What flows into the next layer."""
        if self.flows:
            return self.flows[-1]
        assert self.image.shape is not None
        if len(self.image.shape) == 3:
            return Flow(self.writer, self.net, self.image.shape, map=self.image)
        shape = (*self.image.shape, 1, 1)
        return Flow(self.writer, self.net, shape, vector=self.image)

    def at(self, number: int, section: Section, span: Span) -> Flow:
        """What an earlier layer gives: counted from 0, or backwards from this one."""
        index = number + section.number if number < 0 else number
        if not 0 <= index < section.number:
            message = f"{section.title} takes layer {index}, and only layers before it are there"
            raise refused(message, span, help=f"`{number}` means layer {index} here")
        return self.flows[index]

    def zero(self, section: Section, *keys: str) -> None:
        """Refuse options that have no word in the language, unless they are off."""
        for key in keys:
            if section.real(key, 0.0) != 0.0:
                message = f"the language has no word for `{key}` in `[{section.kind}]`"
                raise refused(message, section.span_of(key))

    def positive(self, section: Section, key: str, default: int) -> int:
        """A whole number above zero."""
        number = section.whole(key, default)
        if number < 1:
            raise refused(f"`{key}` is at least 1, not {number}", section.span_of(key))
        return number
