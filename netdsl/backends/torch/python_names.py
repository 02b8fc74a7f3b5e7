"""Names of a file as Python takes them: variables, classes, fields, attributes, texts."""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Collection, Iterable
from unicodedata import normalize

from netdsl.backends.torch.formulas import FUNCTIONS
from netdsl.backends.torch.helper_code import own_names, plugin_names
from netdsl.backends.torch.members import recipe_of
from netdsl.ir.graph import Graph
from netdsl.ops.recipe import TorchModule

IMPORTED = frozenset(["Tensor", "OrderedDict", "NamedTuple", "F", "nn", "torch"])
CALLED = frozenset([*FUNCTIONS, "getattr", "isinstance", "super"])
"""What generated source calls of Python's own, which no variable may hide."""


def module_names(graph: Graph) -> frozenset[str]:
    """What a source defines or imports besides the blocks' classes: no variable is called so."""
    name = class_name(graph)
    return IMPORTED | _helpers(graph) | {name, outputs_name(graph)}


def class_name(graph: Graph) -> str:
    """The net's own name, unless Python or the generated source needs that name."""
    name = graph.name
    if name.startswith("__"):  # which Python would mangle where the class uses it
        name = f"_{name.strip('_')}"
    return f"{name}Net" if _is_taken(name, _helpers(graph)) else name


def outputs_name(graph: Graph) -> str:
    """The class of the outputs, where there are several."""
    return f"{class_name(graph)}Outputs"


def block_name(raw: str) -> str:
    """A class for a block, or for a labelled part: `down_2` is `Down2`."""
    plain = normalize("NFKC", raw)
    words = "".join(c if f"a{c}".isidentifier() and c != "_" else " " for c in plain).split()
    name = "".join(w[:1].upper() + w[1:] for w in words) or "Part"
    name = name if name.isidentifier() and name[0].isalpha() else f"Part{name}"
    return f"{name}Block" if _is_taken(name, ()) else name


def _is_taken(name: str, helpers: Collection[str]) -> bool:
    return keyword.iskeyword(name) or name in IMPORTED or name in helpers or hasattr(builtins, name)


def _helpers(graph: Graph) -> frozenset[str]:
    """What the helpers define, those of plug-ins included."""
    names = set(own_names())
    for node in graph.nodes():
        if type(node.op).__module__.startswith("netdsl.ops."):
            continue
        recipe = recipe_of(node)
        if isinstance(recipe, TorchModule) and recipe.helper:
            names |= {recipe.target, *plugin_names(recipe.helper)}
    return frozenset(names)


def variable(name: str, taken: Collection[str] = ()) -> str:
    """A variable, or a parameter, called so or as near to it as can be, that is not in `taken`."""
    clean = "".join(c if c.isascii() and c.isalnum() else "_" for c in name)
    if clean.startswith("__") or not clean.strip("_"):  # mangled in a class, or thrown away
        clean = f"_{clean.strip('_')}"
    if clean == "_" or clean[0].isdigit():
        clean = f"v{clean}"
    if keyword.iskeyword(clean) or clean == "self" or clean in CALLED or clean in taken:
        clean = f"{clean}_"
    free, number = clean, 1
    while free in taken:
        number += 1
        free = f"{clean}{number}"
    return free


def field_names(names: Iterable[str]) -> list[str]:
    """The fields of a `NamedTuple`: none is a keyword, begins with an underscore, or is twice."""
    wanted = list(names)
    fields: list[str] = []
    for name in wanted:
        field = name.lstrip("_")
        field = field if field[:1].isalpha() else f"output{field}"
        field = f"{field}_" if field != name or keyword.iskeyword(field) else field
        while field != name and (field in wanted or field in fields):
            field += "_"
        fields.append(field)
    return fields


def is_plain(name: str) -> bool:
    """Whether Python takes an attribute after a dot as it stands, also in a class."""
    is_mangled = name.startswith("__")
    is_same = name.isidentifier() and normalize("NFKC", name) == name
    return is_same and not is_mangled and not keyword.iskeyword(name)
