"""What could be built of a file, right or wrong: to be drawn, never to be run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from netdsl.diagnostics import Diagnostic, DiagnosticError
from netdsl.files import check_not_read, write_whole
from netdsl.ir.graph import Graph, Node

if TYPE_CHECKING:
    from netdsl.backends.diagram import options as diagram


class Draft:
    """A picture of a network in the making. It is no `Network`: it has no shapes to rely on.

    `diagnostics` are those of `netdsl check`; `is_right` where none of them is an error.
    """

    def __init__(
        self,
        diagnostics: tuple[Diagnostic, ...],
        graph: Graph | None = None,
        stumps: Mapping[Node, tuple[Diagnostic, ...]] | None = None,
        sources: tuple[Path, ...] = (),
    ) -> None:
        self.diagnostics, self.sources = diagnostics, sources
        self._graph, self._stumps = graph, stumps or {}

    @property
    def is_right(self) -> bool:
        return not any(d.is_error for d in self.diagnostics)

    @property
    def is_empty(self) -> bool:
        """Whether nothing could be built, so that there is nothing to draw."""
        return self._graph is None

    def draw(self, path: str | Path, **options: Unpack[diagram.Choices]) -> list[str]:
        """Draw it into a file; parameters and errors as for `drawing` and `Network.draw`."""
        check_not_read([path], self.sources)
        data, notes = self.drawing(Path(path).suffix.removeprefix(".").lower(), **options)
        write_whole(path, data)
        return notes

    def drawing(
        self, form: str = "svg", **options: Unpack[diagram.Choices]
    ) -> tuple[bytes, list[str]]:
        """The drawing, with what is wrong in it, and remarks; parameters as for `Network.drawing`.

        Raises `DiagnosticError` where nothing could be built, `DrawError`, `EngineError`.
        """
        from netdsl.backends.diagram.draw import draw
        from netdsl.backends.diagram.flaws import flaws_of
        from netdsl.backends.diagram.options import Options

        if self._graph is None:
            raise DiagnosticError(self.diagnostics)
        flaws = flaws_of(self._graph, self.diagnostics, self._stumps)
        return draw(self._graph, form, Options(**options), flaws=flaws)
