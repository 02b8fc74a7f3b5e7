"""A picture as TikZ: to be put into a LaTeX document, or a document of its own."""

from __future__ import annotations

from collections.abc import Iterator

from netdsl.backends.diagram.formats.paths import DASHES, number, pieces
from netdsl.backends.diagram.formats.tex_letters import TexLetters
from netdsl.backends.diagram.options import DrawError
from netdsl.backends.diagram.scene import (
    Box,
    Curve,
    Ellipse,
    Group,
    Item,
    Picture,
    Point,
    Polygon,
    Text,
)
from netdsl.backends.diagram.theme import Theme

_SETTINGS = r"""\begingroup
\ifdefined\netdslbox\else\newsavebox\netdslbox\fi
% the font of all texts; define it before, in \sffamily's place
\providecommand\netdslfont{\sffamily}%
% a letter that plain LaTeX lacks, by its number
\providecommand\netdslchar[1]{{\fboxsep=0.1em\fbox{\tiny #1}}}%
% a text, pressed where it is wider than its room: \netdsltext{room}{size}{text}
\def\netdsltext#1#2#3{\sbox\netdslbox{\netdslfont\fontsize{#2}{#2}\selectfont #3}%
  \ifdim\wd\netdslbox>#1\resizebox*{#1}{\totalheight}{\usebox\netdslbox}\else\usebox\netdslbox\fi}%
"""
_BEGIN = r"\begin{tikzpicture}[x=1bp,y=-1bp,every node/.style={inner sep=0pt,outer sep=0pt}]"
_HEAD = r"""\RequirePackage{fix-cm}
\documentclass{article}
\usepackage{tikz}
% for the letters the picture is laid out for: \usepackage{helvet}
\begin{document}
\setbox0=\hbox{%
"""
_FOOT = r"""}
\ifdefined\pagewidth\let\pdfpagewidth\pagewidth\let\pdfpageheight\pageheight\fi
\pdfpagewidth=\wd0 \pdfpageheight=\ht0 \hoffset=-1in \voffset=-1in
\shipout\box0
\end{document}
"""
LONGEST = 16_000
_ANCHORS = {"start": "base west", "middle": "base", "end": "base east"}


def tikz(picture: Picture, theme: Theme, width: float | None, *, whole: bool = False) -> bytes:
    """A `tikzpicture` of the width, y downwards; `whole` is a document with a page of its size."""
    scale = 1.0 if width is None else width / picture.width
    if max(picture.width, picture.height) * scale > LONGEST:
        raise DrawError(
            f"the picture is longer than the {LONGEST:,} points that TeX reckons with; "
            "write .pdf, or ask for a smaller `--width`"
        )
    letters = TexLetters()
    writer = _Writer(theme, scale, letters)
    paper = Box(0, 0, picture.width, picture.height, "paper")
    drawn = [*writer.items([paper, *picture.items])]
    lines = [
        f"% {_comment(picture.title)}: {_comment(picture.description)}",
        *_SETTINGS.splitlines(),
    ]
    for role, name in writer.roles.items():
        lines.append(f"\\definecolor{{{name}}}{{HTML}}{{{theme[role].lstrip('#').upper()}}}%")
    lines += [_BEGIN, f"\\useasboundingbox {writer.outline(paper)};"]
    lines += [*drawn, r"\end{tikzpicture}%", r"\endgroup"]
    if letters.missing:
        shown = ", ".join(f"`{letter}`" for letter in letters.missing)
        picture.notes.append(
            f"plain LaTeX has no {shown}: drawn as codes in boxes; define \\netdslchar, which gets "
            "the number of the letter"
        )
    text = "\n".join(lines) + "%\n"
    return (f"{_HEAD}{text}{_FOOT}" if whole else text).encode("utf-8", "replace")


class _Writer:
    """Writes shapes; `roles` are the colours that they have, with their names."""

    def __init__(self, theme: Theme, scale: float, letters: TexLetters) -> None:
        self.theme, self.scale, self.letters = theme, scale, letters
        self.roles: dict[str, str] = {}

    def items(self, items: list[Item] | tuple[Item, ...]) -> Iterator[str]:
        for item in items:
            if isinstance(item, Group):
                name = dict(item.data).get("path") or item.id
                if name:
                    yield f"% {_comment(name)}"
                yield from self.items(item.items)
            elif isinstance(item, Text):
                yield self._text(item)
            else:
                yield f"\\path[{self._paint(item)}] {self.outline(item)};"

    def _text(self, text: Text) -> str:
        bold = r"\bfseries " if text.bold else ""
        room, size = number(text.width * self.scale), number(text.size * self.scale)
        shown = f"\\netdsltext{{{room}bp}}{{{size}bp}}{{{bold}{self.letters.text(text.text)}}}"
        style = f"anchor={_ANCHORS[text.anchor]},text={self._colour(text.colour)}"
        return f"\\node[{style}] at {self._at((text.x, text.y))} {{{shown}}};"

    def _paint(self, shape: Box | Polygon | Curve | Ellipse) -> str:
        fill = "" if isinstance(shape, Curve) else shape.fill
        parts = [f"fill={self._colour(fill)}"] if fill else []
        if shape.line:
            parts += [
                f"draw={self._colour(shape.line)}",
                f"line width={self._length(shape.stroke)}",
            ]
            if shape.dash:
                on, off = DASHES[shape.dash]
                parts.append(f"dash pattern=on {self._length(on)} off {self._length(off)}")
        if isinstance(shape, Box) and shape.radius:
            radius = min(shape.radius, shape.width / 2, shape.height / 2)
            parts.append(f"rounded corners={self._length(radius)}")
        if shape.opacity != 1:
            parts.append(f"opacity={number(shape.opacity)}")
        return ",".join(parts)

    def _length(self, length: float) -> str:
        return f"{number(length * self.scale)}bp"

    def _colour(self, role: str) -> str:
        """The name of a role's colour: `netdslConvFill`."""
        name = "netdsl" + "".join(part.capitalize() for part in role.split("."))
        return self.roles.setdefault(role, name)

    def outline(self, shape: Box | Polygon | Curve | Ellipse) -> str:
        if isinstance(shape, Box):
            corner = shape.x + shape.width, shape.y + shape.height
            return f"{self._at((shape.x, shape.y))} rectangle {self._at(corner)}"
        if isinstance(shape, Ellipse):
            radii = f"x radius={self._length(shape.rx)},y radius={self._length(shape.ry)}"
            return f"{self._at((shape.x, shape.y))} ellipse [{radii}]"
        if isinstance(shape, Polygon):
            return " -- ".join(map(self._at, shape.points)) + " -- cycle"
        steps = [self._at(shape.points[0])]
        for piece in pieces(shape.points):
            *handles, end = map(self._at, piece)
            bent = f".. controls {handles[0]} and {handles[1]} .." if handles else "--"
            steps.append(f"{bent} {end}")
        return " ".join(steps)

    def _at(self, point: Point) -> str:
        return f"({number(point[0] * self.scale)},{number(point[1] * self.scale)})"


def _comment(text: str) -> str:
    """One line of a text, so that it stays a comment."""
    return " ".join(text.split())
