"""A module in training and in inference as one graph: what is in training only is marked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from netdsl.importers.torch.agreeing import Agreed, Differ
from netdsl.importers.torch.events import Frame, Modes, Op, Ref, is_same, leaves, mapped
from netdsl.importers.torch.sized import Comparison, renumbered

DROPS = frozenset({"dropout", "dropout1d", "dropout2d", "dropout3d", "feature_dropout"})


class _Walk:
    """Goes through the calls of training, and through those of inference beside them."""

    def __init__(self, training: Agreed, inference: Agreed) -> None:
        self.training, self.inference = training, inference
        self.values: dict[int, int] = dict(
            zip(inference.inputs.values(), training.inputs.values(), strict=True)
        )
        self.same_as: dict[int, int] = {}
        self.others = list(inference.frame.ops())
        self.place = 0

    def op(self, op: Op) -> Op:
        """An op of training, with what is otherwise in inference."""
        other = self.others[self.place] if self.place < len(self.others) else None
        if other is None or not self.is_same(op, other):
            return self.alone(op)
        self.place += 1
        self.values.update(zip(other.outputs, op.outputs, strict=True))
        arguments = self.merged(op.arguments, other.arguments)
        keywords = {key: self.merged(one, other.keywords[key]) for key, one in op.keywords.items()}
        return replace(op, arguments=arguments, keywords=keywords)

    def is_same(self, op: Op, other: Op) -> bool:
        if (op.name, op.module) != (other.name, other.module):
            return False
        if len(op.outputs) != len(other.outputs) or op.keywords.keys() != other.keywords.keys():
            return False
        ours = leaves((op.arguments, op.keywords))
        theirs = leaves((other.arguments, other.keywords))
        if len(ours) != len(theirs):
            return False
        for a, b in zip(ours, theirs, strict=True):
            if isinstance(a, Ref) != isinstance(b, Ref):
                return False
            if isinstance(a, Ref) and self.plain(a.number) != self.values.get(b.number):
                return False
        return True

    def plain(self, number: int) -> int:
        return self.same_as.get(number, number)

    def alone(self, op: Op) -> Op:
        """An op that inference has not: a dropout changes nothing there."""
        copy = replace(op, in_training_only=True)
        if op.name in DROPS and isinstance(op.arguments[0], Ref):
            self.same_as[op.outputs[0]] = self.plain(op.arguments[0].number)
            copy.in_training_only = False
            mode = Modes(True, False)
            if len(op.arguments) > 2:
                copy.arguments = (*op.arguments[:2], mode, *op.arguments[3:])
            else:
                copy.keywords = op.keywords | {"training": mode}
        return copy

    def merged(self, ours: Any, theirs: Any) -> Any:
        if isinstance(ours, tuple | list):
            parts = [self.merged(a, b) for a, b in zip(ours, theirs, strict=True)]
            return parts if isinstance(ours, list) else tuple(parts)
        is_plain = isinstance(ours, bool | int | float | str | None) and isinstance(
            theirs, bool | int | float | str | None
        )
        return Modes(ours, theirs) if is_plain and not is_same(ours, theirs) else ours

    def comparison(self, one: Comparison) -> Comparison:
        """A comparison of inference, of the values of training."""
        left, right = (renumbered(part, self.values) for part in (one.left, one.right))
        return replace(one, left=left, right=right)

    def frame(self, frame: Frame) -> Frame:
        merged = Frame(frame.path, frame.line, frame.arguments, number=frame.number)
        for one in frame.items:
            merged.items.append(self.op(one) if isinstance(one, Op) else self.frame(one))
        merged.results = frame.results
        return merged


def together(training: Agreed, inference: Agreed) -> tuple[Agreed, Any]:
    """The graph of training, marked, and the results of inference in its values.

    Raises `Differ` where they differ otherwise than by dropouts and parts of training.
    """
    walk = _Walk(training, inference)
    frame = walk.frame(training.frame)
    if walk.place < len(walk.others):
        other = walk.others[walk.place]
        inside = f" (in `{other.module}`)" if other.module else ""
        raise Differ(
            f"in inference `{other.name}`{inside} has no counterpart in training, of the same "
            "values: these are two networks",
            other.line,
        )
    merged = Agreed(
        frame,
        training.inputs,
        training.shapes,
        training.dtypes,
        [*training.comparisons, *(walk.comparison(one) for one in inference.comparisons)],
        [*training.reads, *inference.reads],
        inference.gradients | training.gradients,
    )

    def result(one: Any) -> Any:
        return Ref(walk.values[one.number]) if isinstance(one, Ref) else one

    return merged, mapped(cast(Any, inference.frame.results), result)
