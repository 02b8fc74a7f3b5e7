"""A sketch as text: one unit a line in a net, chains broken before arrows where they are long."""

from __future__ import annotations

from textwrap import wrap

from netdsl.importers.marked import Marks
from netdsl.importers.recover.inline import Inline, width
from netdsl.importers.recover.sketch import Body, Chain, Definition, Line, Stage
from netdsl.ops import registry

WIDTH = 104
"""Chains are broken where they would become longer; the formatter breaks at 120."""
NARROW = 76
"""Braces with several lines or branches are broken beyond this."""
FOLLOWERS = frozenset(("norms", "activations", "regularising"))
"""Families of layers that stand on the line of the layer before them."""
UNITS = 3
"""A chain of more units than these in a net has a line for each."""


class Writer:
    """Writes nets and blocks."""

    def __init__(self, definitions: list[Definition], marks: Marks) -> None:
        self.marks = marks
        self.inline = Inline({one.name: one for one in definitions}, marks)
        self.lines: list[str] = []

    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    def net(self, name: str, body: Body, origin: object, doc: str, classes: int) -> None:
        self._doc(doc)
        parameters = f"(classes: int = {classes})" if classes else ""
        self.lines.append(f"{self._mark(origin)}net {name}{parameters} {{")
        self._net_lines(body)
        self.lines.append("}")

    def block(self, one: Definition) -> None:
        self.lines.append("")
        self._doc(one.doc)
        parameters = ", ".join(
            f"{p.name}: {p.kind}" + (f" = {p.default}" if p.default else "") for p in one.parameters
        )
        head = f"block {one.name}" + (f"({parameters})" if parameters else "")
        inputs = f" ({', '.join(one.inputs)})" if one.inputs else ""
        self.lines.append(f"{self._mark(one.origin)}{head}{inputs} {{")
        self.lines += self.body_lines(one.body, 4)
        self.lines.append("}")

    def _doc(self, doc: str) -> None:
        for line in doc.splitlines():
            self.lines += (f"# {part}".rstrip() for part in wrap(line, WIDTH - 4) or [""])

    def _mark(self, origin: object) -> str:
        return self.marks.mark(origin)  # type: ignore[arg-type]

    def _net_lines(self, body: Body) -> None:
        before = True
        for number, line in enumerate(body.lines):
            texts = self.line(line, 4, is_net=True)
            is_long = len(texts) > 1
            is_first_chain = not line.declared and number and body.lines[number - 1].declared
            if number and (is_first_chain or is_long or before):
                self.lines.append("")
            self.lines += texts
            before = is_long

    # --- bodies -------------------------------------------------------------------------------

    def body_lines(self, body: Body, indent: int) -> list[str]:
        return [text for line in body.lines for text in self.line(line, indent)]

    def line(self, line: Line, indent: int, *, is_net: bool = False) -> list[str]:
        prefix = " " * indent + self.marks.mark(line.origin) + self.inline.prefix(line)
        if line.declared:
            return [prefix + self.inline.rest(line)]
        suffix = " when training" if line.when_training else ""
        return self.chain(line.chain, prefix, indent, suffix, is_net=is_net)

    def chain(
        self, chain: Chain, prefix: str, indent: int, suffix: str = "", *, is_net: bool = False
    ) -> list[str]:
        """A chain on one line, or with a line for each unit."""
        rows = rows_of(chain)
        text = prefix + self.inline.chain(chain) + suffix
        is_short = not is_net or len(rows) <= UNITS
        if is_short and width(text) <= WIDTH and not self.needs_lines(chain):
            return [text]
        lines = [prefix]
        if chain.source is not None:
            lines[-1] += chain.source
        elif chain.several:
            self._tuple(chain.several, lines, indent)
        else:
            self._row(rows.pop(0), lines, indent)
        for row in rows:
            lines.append(" " * (indent + 4) + "-> ")
            self._row(row, lines, indent + 4)
        lines[-1] += suffix
        return lines

    def _tuple(self, chains: list[Chain], lines: list[str], indent: int) -> None:
        texts = [self.inline.chain(one) for one in chains]
        if width(f"{lines[-1]}({', '.join(texts)})") <= WIDTH:
            lines[-1] += f"({', '.join(texts)})"
            return
        lines[-1] += "("
        for number, one in enumerate(chains, 1):
            inner = self.chain(one, " " * (indent + 4), indent + 4)
            lines += inner
            lines[-1] += "," * (number < len(chains))
        lines.append(" " * indent + ")")

    def _row(self, row: list[Stage], lines: list[str], indent: int) -> None:
        """Stages behind what the last line holds."""
        for number, stage in enumerate(row):
            lines[-1] += " -> " if number else ""
            text = self.inline.stage(stage)
            if not self._is_long(stage) and width(lines[-1] + text) <= WIDTH:
                lines[-1] += text
            else:
                self._stage(stage, lines, indent)

    def _stage(self, stage: Stage, lines: list[str], indent: int) -> None:
        head = self.inline.head(stage)
        space = "" if head.endswith(" ") or stage.kind == "group" else " "
        if stage.branches:
            lines[-1] += f"{head} {{"
            for one in stage.branches:
                lines += self.chain(one, " " * (indent + 4), indent + 4)
        elif stage.body is not None:
            lines[-1] += f"{head}{space}{{"
            lines += self.body_lines(stage.body, indent + 4)
            if stage.otherwise is not None:
                lines.append(" " * indent + "} else {")
                lines += self.body_lines(stage.otherwise, indent + 4)
        else:
            lines[-1] += head
            return
        lines.append(" " * indent + "}")

    # --- what stands on one line --------------------------------------------------------------

    def needs_lines(self, chain: Chain) -> bool:
        """Whether braces in it are too long for one line."""
        return any(map(self._is_long, chain.stages)) or any(map(self.needs_lines, chain.several))

    def _is_long(self, stage: Stage) -> bool:
        parts = stage.branches or ([*stage.body.lines] if stage.body else [])
        if not parts:
            return False
        text = self.inline.stage(stage)
        most = NARROW if len(parts) > 1 else WIDTH - 8
        if width(text) > most or text.count("{") > 3:
            return True
        chains = [part if isinstance(part, Chain) else part.chain for part in parts]
        return any(self.needs_lines(chain) for chain in chains)


def rows_of(chain: Chain) -> list[list[Stage]]:
    """The stages of a chain by units: what follows a layer closely stands on its line."""
    rows: list[list[Stage]] = []
    for stage in chain.stages:
        layer = registry().get(stage.name) if stage.kind == "layer" else None
        follows = layer is not None and layer.family in FOLLOWERS and not stage.branches
        is_act = stage.kind == "layer" and layer is None
        if rows and (follows or is_act) and rows[-1][-1].body is None:
            rows[-1].append(stage)
        else:
            rows.append([stage])
    return rows
