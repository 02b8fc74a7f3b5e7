"""How an op is said in PyTorch, as data that the backend prints; nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, Union

from netdsl.ir.dim import Dim


@dataclass(frozen=True, slots=True)
class From:
    """A literal and the op's field it comes from, so that it can be printed as its expression.

    `field` is the field's name, or `in.channels`: the channels of input 0 (for `linear` its
    last axis: `in.features`).
    """

    value: object
    field: str


@dataclass(frozen=True, slots=True)
class In:
    """The tensor that is input number `index`."""

    index: int = 0


@dataclass(frozen=True, slots=True)
class Ins:
    """All input tensors, as a list (`torch.cat([a, b], dim=1)`)."""


@dataclass(frozen=True, slots=True)
class SizeOf:
    """`x.shape[axis] * times // over + plus` of input `index`; `axis` counts from the end (-1)."""

    index: int
    axis: int
    times: int = 1
    over: int = 1
    plus: int = 0


@dataclass(frozen=True, slots=True)
class Code:
    """A piece of Python as it stands (`torch.float32`, `x.shape[0]` with {0} for input 0)."""

    text: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A keyword argument that is left out where it has PyTorch's default.

    It is written all the same where the file binds it to a parameter of its block, so that the
    block's class is one, whatever its uses give.
    """

    value: TorchValue
    default: object


TorchValue: TypeAlias = Union[
    "From", "Setting", "In", "Ins", "SizeOf", "Code", Dim, int, float, bool, str, None,
    "tuple[TorchValue, ...]", "list[TorchValue]",
]  # fmt: skip
Keywords: TypeAlias = tuple[tuple[str, TorchValue], ...]


@dataclass(frozen=True, slots=True)
class TorchCall:
    """A function, method or operator on the inputs.

    `target` is `F.relu`, `torch.cat`; a method where it begins with a dot (`.flatten`, on the first
    of `args`); an operator where it is one of `+ - *` (between all inputs in order); `[]` cuts:
    each further argument is a pair (start, stop), or a triple with a step, for an axis from 1 on;
    a stop of None is the end, and None in place of a pair leaves the axis whole. An empty target
    is the input itself. `item` picks a part of the result.
    """

    target: str
    args: tuple[TorchValue, ...] = (In(0),)
    kwargs: Keywords = ()
    item: int | None = None
    helper: str = ""


@dataclass(frozen=True, slots=True)
class TorchModule:
    """A module made in `__init__` (`nn.Conv2d(...)`) and called in `forward`.

    `call` is what may be printed in `forward` in place of a module that holds no weights and no
    state (`F.relu(x)`). `inputs` and `input_kwargs` are what the module is called with; `item`
    picks a part of what it gives. Where `helper` names a file in backends/torch/helpers, or is the
    path of a Python file, the class `target` comes from it, and is printed into the source word
    for word with all of the file that it uses; `extends` is the module of torch that it extends,
    if any.
    """

    target: str
    args: tuple[TorchValue, ...] = ()
    kwargs: Keywords = ()
    call: TorchCall | None = None
    inputs: tuple[TorchValue, ...] | None = None
    input_kwargs: Keywords = ()
    item: int | None = None
    helper: str = ""
    extends: str = ""


@dataclass(frozen=True, slots=True)
class TorchWeight:
    """A table: `nn.Parameter(torch.full(shape, fill))`, or a buffer where it is not learned.

    `fill` is a number, a list for the last axes, or a word: `identity`, `bilinear` and
    `relative_position` are written out, with others it is drawn later.
    """

    shape: From
    fill: From | str
    dtype: str = "float32"
    is_learned: bool = True
    is_stored: bool = True

    @property
    def helper(self) -> tuple[str, str] | None:
        """The file and name of the helper that makes its numbers."""
        return ("fills", str(self.fill)) if self.fill in ("bilinear", "relative_position") else None


TorchRecipe: TypeAlias = TorchModule | TorchCall | TorchWeight


def keywords(**values: TorchValue) -> Keywords:
    """Keyword arguments of a recipe, in order."""
    return tuple(values.items())
