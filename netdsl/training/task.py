"""What a network learns: its outputs, and which classes they tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netdsl.ir.graph import Graph, Output
from netdsl.training.faults import TrainingError

RANKS = {"classification": 1, "segmentation": 3}
FORMS = {"classification": "[classes]", "segmentation": "[classes, height, width]"}


@dataclass(frozen=True, slots=True)
class Task:
    """The outputs that learn, by their places: the main one, and those of training beside it.

    `kind` is `classification` or `segmentation`; each output has a number for each class.
    """

    kind: str
    name: str
    main: int
    auxiliary: tuple[int, ...]
    classes: int

    def check_classes(self, names: Sequence[str], where: str) -> None:
        """Raises `TrainingError` if data has other classes than the network."""
        if len(names) == self.classes:
            return
        listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        raise TrainingError(
            f"{where} has {len(names)} classes ({listed}), and the output `{self.name}` has "
            f"{self.classes}: a network with a parameter for it takes `--set classes={len(names)}`"
        )


def task_of(graph: Graph, wanted: str | None) -> Task:
    """The task of a network, from its outputs. Raises `TrainingError`."""
    main = _main(graph, wanted)
    kind = next((kind for kind, rank in RANKS.items() if len(main.shape) == rank), "")
    if not kind or main.dtype != "float32":
        forms = " or ".join(FORMS.values())
        raise TrainingError(f"`{main.name}` is {main.value.type}; what can learn is {forms}")
    classes = main.shape[0]
    if not isinstance(classes, int) or classes < 2:
        raise TrainingError(f"`{main.name}` tells {classes} classes apart; two are the least")
    others = [output for output in graph.outputs if output.when_training]
    for output in others:
        if len(output.shape) != len(main.shape) or output.shape[0] != classes:
            raise TrainingError(
                f"`{output.name}` learns beside `{main.name}`, and is {output.value.type}, "
                f"not of the form {main.value.type}"
            )
    places = tuple(graph.outputs.index(output) for output in others)
    return Task(kind, main.name, graph.outputs.index(main), places, classes)


def _main(graph: Graph, wanted: str | None) -> Output:
    """The output that is asked for, or the only one at inference."""
    choices = graph.inference_outputs
    names = ", ".join(output.name for output in choices)
    if wanted is None:
        if len(choices) == 1:
            return choices[0]
        raise TrainingError(f"the network has the outputs {names}: choose one by --output NAME")
    for output in choices:
        if output.name == wanted:
            return output
    raise TrainingError(f"no output at inference is called `{wanted}`; there are: {names}")
