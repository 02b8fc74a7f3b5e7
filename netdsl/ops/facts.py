"""What all but shapes and numbers is asked of a layer: kinds of work, of storage, of windows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from itertools import groupby
from typing import TypeAlias

from netdsl.ir.dim import Dim, Size
from netdsl.ir.sequences import is_tuple
from netdsl.ops.padding import Cells, same_cells, steady_cells
from netdsl.ops.params import FromValue, show

TIMES = "×"
SizeText: TypeAlias = Callable[[Size], str]
"""How a size is written in a picture."""
Parts: TypeAlias = "int | tuple[int, ...]"


class Work(Enum):
    """What a layer does with the values that come in."""

    COMPUTES = "computes"
    """Gives new values."""
    MOVES = "moves"
    """Gives the same elements, each once, at other places."""
    SELECTS = "selects"
    """Gives some of the elements, perhaps with others around them."""
    PASSES = "passes"
    """Gives the value as it is."""
    DROPS = "drops"
    """Gives the value as it is at inference, and less of it in training."""


class Storage(Enum):
    """Where PyTorch keeps the results of a layer, for one sample at inference."""

    OWN = "own"
    """Memory of its own, contiguous."""
    ALIKE = "alike"
    """Memory of its own, in the layout of the inputs."""
    VIEW = "view"
    """Input 0 itself, or a contiguous part of it."""
    STRIDED = "strided view"
    """Elements of input 0 itself that are not contiguous."""
    RESHAPED = "reshaped"
    """Input 0 itself where it is contiguous, else a copy."""


class Scores(Enum):
    """What numbers are, one for each class."""

    SHARES = "probabilities"
    """They add up to 1."""
    LOGARITHMS = "logarithms of probabilities"
    SEPARATE = "probabilities, each for itself"
    """Several classes may be there at once."""


SLID_SIZE = "floor((in + 2*padding - dilation*(kernel - 1) - 1)/stride) + 1"
"""How many windows fit along an axis."""
KINDS = ("conv", "conv_transpose", "linear")
"""What policies of initialisation tell apart."""
FAMILIES: Mapping[str, Mapping[str, object]] = {
    "convolution": {"channels_at": 0, "leads": True},
    "pooling": {"channels_at": 0, "zoom": -1},
    "pyramid": {"channels_at": 0, "zoom": -1},
    "resampling": {"channels_at": 0, "zoom": 1},
    "size": {"channels_at": 0, "work": Work.SELECTS},
    "merging": {"in_place": True},
    "reductions": {"in_place": False},
    "norms": {"in_place": True, "leads": True},
    "activations": {"in_place": True},
    "dense": {},
    "recurrent": {},
    "regularising": {"in_place": True, "work": Work.DROPS},
    "plumbing": {"work": Work.MOVES},
}
"""The families of layers in the order they are listed, with the facts of `Op` that hold for a
layer of each unless it states its own."""


@dataclass(frozen=True, slots=True)
class Sliding:
    """The windows of a layer that slides over a map, as they are set."""

    kernel: Parts
    stride: Parts = 1
    padding: Parts | str = 0
    dilation: Parts = 1
    groups: int = 1
    channels: int | None = None
    padding_mode: str = "zeros"
    ceil_mode: bool = False
    output_padding: Parts = 0

    def is_depthwise(self, channels: object) -> bool:
        """Whether each of these channels that come in has filters of its own."""
        return self.groups > 1 and self.groups == channels

    @property
    def is_padded(self) -> bool:
        """Whether cells are added around the map."""
        return self.padding != "valid" and _several(self.padding) != {0}

    @property
    def padding_words(self) -> str:
        """`pad 1`, `pad same upper`; empty without padding."""
        return f"pad {by(self.padding).replace('_', ' ')}" * self.is_padded

    def settings_along(self, rank: int) -> list[tuple[int, int, int]]:
        """Kernel, stride and dilation of each axis."""
        parts = (self.kernel, self.stride, self.dilation)
        spread = (part if isinstance(part, tuple) else (part,) * rank for part in parts)
        return list(zip(*spread, strict=True))

    def around(self, spatial: Sequence[Size]) -> list[Cells]:
        """Cells added before and after each axis of a map."""
        padding = 0 if self.padding == "valid" else self.padding
        if not isinstance(padding, str):
            parts = padding if isinstance(padding, tuple) else (padding,) * len(spatial)
            return [(n, n) for n in parts]
        settings = self.settings_along(len(spatial))
        return [
            same_cells(size, *own, padding) for size, own in zip(spatial, settings, strict=True)
        ]

    def equal_cells(self, rank: int) -> Parts | None:
        """What padding in words adds on each side, where it is the same number at all sizes."""
        cells = [steady_cells(*own, str(self.padding)) for own in self.settings_along(rank)]
        equal = tuple(pair[0] for pair in cells if pair is not None and pair[0] == pair[1])
        if len(equal) < rank:
            return None
        return equal[0] if len(set(equal)) == 1 else equal


def _several(size: object) -> set[object]:
    return set(size) if is_tuple(size) else {size}


@dataclass(frozen=True, slots=True)
class Tiling:
    """Windows that a map is cut into, within which its cells see each other.

    `window` is their side in cells, `shift` by how many they are moved along each axis.
    """

    window: int
    shift: tuple[int, int]


@dataclass(frozen=True, slots=True)
class SizeRule:
    """How the size of one axis of a result follows from what comes in.

    `axis` is its name, `general` says it in the names of the parameters (`in` is the size that
    comes in), `numbers` with the settings and sizes in their place, and what it gives.
    """

    axis: str
    general: str
    numbers: str


@dataclass(frozen=True, slots=True)
class Saved:
    """What PyTorch keeps of a call until the gradients are computed, weights left out.

    `inputs` are numbers of the inputs that it keeps, `outputs` says whether it keeps its results,
    and `more` are the bytes of what it keeps besides, for one sample; `once` are those that do
    not grow with the batch.
    """

    inputs: tuple[int, ...] = ()
    outputs: bool = False
    more: Size = 0
    once: int = 0


Index: TypeAlias = "tuple[int, ...]"
Products: TypeAlias = "list[tuple[Index, Index]]"
"""Index of an element that comes in, and of the weight that it is multiplied by."""
Shares: TypeAlias = "list[tuple[Index, Fraction]]"
"""Index of an element that comes in, and the fixed number that it is multiplied by."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Settings that are legal, and look as if something else was meant.

    `hint` is what to say of it beside an error further on; `by_place` where the doubt holds only
    as long as they are given without their names.
    """

    problem: str
    help: str
    hint: str = ""
    by_place: bool = False


Edges: TypeAlias = tuple[tuple[int, int], ...]
"""First cell and the one after the last, a pair for each bin along an axis."""


@dataclass(frozen=True, slots=True)
class Bins:
    """The bins of a pool: for each level its edges along each axis, and what a bin gives.

    With `is_joined` the levels stand one behind the other in a vector.
    """

    levels: tuple[tuple[Edges, ...], ...]
    gives: str
    is_joined: bool = False


# --- words for pictures --------------------------------------------------------------------


def by(size: object) -> str:
    """`3`, `1×7`."""
    return TIMES.join(map(str, size)) if is_tuple(size) else str(size)


def kernel_words(size: object, axes: int) -> str:
    """The size of a window along each axis: `7×7`."""
    return by(size) if is_tuple(size) else by((size,) * max(axes, 1))


def stride_words(stride: object) -> str:
    """`/2`, behind a space; empty where it is 1."""
    return "" if _several(stride) == {1} else f" /{by(stride)}"


def setting_words(value: object, template: str, is_list: bool) -> str:
    """A setting in plain words: `12 heads`, `without bias`; the template has `{}` for the value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        words = template.format("").strip()
        return words if value else f"without {words}"
    if is_tuple(value) and is_list:
        return template.format(", ".join(map(value_words, value)))
    return template.format(value_words(value))


def value_words(value: object) -> str:
    """A value as a person writes it: `1,000`, `0.1`, `3×5`."""
    if is_tuple(value):
        return TIMES.join(map(value_words, value))
    match value:
        case FromValue():
            return "another's size"
        case int() if not isinstance(value, bool):
            return f"{value:,}"
        case float() if value.is_integer() and abs(value) < 1e15:
            return f"{int(value):,}"
        case float():  # 0.2 * 12 / 16 is 0.15000000000000002 to a machine alone
            return repr(value) if float(f"{value:.15g}") == value else f"{value:.6g}"
        case str() | Dim():
            return str(value)
        case _:
            return show(value)


def lines_of(words: Iterable[str], longest: int) -> list[str]:
    """The words in lines of about this many letters, a dot between them."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 3 + len(word) <= longest:
            lines[-1] += f" · {word}"
        else:
            lines.append(word)
    return lines


def sum_words(parts: Sequence[object]) -> str:
    """`64+6×32`; how many there are where that would be long."""
    runs = [(part, len(list(run))) for part, run in groupby(parts)]
    shown = [
        f"{count}×{part}" if count > 2 else "+".join([str(part)] * count) for part, count in runs
    ]
    return "+".join(shown) if len(shown) <= 6 else f"{len(parts)} parts"
