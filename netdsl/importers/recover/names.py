"""Names of values, free in the net or block that they belong to."""

from __future__ import annotations

import re
from collections.abc import Iterable

from netdsl.importers.program import Call, Path, Value
from netdsl.importers.recover.forks import Node
from netdsl.importers.recover.regions import Scope
from netdsl.importers.recover.weights import has_weights
from netdsl.ops import registry
from netdsl.syntax.lexing import WORDS

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
KEPT = frozenset(
    (
        *(word.lower() for word in WORDS),
        "_",
        "inline",
        "each",
        "in",
        "true",
        "false",
        "end",
        "none",
        "len",
        "min",
        "max",
    )
)
INPUTS = ("x", "y", "z")
WORDS_FOR = {
    "add": "sum", "concat": "joined", "mul": "product", "sub": "difference", "div": "quotient",
    "relu": "maps", "silu": "maps", "leaky_relu": "maps", "maxpool": "pooled",
    "avgpool": "pooled", "upsample": "large", "reshape": "shaped", "permute": "turned",
    "split": "part", "slice": "part", "batchnorm": "normal", "": "part",
}  # fmt: skip
"""What results of layers are called that have no label."""


class Names:
    """The names of a net or block."""

    def __init__(self, labels: Iterable[str]) -> None:
        self.of: dict[Value, str] = {}
        self.labels = set(labels)
        self.taken: set[str] = set()
        self.quoted: set[str] = set()

    def is_free(self, name: str) -> bool:
        return name not in self.taken and name not in KEPT and name not in registry()

    def give(self, value: Value, name: str, *, is_label: bool = False) -> str:
        """Name a value so, or with a number behind it."""
        text = stem = _word(name)
        number = 1
        while not self.is_free(text) or (text in self.labels and not is_label):
            number += 1
            between = "_" if stem[-1].isdigit() else ""
            text, is_label = f"{stem}{between}{number}", False
        self.taken.add(text)
        self.of[value] = text
        return text

    def name_result(self, value: Value, node: Node, base: Path) -> str:
        """Name a result by what the source calls it, by its label, or by its layer."""
        label = label_of(node.item, base)
        if value.name and WORD.fullmatch(value.name) and self.is_free(value.name):
            return self.give(value, value.name, is_label=value.name == label)
        if label:
            return self.give(value, label, is_label=len(node.outputs) == 1)
        layer = node.item.layer if isinstance(node.item, Call) else node.item.kind.lower()
        return self.give(
            value, WORDS_FOR.get(layer, f"{layer}_out" if layer in registry() else layer)
        )

    def name_inputs(self, scope: Scope, values: list[Value]) -> tuple[str, ...]:
        """The names of what flows into a block."""
        own = dict(zip(scope.region.inputs, scope.region.input_names, strict=False))
        spare = iter((*INPUTS, *(f"x{n}" for n in range(len(INPUTS), len(values) + 1))))
        return tuple(self.give(value, own.get(value) or next(spare)) for value in values)


def label_of(item: Call | Scope, base: Path) -> str:
    """The label of a part as one word below the path `base`; empty if it has none."""
    if not (item.has_weights if isinstance(item, Scope) else has_weights(item)):
        return ""
    path = item.path[len(base) :]
    return "_".join(path)


def _word(name: str) -> str:
    text = re.sub(r"\W", "_", name, flags=re.ASCII)
    return text if WORD.fullmatch(text) else f"x{text}"
