"""Neurons of a picture by name, and what to say where they can't be drawn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from netdsl.analyses.links import UnknownLinks
from netdsl.analyses.neurons import NoSuchPlace
from netdsl.backends.diagram.fonts import shorten, text_width
from netdsl.backends.diagram.options import DrawError


@contextmanager
def refusals() -> Iterator[None]:
    """Turns what has no neurons, or no known links, into a `DrawError` that says what there is."""
    try:
        yield
    except NoSuchPlace as error:
        raise DrawError(str(error)) from None
    except UnknownLinks as error:
        node = error.node
        raise DrawError(
            f"the links of `{node.op.name}` ({node.path}, line {node.span.line}) can't be drawn "
            "one by one; choose a neuron before it, or draw `--level blocks`"
        ) from None


def last_parts(path: str, size: float, width: float) -> str:
    """A path in bold, or as many of its last parts as fit."""
    shown, parts = path, path.split(".")
    while text_width(shown, size, True) > width and len(parts) > 1:
        parts = parts[1:]
        shown = ".." + ".".join(parts)
    return shorten(shown, size, width, True)
