"""From image files to the scores that a network gives: it reads photographs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from netdsl.analyses.photograph import Frame, PhotographError, check_size, frame_of
from netdsl.analyses.scores import scores_of
from netdsl.analyses.sizes import Sizes, sizes_of
from netdsl.images import read_image
from netdsl.ir.graph import Graph
from netdsl.ops.facts import Scores

if TYPE_CHECKING:
    import numpy as np

    from netdsl.backends.weights.renaming import Rename

    Run = Callable[[Sequence[np.ndarray]], list[np.ndarray]]

NEAR_ONE = 1e-3
"""How near to 1 the sum of probabilities comes, in arithmetic of 16 bits too."""
LOGITS = "logits"


@dataclass(frozen=True, slots=True)
class Answer:
    """An output for one photograph; `numbers` are without a batch axis.

    `kind` says what they are, if they are one for each class: `probabilities`, `logits`, ...;
    else it is empty.
    """

    name: str
    numbers: np.ndarray
    kind: str

    @property
    def probabilities(self) -> np.ndarray:
        """The numbers as probabilities: by softmax where they are logits."""
        import numpy as np

        numbers = self.numbers.astype(np.float64)
        if self.kind == LOGITS:
            numbers = np.exp(numbers - numbers.max())
            return numbers / numbers.sum()
        return np.exp(numbers) if self.kind == Scores.LOGARITHMS.value else numbers

    def top(self, count: int = 5) -> list[tuple[int, float]]:
        """The most probable classes, each with its probability; of equal ones the first first."""
        import numpy as np

        probabilities = self.probabilities
        order = np.argsort(-probabilities, kind="stable")[:count]
        return [(int(index), float(probabilities[index])) for index in order]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a network says of one photograph."""

    height: int
    width: int
    outputs: tuple[Answer, ...]

    def __getitem__(self, name: str) -> np.ndarray:
        """The numbers of an output."""
        return next(answer.numbers for answer in self.outputs if answer.name == name)


@dataclass(frozen=True, slots=True)
class Reader:
    """A network that reads photographs, in PyTorch or in ONNX Runtime."""

    graph: Graph
    frame: Frame
    sizes: Sizes
    run: Run
    background: str | None

    def read(self, image: str | Path | np.ndarray) -> Reading:
        """What it says of an image file, or of pixels: uint8 [height, width, channels].

        Raises `ImageError` for a file that is no image, `PhotographError` for one that the
        network does not take.
        """
        import numpy as np

        is_file = isinstance(image, str | Path)
        channels = self.frame.channels
        pixels = read_image(image, channels, self.background) if is_file else image
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != channels:
            raise PhotographError(
                f"pixels are uint8 [height, width, {channels}], and these are {pixels.dtype} "
                f"{list(pixels.shape)}"
            )
        height, width = pixels.shape[:2]
        check_size(self.frame, self.sizes, height, width)
        laid = pixels if self.frame.is_last else pixels.transpose(2, 0, 1)
        found = self.run([np.array(laid[None], order="C")])
        outputs = zip(self.graph.inference_outputs, found, strict=True)
        answers = (Answer(o.name, a[0], _kind(scores_of(o.value), a[0])) for o, a in outputs)
        return Reading(height, width, tuple(answers))


def reader(
    graph: Graph,
    weights: object,
    rename: Rename | None = None,
    *,
    onnx: bool = False,
    background: str | None = None,
) -> Reader:
    """A network with weights; see `Network.run`."""
    frame = frame_of(graph)
    if not frame.is_raw:
        item = frame.item
        raise PhotographError(
            f"{graph.name} takes {item.value.type}, and nothing in it says how the levels of a "
            "photograph become that"
        )
    if onnx:
        from netdsl.backends.onnx.run import onnx_run as make
    else:
        from netdsl.backends.torch.run import torch_run as make
    return Reader(graph, frame, sizes_of(graph), make(graph, weights, rename), background)


def _kind(scores: Scores | None, numbers: np.ndarray) -> str:
    """What the numbers of an output are, if they are one for each class."""
    if numbers.ndim != 1 or numbers.size < 2 or numbers.dtype.kind != "f":
        return ""
    if scores is not None:
        return scores.value
    are_shares = bool((numbers >= 0).all()) and abs(float(numbers.sum()) - 1) < NEAR_ONE
    return Scores.SHARES.value if are_shares else LOGITS
