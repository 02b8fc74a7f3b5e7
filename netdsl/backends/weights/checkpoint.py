"""Tensors by key, from a file or from memory, whatever they are kept in."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from netdsl.backends.weights.renaming import Rename, new_names
from netdsl.backends.weights.safetensors import Tensors
from netdsl.diagnostics import Diagnostic, DiagnosticError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

DEEPEST = 8
AS_STATE = "save `module.state_dict()`: what runs code when it is read is refused"
TRUSTED = (
    "save the tensors alone, where its source is trusted: "
    "`torch.save(torch.load(FILE, weights_only=False)[...], 'weights.pt')`"
)
PICKLE = b"\x80"
PICKLED = (".pt", ".pth", ".ckpt", ".bin", ".tar")
"""Endings of files that `torch.save` writes."""
FOREIGN = re.compile(r"GLOBAL ([\w.]+)")


@dataclass(frozen=True, slots=True)
class Held:
    """What is known of a tensor without its numbers."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Tensors by key; `name` is what messages call it, `read` gives the numbers of one."""

    name: str
    held: Mapping[str, Held]
    read: Callable[[str], Array]

    def renamed(self, rules: Rename | None) -> Checkpoint:
        """The keys that fit one of the rules, under their new names."""
        if not rules:
            return self
        names = new_names(self.held, rules)
        held = {name: self.held[key] for name, key in names.items()}
        return Checkpoint(self.name, held, lambda name: self.read(names[name]))


def opened(source: object) -> Checkpoint:
    """The checkpoint in a file (its path), a `state_dict`, or a module.

    Of a `.safetensors` file only the header is read, without torch or numpy. Raises
    `DiagnosticError` for what is none, `ModuleNotFoundError` where a `.pt` file needs torch.
    """
    if isinstance(source, str | Path):
        return _from_file(Path(source))
    state: object = getattr(source, "state_dict", lambda: source)()
    if not isinstance(state, Mapping):
        message = f"weights are a state_dict, a module or a file, not {source!r:.80}"
        _refuse("bad-weights", message)
    return _from_table("the state_dict", state)


def _from_file(path: Path) -> Checkpoint:
    try:
        if path.exists() and not path.is_file() and not path.is_dir():  # a pipe would block
            _refuse("bad-weights", f"{path} is no plain file")
        with open(path, "rb") as file:
            head = file.read(2)
        if path.suffix == ".safetensors":
            return _from_safetensors(path)
        if path.suffix in PICKLED:
            return _from_torch(path, head)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        _refuse("unreadable-file", f"can't read {path}: {reason}")
    if path.name.endswith(".index.json"):
        help = "give the tensors of all of them as one `state_dict` in Python"
        _refuse("bad-weights", f"{path} is an index of several files", help)
    _refuse("bad-weights", f"{path} is none of .safetensors, {', '.join(PICKLED)}")


def _from_safetensors(path: Path) -> Checkpoint:
    try:
        file = Tensors(path)
    except ValueError as error:
        _refuse("bad-weights", f"{path} is no safetensors file that can be read: {error}")
    held = {key: Held(entry.shape, entry.dtype) for key, entry in file.entries.items()}
    return Checkpoint(str(path), held, file.array)


def _from_torch(path: Path, head: bytes) -> Checkpoint:
    try:
        import torch
    except ModuleNotFoundError:
        _refuse(
            "bad-weights",
            f"{path} can be read with PyTorch only, which is not installed",
            "`pip install torch`, or save it as .safetensors where it is installed",
        )
    mapped = False  # files from before version 1.6 are no archives, and can't be
    try:
        mapped = zipfile.is_zipfile(path)
        with warnings.catch_warnings(action="ignore"):
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except OSError:
        raise
    except Exception as error:  # a broken file may fail anywhere in torch's reader
        why, help = _what_torch_refuses(str(error), head, is_archive=mapped)
        _refuse("bad-weights", f"{path} {why}", help)
    if not isinstance(state, Mapping):
        why = f"{path} holds no table of tensors; what it holds is of type {type(state).__name__}"
        _refuse("bad-weights", why, AS_STATE)
    return _from_table(str(path), state)


def _what_torch_refuses(reason: str, head: bytes, *, is_archive: bool) -> tuple[str, str]:
    """What kind of file it is that could not be loaded, and what to do."""
    if not head:
        return "is empty", ""
    if head == b"PK" and not is_archive:
        return "is cut off: the end of the archive is missing", "download or save it again"
    if "TorchScript" in reason:
        program = "give `torch.jit.load(FILE)` as weights in Python, or save its `state_dict()`"
        return "holds no plain weights: it is a TorchScript program", program
    foreign = FOREIGN.search(reason)
    if foreign is not None:
        asks = f"reading it would run code, as it asks for `{foreign[1]:.100}`"
        return f"holds no plain weights: {asks}", TRUSTED
    if head != b"PK" and not head.startswith(PICKLE):
        return "is no file of PyTorch's: it begins otherwise", ""
    if not is_archive:
        return "holds no plain weights: it is no pickle that `torch.save` writes", TRUSTED
    first = re.split(r"(?<=[a-z0-9])\. ", reason.partition("\n")[0])[0]
    return f"holds no plain weights: {first:.200}", AS_STATE


def _from_table(name: str, state: Mapping[Any, Any]) -> Checkpoint:
    """Tables within the table, as training scripts save them, give keys joined by dots."""
    tensors: dict[str, Any] = {}
    for key, tensor in _flat(state, "", DEEPEST):
        if key in tensors:
            _refuse("bad-weights", f"{name} holds `{key:.80}` twice")
        tensors[key] = tensor
    if state and not tensors:
        _refuse("bad-weights", f"{name} is a table without tensors", AS_STATE)
    held = {key: _held(tensor) for key, tensor in tensors.items()}
    return Checkpoint(name, held, lambda key: _array(tensors[key]))


def _flat(table: Mapping[Any, Any], prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    """The tensors of a table; what is neither a tensor nor a table (an epoch) is no weight."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            if depth:
                yield from _flat(value, f"{prefix}{key}.", depth - 1)
        elif hasattr(value, "shape") and hasattr(value, "dtype"):
            yield f"{prefix}{key}", value


def _held(tensor: Any) -> Held:
    layout = str(getattr(tensor, "layout", "torch.strided")).removeprefix("torch.")
    device = "meta " if getattr(tensor, "is_meta", False) else ""
    kind = device + ("" if layout == "strided" else f"{layout} ")
    return Held(tuple(tensor.shape), kind + str(tensor.dtype).removeprefix("torch."))


def _array(tensor: Any) -> Array:
    if not hasattr(tensor, "detach"):
        return tensor
    tensor = tensor.detach().cpu()
    return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()


def _refuse(code: str, message: str, help: str = "") -> NoReturn:
    raise DiagnosticError([Diagnostic(code, message, None, help=(help,) if help else ())])
