"""The settings of a layer: each is read in its kind, and none is left unread."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

from netdsl.importers.frontend import refused
from netdsl.importers.keras.structure import Layer

IDLE = re.compile(
    r"name|trainable|dtype|autocast|seed|synchronized|quantization_config|batch_input_shape|"
    r"\w*_initializer|\w*_regularizer|\w*_constraint|input_dtype|build_input_shape"
)
"""What does not change what a layer computes from given weights."""
MAX_NUMBER = 10**7
FLOATS = ("float32", "float16", "bfloat16", "float64")


@dataclass(slots=True)
class Settings:
    """Those of one layer."""

    layer: Layer
    taken: set[str] = field(default_factory=set[str])

    def fail(self, message: str, *, help: str = "") -> NoReturn:
        """Ends the import at the line of the layer."""
        raise refused(f"{self.layer.kind}: {message}", self.layer.span, help=help)

    def get(self, name: str, default: Any = None) -> Any:
        self.taken.add(name)
        value = self.layer.config.get(name, default)
        return default if value is None else value

    def whole(self, name: str, default: int | None = None, *, least: int = 1) -> int:
        value = self.get(name, default)
        if type(value) is not int or not least <= value <= MAX_NUMBER:
            self.fail(f"`{name}` is a whole number from {least}, not `{short(value)}`")
        return value

    def real(self, name: str, default: float | None = None) -> float:
        value = self.get(name, default)
        if type(value) not in (int, float) or not abs(value) < 1e30:
            self.fail(f"`{name}` is a number, not `{short(value)}`")
        return float(value)

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.get(name, default)
        if not isinstance(value, bool):
            self.fail(f"`{name}` is true or false, not `{short(value)}`")
        return value

    def word(self, name: str, default: str, *known: str) -> str:
        value = self.get(name, default)
        if value not in known:
            self.fail(f"`{name}` is {' or '.join(known)} here, not `{short(value)}`")
        return value

    def sizes(self, name: str, rank: int, default: int | None = None) -> tuple[int, ...]:
        """A number for each axis; one number is for all."""
        value = self.get(name, default)
        parts = [value] * rank if type(value) is int else value
        if not isinstance(parts, list | tuple):
            self.fail(f"`{name}` has {rank} whole numbers, not `{short(value)}`")
        numbers = tuple(cast("list[Any]", parts))
        if len(numbers) != rank or not all(
            type(one) is int and 1 <= one <= MAX_NUMBER for one in numbers
        ):
            self.fail(f"`{name}` has {rank} whole numbers from 1, not `{short(value)}`")
        return cast("tuple[int, ...]", numbers)

    def sides(self, name: str, rank: int) -> list[tuple[int, int]]:
        """How many cells before and behind each axis."""
        value = self.get(name, 1)
        if type(value) is int:
            value = [value] * rank
        if rank == 1 and isinstance(value, list) and len(cast("list[Any]", value)) == 2:
            value = [value]
        if not isinstance(value, list) or len(cast("list[Any]", value)) != rank:
            self.fail(f"`{name}` has a pair of numbers for each axis, not `{short(value)}`")
        pairs: list[tuple[int, int]] = []
        for one in cast("list[Any]", value):
            pair = [one, one] if type(one) is int else one
            if not isinstance(pair, list) or [type(n) for n in cast("list[Any]", pair)] != [
                int,
                int,
            ]:
                self.fail(f"`{name}` has a pair of numbers for each axis, not `{short(value)}`")
            before, behind = cast("list[int]", pair)
            if not 0 <= min(before, behind) <= max(before, behind) <= MAX_NUMBER:
                self.fail(f"`{name}` has numbers from 0, not `{short(value)}`")
            pairs.append((before, behind))
        return pairs

    def axes(self, name: str, rank: int, default: Any = None) -> list[int]:
        """Axes with the batch as axis 0, as they are with the first behind it as 0."""
        value = self.get(name, default)
        parts = cast("list[Any]", value) if isinstance(value, list) else [value]
        result: list[int] = []
        for one in parts:
            if type(one) is not int or not -rank <= one <= rank or one == 0:
                self.fail(
                    f"`{name}` names axes of {rank + 1}, the batch as 0, not `{short(value)}`"
                )
            result.append(one - 1 if one > 0 else rank + one)
        return result

    def axis(self, name: str, rank: int, default: int) -> int:
        """One axis, as `axes` has it."""
        axes = self.axes(name, rank, default)
        if len(axes) != 1:
            self.fail(f"`{name}` is one axis, not {len(axes)}")
        return axes[0]

    def only(self, **expected: object) -> None:
        """Settings that are read in one state alone."""
        for name, value in expected.items():
            have = self.get(name, value)
            if have != value:
                self.fail(f"`{name}={short(have)}` has no word in the language, `{value}` alone")

    def finish(self) -> None:
        """Refuses what nobody read."""
        config = self.layer.config
        policy = config.get("dtype", "float32")
        inner: Any = (
            cast("dict[str, Any]", policy).get("config") if isinstance(policy, dict) else None
        )
        named = inner.get("name") if isinstance(inner, dict) else policy
        if named not in ("float32", None) and self.layer.kind != "InputLayer":
            help = "keep the model in float32, and turn what comes out: `netdsl export --fp16`"
            self.fail(f"it computes in `{short(named)}`, and float32 is read", help=help)
        left = [one for one in config if one not in self.taken and not IDLE.fullmatch(one)]
        if left:
            self.fail(f"the setting `{left[0][:40]}={short(config[left[0]])}` is not known")


def short(value: Any) -> str:
    """A value in few characters."""
    text = str(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
