"""The arguments with which one block does the same as another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, product
from typing import cast

from netdsl.elaborate.program import Block
from netdsl.importers.equal import difference
from netdsl.importers.recover.trial import Instance, Profile, Trials, is_act, layer_text
from netdsl.ir.graph import Graph
from netdsl.ops.base import Op, op_of
from netdsl.ops.source import Weight
from netdsl.syntax import ast

Passed = dict[str, str]
"""The text of each argument by the parameter's name, those of their default left out."""
BEGINNINGS = 40
"""Ways to begin that are tried."""
CONSTANTS = 10
"""Numbers that are tried for one parameter."""
COMMON = (4, 8, 16, 128)
"""Numbers that are tried besides: widths of groups, that no layer has."""
FORMULAS: tuple[tuple[str, Callable[[int], int]], ...] = (
    ("{} // 2", lambda n: n // 2),
    ("2 * {}", lambda n: 2 * n),
    ("{} // 4", lambda n: n // 4),
    ("4 * {}", lambda n: 4 * n),
    ("6 * {}", lambda n: 6 * n),
)
LEAST_WORK, TRIES = 2_000, 25
"""Layers that may be made to find arguments, and how often those of all calls besides."""
AS_IN_LAYERS = ("dilation", "groups", "heads", "kernel", "padding", "stride", "window")
"""Parameters that are what layers in the block call so."""
SHARE = 0.6
"""How much must be alike for the search to go on."""


class Goal:
    """What calls of a block give, that is to be had by calls of another one."""

    def __init__(self, own: Block, instances: list[Instance]) -> None:
        self.parameters = own.definition.parameters
        self.trials = Trials(self.parameters)
        same = {one.name.text: one.name.text for one in self.parameters}
        graphs = [(one, self.trials.graph(own, same, one)) for one in instances]
        self.graphs = {one: graph for one, graph in graphs if graph is not None}
        self.is_whole = len(self.graphs) == len(instances)
        self.profiles = {one: Profile.of(graph) for one, graph in self.graphs.items()}
        self.perfect = sum(one.likeness(one) for one in self.profiles.values())
        sizes = [sum(1 for _ in graph.nodes()) for graph in self.graphs.values()]
        self.size = sum(sizes)
        self.trials.most = 2 * max(sizes, default=0) + 20

    def arguments(self, other: Block) -> Passed | None:
        """Arguments that speak of the parameters of the own block, with which `other` gives this.

        None where none are found with little work.
        """
        self.trials.budget = LEAST_WORK + TRIES * self.size
        inputs = other.definition.inputs or ("in",)
        if not self.is_whole or any(len(one.inputs) != len(inputs) for one in self.graphs):
            return None
        passed = _Search(self, other).best()
        return passed if passed is not None and self.is_given(other, passed) else None

    def is_given(self, other: Block, passed: Passed) -> bool:
        """Whether all calls are equal with these arguments."""
        self.trials.budget = 3 * self.size + LEAST_WORK
        for one, graph in self.graphs.items():
            theirs = self.trials.graph(other, passed, one)
            if theirs is None or difference(graph, theirs):
                return False
        return True


class _Search:
    """Goes from arguments to better ones, one parameter at a time."""

    def __init__(self, goal: Goal, other: Block) -> None:
        self.goal, self.other = goal, other
        self.perfect = goal.perfect
        self.scores: dict[str, float] = {}

    def best(self) -> Passed | None:
        """The arguments that come nearest; None where nothing comes near."""
        words = {one.name.text: self.words(one) for one in self.parameters()}
        best: Passed | None = None
        for choices in (words, self.with_numbers(words)):
            if not self.is_near(best) and all(choices.values()):
                best = self.nearest(islice(self.beginnings(choices), BEGINNINGS))
                if self.score(best) <= 0:
                    return None
            if best is not None and self.is_near(best):
                best = self.climbed(best, choices)
        return best

    def is_near(self, passed: Passed | None) -> bool:
        """Whether the search can go on from here."""
        return passed is not None and self.score(passed) >= SHARE * self.perfect

    def with_numbers(self, words: dict[str, list[str]]) -> dict[str, list[str]]:
        """The choices with numbers behind the words."""
        return {one.name.text: [*words[one.name.text], *self.numbers(one)]
                for one in self.parameters()}  # fmt: skip

    def climbed(self, best: Passed, choices: dict[str, list[str]]) -> Passed:
        """What no other choice for one parameter makes better; those not given yet come first."""
        is_better = True
        while is_better and self.score(best) < self.perfect:
            is_better = False
            for name, texts in sorted(choices.items(), key=lambda one: one[0] in best):
                trial = self.nearest(_with(best, name, text) for text in texts)
                if self.score(trial) > self.score(best):
                    best, is_better = trial, True
        return best

    def parameters(self) -> tuple[ast.Parameter, ...]:
        return self.other.definition.parameters

    def beginnings(self, choices: dict[str, list[str]]) -> Iterator[Passed]:
        """Every choice for what must be given, the likeliest for the rest."""
        required = [one.name.text for one in self.parameters() if one.default is None]
        rest = {name: texts[0] for name, texts in choices.items() if name not in required}
        for texts in product(*(choices[name] for name in required)):
            whole = {**dict(zip(required, texts, strict=True)), **rest}
            yield {name: text for name, text in whole.items() if text}

    def nearest(self, several: Iterable[Passed]) -> Passed:
        """The best of several; the first that leaves nothing to be wished."""
        best: Passed | None = None
        for passed in several:
            if best is None or self.score(passed) > self.score(best):
                best = passed
            if self.score(best) >= self.perfect:
                break
        assert best is not None
        return best

    def score(self, passed: Passed) -> float:
        key = str(sorted(passed.items()))
        if key not in self.scores:
            self.scores[key] = sum(self.likeness(one, passed) for one in self.goal.profiles)
        return self.scores[key]

    def likeness(self, instance: Instance, passed: Passed) -> float:
        graph = self.goal.trials.graph(self.other, passed, instance)
        return self.goal.profiles[instance].likeness(Profile.of(graph)) if graph else float("-inf")

    # --- what a parameter may be --------------------------------------------------------------

    def words(self, parameter: ast.Parameter) -> list[str]:
        """Own parameters, the one of the same name first; an empty text for the default."""
        wanted, kind = parameter.name.text, parameter.type
        own = [p.name.text for p in self.goal.parameters if takes(kind, p.type)]
        own = [name for name in own if self.may_be(parameter, self.values(name))]
        default = [""] * (parameter.default is not None)
        truths = ["true", "false"] if kind.name == "bool" and not kind.depth else []
        same = [name for name in own if name == wanted]
        return [*same, *default, *(name for name in own if name != wanted), *truths]

    def numbers(self, parameter: ast.Parameter) -> Iterator[str]:
        """Numbers and layers that stand in the calls, and formulas of own parameters."""
        kind = parameter.type
        ops = [op_of(node) for graph in self.goal.graphs.values() for node in graph.nodes()]
        if kind.name == "layer" and not kind.depth:
            yield from dict.fromkeys(layer_text(op) for op in ops if is_act(op))
            yield "identity"
        if kind.depth or kind.name not in ("int", "size", "float"):
            return
        wanted = float if kind.name == "float" else int
        values = [value for op in ops for value in numbers_of(op) if type(value) is wanted]
        values += COMMON if wanted is int else ()
        choices = {str(value): [value] * len(self.goal.graphs) for value in values}
        fitting = [text for text, vs in choices.items() if self.may_be(parameter, vs)]
        yield from dict.fromkeys([*fitting[:CONSTANTS], *fitting[-len(COMMON) :]])
        for one in self.goal.parameters if kind.name != "float" else ():
            values = self.values(one.name.text)
            for text, function in FORMULAS if all(type(v) is int for v in values) else ():
                results = [function(cast(int, value)) for value in values]
                if self.may_be(parameter, results):
                    yield text.format(one.name.text)

    def values(self, name: str) -> list[object]:
        """An own parameter in each call."""
        return [one.arguments[name] for one in self.goal.graphs]

    def may_be(self, parameter: ast.Parameter, values: Sequence[object]) -> bool:
        """Whether a parameter that is called as one of layers has a value that some layer has."""
        name = parameter.name.text
        if name not in AS_IN_LAYERS or parameter.type.name == "layer":
            return True
        graphs = self.goal.graphs.values()
        return all(v in settings_called(name, g) for v, g in zip(values, graphs, strict=True))


def settings_called(name: str, graph: Graph) -> list[object]:
    """What layers of a graph have as the parameter of this name."""
    settings = (setting for node in graph.nodes() for setting in op_of(node).settings())
    return [value for one, value in settings if one.name == name]


def numbers_of(op: Op) -> list[object]:
    """The numbers in a layer, or that a table begins with."""
    return [op.fill] if isinstance(op, Weight) else [value for _, value in op.settings()]


def takes(wanted: ast.TypeName, own: ast.TypeName) -> bool:
    """Whether a parameter of one type takes a value of another."""
    is_wider = (own.name, wanted.name) in (("int", "size"), ("int", "float"))
    return wanted.depth == own.depth and (wanted.name == own.name or is_wider)


def _with(passed: Passed, name: str, text: str) -> Passed:
    rest = {one: value for one, value in passed.items() if one != name}
    return {**rest, name: text} if text else rest
