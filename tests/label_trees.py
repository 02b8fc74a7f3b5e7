"""Random networks of labels that meet, and what docs/language.md, section 7, says of their paths.

Each network is a chain of `conv(3, 1)` and activations on three channels, grouped, repeated,
forked and put into blocks under labels with dots, drawn from so few words that they meet often:
`b: { ... }` and `b.f: conv(3, 1)`, in either order. Nothing of netdsl is used here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

WORDS = ["a", "b", "0", "1", "keys", "pop", "b-2", "conv1"]
WEIGHTLESS = ["relu", "tanh", "dropout(0.1)", "maxpool(1)", "flatten -> reshape([3, 4, 4])"]


@dataclass
class Stage:
    """`label: kind`; `chains` are the chains in its braces: one, or the branches of an `add`."""

    kind: str
    label: str = ""
    chains: list[list[Stage]] = field(default_factory=list)

    def text(self) -> str:
        head = "".join(f"{_written(self.label)}: " if self.label else "")
        if self.kind == "{}":
            return f"{head}{{ {_chain(self.chains[0])} }}"
        if self.kind == "repeat":
            return f"{head}repeat 2 {{ {_chain(self.chains[0])} }}"
        if self.kind == "add":
            return f"{head}add {{ {' ; '.join(map(_chain, self.chains))} }}"
        return f"{head}{self.kind}"


def _written(label: str) -> str:
    return ".".join(f'"{part}"' if "-" in part else part for part in label.split("."))


def _chain(stages: list[Stage]) -> str:
    return " -> ".join(stage.text() for stage in stages)


@dataclass
class Network:
    """Blocks `P` and `Q`, and the chain of a net."""

    blocks: dict[str, list[Stage]]
    stages: list[Stage]

    def text(self) -> str:
        blocks = "".join(f"block {n} {{ {_chain(s)} }}\n" for n, s in self.blocks.items())
        return f"{blocks}net A {{ input x: [3, 4, 4]\n output y = x -> {_chain(self.stages)} }}\n"


def label_tree(seed: int) -> Network:
    random = Random(seed)
    blocks = {"Q": _stages(random, 1, ()), "P": _stages(random, 1, ("Q",))}
    return Network(blocks, _stages(random, 2, ("P", "Q"), least=2))


def _stages(random: Random, depth: int, blocks: tuple[str, ...], least: int = 1) -> list[Stage]:
    return [_stage(random, depth, blocks) for _ in range(random.randint(least, 3))]


def _stage(random: Random, depth: int, blocks: tuple[str, ...]) -> Stage:
    parts = random.choices(WORDS, k=random.choice([1, 1, 2, 2, 3]))
    label = ".".join(parts) if random.random() < 0.8 else ""
    leaf = "conv(3, 1)" if random.random() < 0.6 else random.choice(WEIGHTLESS)
    if " -> " in leaf:
        label = ""
    kinds = [leaf] * 3 + (["{}", "{}", "repeat", "add", *blocks] if depth else [])
    kind = random.choice(kinds)
    if kind == "add":
        return Stage(kind, label, [_stages(random, depth - 1, blocks) for _ in range(2)])
    if kind in ("{}", "repeat"):
        return Stage(kind, label, [_stages(random, depth - 1, blocks)])
    return Stage(kind, label)


@dataclass(eq=False)
class Part:
    """Something with a path: `name` and the path of what it lies in. Leaves have a kind."""

    kind: str
    name: str
    inside: Part | None
    is_labelled: bool
    holds: bool = False

    @property
    def path(self) -> str:
        above = self.inside.path if self.inside else ""
        return f"{above}.{self.name}" if above and self.name else above or self.name


class Reader:
    """The parts of a network by the rules of the language, and the order in which they run."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.parts: list[Part] = []
        self.program = self._scope(network.stages, None, numbered=False)

    def is_legal(self) -> bool:
        """No two parts have one path, nothing lies below a layer with weights, and nothing in a

        body lies below a body that is written outside of it.
        """
        if any(self._is_torn(part) for part in self.parts):
            return False
        paths = [part.path for part in self.parts]
        heavy = {part.path for part in self.parts if part.kind == "conv(3, 1)"}
        inside = any(path.startswith(f"{h}.") for path in paths for h in heavy)
        return len(set(paths)) == len(paths) and not inside

    def _is_torn(self, part: Part) -> bool:
        own = part.inside.path if part.inside else ""
        for body in self.parts:
            outer = body.inside.path if body.inside else ""
            lies_below = part.path.startswith(f"{body.path}.") and body.path.startswith(f"{own}.")
            if body.holds and lies_below and own and len(outer) < len(own):
                return True
        return False

    def keys(self) -> Iterator[str]:
        for part in self.parts:
            if part.kind == "conv(3, 1)":
                yield from (f"{part.path}.weight", f"{part.path}.bias")

    def _scope(self, stages: list[Stage], inside: Part | None, *, numbered: bool) -> list:
        """The program of a scope of names, its parts named."""
        places: list[Part] = []
        program = self._chain(stages, inside, places)
        firsts = {part.name.split(".")[0] for part in places if part.is_labelled}
        counters: Counter[str] = Counter()
        for place, part in enumerate(places):
            if part.is_labelled:
                continue
            if numbered and (str(place) not in firsts or self._has_weights(part)):
                part.name = str(place)
                continue
            base = part.kind.split("(")[0].lower()
            while f"{base}{counters[base] + 1}" in firsts:
                counters[base] += 1
            counters[base] += 1
            part.name = f"{base}{counters[base]}"
        return program

    def _has_weights(self, part: Part) -> bool:
        """Whether it is a convolution, or holds one: else a label may take its place."""
        within = [leaf for leaf in self.parts if leaf.kind == "conv(3, 1)"]
        while within:
            if any(leaf is part for leaf in within):
                return True
            within = [leaf.inside for leaf in within if leaf.inside is not None]
        return False

    def _chain(self, stages: list[Stage], inside: Part | None, places: list[Part]) -> list:
        program: list = []
        for stage in stages:
            for leaf in stage.text().split(" -> ") if not stage.chains else [""]:
                program.append(self._stage(stage, leaf.split(": ")[-1], inside, places))
        return program

    def _stage(self, stage: Stage, kind: str, inside: Part | None, places: list[Part]) -> object:
        if not stage.label and stage.chains:
            return self._unlabelled(stage, inside, places)
        holds = bool(stage.chains) or kind in self.network.blocks
        part = Part(kind or stage.kind, stage.label, inside, bool(stage.label), holds)
        self.parts.append(part)
        places.append(part)
        if kind in self.network.blocks:
            return self._scope(self.network.blocks[kind], part, numbered=False)
        if not stage.chains:
            return part
        if stage.kind == "add":
            inner: list[Part] = []
            made = [self._chain(chain, part, inner) for chain in stage.chains]
            self._name_of_fork(inner)
            return tuple(made)
        (chain,) = stage.chains
        turns = chain * (2 if stage.kind == "repeat" else 1)
        return self._scope(turns, part, numbered=True)

    def _unlabelled(self, stage: Stage, inside: Part | None, places: list[Part]) -> object:
        if stage.kind == "add":
            made = tuple(self._chain(chain, inside, places) for chain in stage.chains)
            join = Part("add", "", inside, False)
            self.parts.append(join)
            places.append(join)
            return made
        turns = stage.chains[0] * (2 if stage.kind == "repeat" else 1)
        return self._chain(turns, inside, places)

    def _name_of_fork(self, places: list[Part]) -> None:
        firsts = {part.name.split(".")[0] for part in places if part.is_labelled}
        counters: Counter[str] = Counter()
        for part in places:
            if not part.is_labelled:
                base = part.kind.split("(")[0].lower()
                counters[base] += 1
                while f"{base}{counters[base]}" in firsts:
                    counters[base] += 1
                part.name = f"{base}{counters[base]}"
