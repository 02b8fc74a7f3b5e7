"""Where weights lie: paths from the names that a file has for them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from netdsl.importers.program import Path

ODD = re.compile(r"[^A-Za-z0-9_-]+")
COUNTED = re.compile(r"onnx::|/|_|\d|const|val_\d|[A-Z][A-Za-z]*_\d|[A-Za-z]?\d*$")
"""How names begin that an exporter has counted, not a person."""
ENDING = re.compile(
    r"(^|_)(weights?|bias(es)?|kernel|gamma|beta|scale|mean|var|w|b|s|W|B|rm|riv)(_\d+)?$"
)
"""What names of weights end in, where they have no dot."""
LONGEST_PART, MOST_PARTS = 60, 40
TAKEN = frozenset((
    "T_destination", "add_module", "apply", "bfloat16", "buffers", "call_super_init",
    "children", "compile", "cpu", "cuda", "double", "dump_patches", "eval", "extra_repr",
    "float", "forward", "get_buffer", "get_extra_state", "get_parameter", "get_submodule",
    "half", "ipu", "load_state_dict", "modules", "mtia", "named_buffers", "named_children",
    "named_modules", "named_parameters", "parameters", "register_backward_hook",
    "register_buffer", "register_forward_hook", "register_forward_pre_hook",
    "register_full_backward_hook", "register_full_backward_pre_hook",
    "register_load_state_dict_post_hook", "register_load_state_dict_pre_hook",
    "register_module", "register_parameter", "register_state_dict_post_hook",
    "register_state_dict_pre_hook", "requires_grad_", "set_extra_state", "set_submodule",
    "share_memory", "state_dict", "to", "to_empty", "train", "training", "type", "xpu",
    "zero_grad",
))  # fmt: skip
"""What every module of PyTorch has, so that no layer can be called so."""

RESERVED = frozenset((
    "net", "use", "as", "fn", "block", "input", "output", "let", "weight", "layer", "repeat",
    "for", "in", "if", "else", "and", "or", "not", "true", "false", "when", "training", "where",
    "none", "end", "inline", "each",
))  # fmt: skip
"""Words of the language."""


class Names:
    """Hands out paths, each once; nothing lies below a path that holds weights."""

    def __init__(self) -> None:
        self._leaves: set[Path] = set()
        self._inner: set[Path] = set()

    def claim(self, wanted: Path) -> Path:
        """The path, or one like it that is free."""
        wanted = clean(wanted) or ("layer",)
        number = 1
        path = wanted
        while self._clashes(path):
            number += 1
            path = (*wanted[:-1], f"{wanted[-1]}_{number}")
            if any(path[:end] in self._leaves for end in range(1, len(path))):
                path = ("_".join(wanted) + f"_{number}",)
        self._leaves.add(path)
        self._inner.update(path[:end] for end in range(1, len(path)))
        return path

    def _clashes(self, path: Path) -> bool:
        above = any(path[:end] in self._leaves for end in range(1, len(path) + 1))
        return above or path in self._inner


def clean(path: Sequence[str]) -> Path:
    """Parts that can stand in a label."""
    parts = [ODD.sub("_", part)[:LONGEST_PART].strip("_-") or "_" for part in path if part]
    parts = [f"{part}_" if part in TAKEN or part.startswith("__") else part for part in parts]
    return tuple(parts[:MOST_PARTS])


def as_name(path: Sequence[str]) -> Path:
    """A path whose last part is a word that can stand for a value."""
    *inner, last = clean(path) or ("table",)
    last = last.replace("-", "_")
    return (*inner, f"w{last}" if not last[0].isalpha() or last in RESERVED else last)


def split_key(name: str) -> tuple[Path, str]:
    """`features.0.weight` as its path and its last word."""
    *path, last = re.split(r"[./]", name)
    return tuple(path), last


def trimmed(name: str) -> str:
    """`conv1_w_0` as `conv1`; empty where nothing is left."""
    return ENDING.sub("", name)


def tells(name: str) -> bool:
    """Whether a person has given a name, and not an exporter that counts."""
    return bool(name) and COUNTED.match(name) is None
