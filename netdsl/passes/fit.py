"""A network that takes any size: inputs are brought to sizes that it takes, outputs back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from netdsl.diagnostics import Sink
from netdsl.elaborate.sharing import is_shared_rightly
from netdsl.ir.builder import Builder, Rule
from netdsl.ir.dim import Size, floor_div, substitute
from netdsl.ir.fitting import CENTER, CROP, FILLS, PAD, RESIZE, Cut, FitError, Fitting
from netdsl.ir.graph import Graph, Input, Output, Requirement, Value
from netdsl.ir.simplify import conjunction
from netdsl.ir.solver import Domain, Verdict
from netdsl.ops.base import Op
from netdsl.ops.dense import Permute
from netdsl.ops.plumbing import Slice
from netdsl.ops.refusal import Refusal
from netdsl.ops.resample import MODE_OF_RANK, Upsample
from netdsl.ops.rule import Rulebook
from netdsl.ops.sides import SIDES, Crop, Pad
from netdsl.passes.replay import Replay

PADDED = ("float32", "float64", "float16", "bfloat16", "uint8")
"""Element types of images: of other numbers, 0 is not nothing."""
MOST_SPATIAL = len(SIDES)
LONGEST_QUOTE = 200
REASONS = {
    Verdict.GAVE_UP: "whether the sizes that `{}` gives work here is beyond the solver",
    Verdict.MIXED: "some of the sizes that `{}` gives do not work here",
    Verdict.REFUTED: "no size that `{}` gives works here",
}
TO_FRONT, TO_BACK = (2, 0, 1), (1, 2, 0)
"""The channels of a map [H, W, C] before the others, and back."""


def fit(graph: Graph, fitting: Fitting) -> Graph:
    """The graph with its inputs brought to other sizes, and its outputs back; a new one.

    Its layers are judged anew at these sizes, and what they need is proved for all of them; with
    reflection, what it needs of the image remains. Raises `FitError`.
    """
    if all(str(size) == name for name, size in fitting.sizes.items()):
        return replace(graph, where=fitting.where)
    try:
        fitted = _Fit(graph, fitting, Rulebook()).graph()
    except Refusal as refusal:
        raise FitError(f"no size is left: {refusal.message}") from None
    if not is_shared_rightly(fitted):
        raise FitError("at these sizes the calls of a shared layer are not alike")
    _check(fitted, fitting)
    return fitted


def _check(graph: Graph, fitting: Fitting) -> None:
    """Whether what the layers need holds at every size. Raises `FitError`."""
    needed = [r for r in graph.requirements if not r.training_only]
    domain = Domain(graph.symbols, graph.where)
    if domain.decide(conjunction(r.condition for r in needed)) is Verdict.PROVED:
        return
    for requirement in needed:
        verdict = domain.decide(requirement.condition)
        is_left = fitting.fill == "reflect" and verdict is Verdict.MIXED
        if verdict is not Verdict.PROVED and not is_left:
            reason = REASONS[verdict].format(fitting.way)
            raise FitError(
                f"{requirement.span}: {reason}: {_short(requirement.message)}; another way may do, "
                "or bring the images by hand to sizes that `netdsl sizes FILE --accepts H=65,W=64` "
                "names"
            )


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]} ..."


class _Fit:
    """The graph in the making: what comes before the network, the network, what comes after."""

    def __init__(self, graph: Graph, fitting: Fitting, rule: Rule) -> None:
        self.old, self.fitting, self.rule = graph, fitting, rule
        root = graph.root
        self.builder = Builder(graph.name, rule, Sink(), root.span, root.doc)
        self.root = self.builder.site.scope
        self.paths = {node.path for node in graph.nodes()}
        self.paths |= {scope.path for scope in graph.root.scopes()}
        self.names = {name for scope in graph.root.scopes() for name in scope.names.values()}
        self.names |= {item.name for item in graph.inputs}

    def graph(self) -> Graph:
        old, fitting = self.old, self.fitting
        inputs = [Input(i.name, replace(i.value)) for i in old.inputs]
        entering = [self._enter(item) for item in inputs]
        values = dict(zip((i.value for i in old.inputs), entering, strict=True))
        replay = Replay(old, fitting.sizes, self.rule, values)
        before = dict(zip(entering, self._names(inputs, entering), strict=True))
        replay.into(self.root)
        self.root.names |= {value: name for value, name in before.items() if name}
        self.builder.requirements += replay.requirements()
        outputs = [
            self._leave(output, replay.values[output.value], cuts)
            for output, cuts in zip(old.outputs, fitting.cuts, strict=True)
        ]
        graph = replace(
            old, root=self.root, inputs=tuple(inputs), outputs=tuple(outputs), where=fitting.where
        )
        return replace(graph, requirements=tuple(self._of_training(graph)))

    def _of_training(self, graph: Graph) -> Iterator[Requirement]:
        """The requirements, with those of layers that only training runs marked."""
        running = graph.inference_nodes()
        for requirement in self.builder.requirements:
            node = requirement.node
            is_training = node is not None and node not in running
            yield replace(requirement, training_only=True) if is_training else requirement

    def _names(self, inputs: list[Input], entering: list[Value]) -> Iterator[str]:
        """What the inputs are called once they have other sizes."""
        word = {PAD: "padded", CROP: "cropped"}.get(self.fitting.way, "resized")
        changed = [v for i, v in zip(inputs, entering, strict=True) if i.value is not v]
        for item, value in zip(inputs, entering, strict=True):
            if value is item.value:
                yield ""
                continue
            value.name = self._free(word if len(changed) == 1 else f"{word}_{item.name}")
            yield value.name

    def _free(self, name: str) -> str:
        """A name that is not taken."""
        free, number = name, 1
        while free in self.names:
            number += 1
            free = f"{name}{number}"
        self.names.add(free)
        return free

    # --- inputs

    def _enter(self, item: Input) -> Value:
        """An input at the size that the network is given."""
        tensor = item.value.type
        sizes = [substitute(size, self.fitting.sizes) for size in tensor.shape]
        if all(new == old for new, old in zip(sizes, tensor.shape, strict=True)):
            return item.value
        if tensor.dtype not in PADDED:
            raise FitError(
                f"{item.name} holds {tensor.dtype} numbers, of which 0 may mean something: bring "
                "them to a size that works by hand"
            )
        if tensor.dtype == "uint8" and self.fitting.way == RESIZE:
            raise FitError(
                f"{item.name} holds levels, uint8, and `resize` works on floats: pad or crop, or "
                "resize the images before they come in"
            )
        path = f"{self.fitting.way}_{item.name}"
        is_last = tensor.rank == len(TO_FRONT) and isinstance(tensor.shape[-1], int)
        if is_last and sizes[0] != tensor.shape[0]:
            value = self._add(Permute(TO_FRONT), item.value, f"permute_{item.name}")
            op = self._op(list(tensor.shape[:-1]), sizes[:-1])
            return self._add(Permute(TO_BACK), self._add(op, value, path), f"permute_{item.name}")
        if not 1 < tensor.rank <= MOST_SPATIAL + 1 or sizes[0] != tensor.shape[0]:
            raise FitError(
                f"{item.name} {tensor} has an open size that is none of a map [C, H, W], and "
                f"`{self.fitting.way}` works on the axes behind the channels"
            )
        return self._add(self._op(list(tensor.spatial), sizes[1:]), item.value, path)

    def _op(self, old: list[Size], new: list[Size]) -> Op:
        """What brings a map to another size."""
        way, is_centred = self.fitting.way, self.fitting.align == CENTER
        if way == CROP:
            apart = [size - length for size, length in zip(old, new, strict=True)]
            return Crop(tuple(new), tuple(floor_div(n, 2) if is_centred else 0 for n in apart))
        if way != PAD:
            return Upsample(size=tuple(new), mode=MODE_OF_RANK[len(new)])
        amounts: dict[str, object] = {}
        sides = SIDES[len(SIDES) - len(new) :]
        for (first, last), size, padded in zip(sides, old, new, strict=True):
            before = floor_div(padded - size, 2) if is_centred else 0
            amounts |= {first: before, last: padded - size - before}
        return replace(Pad(mode=FILLS[self.fitting.fill]), **amounts)

    # --- outputs

    def _leave(self, output: Output, value: Value, cuts: tuple[Cut | None, ...]) -> Output:
        """An output at the size that belongs to the input's own."""
        whole = value
        if any(cuts):
            value = self._resized(output, value, cuts)
        if value is not whole:
            if self.root.names.get(whole) == output.name:
                whole.name = self.root.names[whole] = self._free(f"whole_{output.name}")
            value.name = self.root.names[value] = output.name
        return replace(output, value=value)

    def _resized(self, output: Output, value: Value, cuts: tuple[Cut | None, ...]) -> Value:
        """The parts of an output that are kept, or all of it in another size."""
        path = f"{'crop' if self.fitting.way == PAD else 'resize'}_{output.name}"
        shape = value.type.shape
        parts = [cut or Cut(size) for cut, size in zip(cuts, shape, strict=True)]
        spatial = tuple(cut.length for cut in parts[1:])
        if self.fitting.way != PAD:
            return self._add(Upsample(size=spatial, mode=MODE_OF_RANK[len(spatial)]), value, path)
        is_map = len(spatial) <= MOST_SPATIAL
        for axis, cut in enumerate(cuts[:1] if is_map else cuts):
            if cut is not None:
                value = self._add(Slice(axis, cut.start, cut.start + cut.length), value, path)
        if is_map and any(cuts[1:]):
            value = self._add(Crop(spatial, tuple(cut.start for cut in parts[1:])), value, path)
        return value

    def _add(self, op: Op, value: Value, path: str) -> Value:
        """A layer behind a value, in the net itself."""
        free, number = path, 1
        while free in self.paths:
            number += 1
            free = f"{path}{number}"
        self.paths.add(free)
        site = self.builder.site
        (result,) = self.builder.layer(site, op, (value,), value.span, label=free)
        assert result.producer is not None
        # paths of all other layers are as they were, so none are worked out at the end
        result.producer.label = result.producer.layer.path = free
        return result
