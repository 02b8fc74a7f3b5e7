"""Networks whose sizes stay open, with the numbers that `--size` gives beside them."""

from __future__ import annotations

from netdsl.cli.options import Chosen
from netdsl.diagnostics import DiagnosticError
from netdsl.driver import load
from netdsl.network import Network


def loaded_open(
    file: str, chosen: Chosen, must_be_open: bool = False
) -> tuple[Network, dict[str, int] | None]:
    """The network with open sizes and the numbers for them; with fixed ones where it must be."""
    sizes = dict(chosen.how.get("sizes") or {})
    if not sizes or file == "-":
        return chosen.load(file), None
    fixed = chosen.load(file)  # which says what is wrong with these sizes
    try:
        opened = load(file, **{**chosen.how, "sizes": {}})
    except DiagnosticError:
        if must_be_open:
            raise
        return fixed, None
    partly = opened.graph.symbols and set(sizes) != set(opened.graph.symbols)
    return (fixed, None) if partly or not opened.graph.symbols else (opened, sizes)
