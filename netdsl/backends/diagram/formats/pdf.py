"""A picture as PDF: one page of its size, in the standard fonts that every reader has."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from math import ceil

from netdsl.backends.diagram.fonts import advance
from netdsl.backends.diagram.formats.letters import (
    BOLD,
    REGULAR,
    SIGNS,
    Glyph,
    Placed,
    Setter,
    code_box,
)
from netdsl.backends.diagram.formats.paths import (
    DASHES,
    number,
    pieces,
    round_outline,
    rounded_box,
)
from netdsl.backends.diagram.formats.symbol import SYMBOL
from netdsl.backends.diagram.scene import Box, Curve, Ellipse, Picture, Point, Polygon, Shape, Text
from netdsl.backends.diagram.theme import Theme

LARGEST_PAGE = 14_400
"""Units along a side of a page; of a larger picture a unit is several points."""
_FONTS = {REGULAR: "R", BOLD: "B", SIGNS: "S"}
_CODES = range(32, 256)
_NO_LETTER, _BULLET = "\ufffd", "•"
"""Codes without a letter are bullets."""
_STEMS = {REGULAR: 76, BOLD: 118}
_BOXES = {REGULAR: "-166 -225 1000 931", BOLD: "-170 -228 1003 962"}


def pdf(
    picture: Picture, theme: Theme, width: float | None, setter: Setter, author: str = ""
) -> bytes:
    """The file, not compressed, so that its bytes are the same everywhere; text can be searched."""
    scale = 1.0 if width is None else width / picture.width
    unit = ceil(max(picture.width, picture.height) * scale / LARGEST_PAGE)
    scale /= unit
    page = _Page(theme, setter)
    page.shape(Box(0, 0, picture.width, picture.height, "paper"))
    for shape in picture.shapes():
        page.shape(shape)
    setter.remark(picture)
    size = f"{number(picture.width * scale)} {number(picture.height * scale)}"
    turned = f"{scale:.6g} 0 0 {-scale:.6g} 0 {number(picture.height * scale)} cm 4 M"
    content = "\n".join([turned, *page.steps]).encode("latin-1")
    states = " ".join(f"/O{k} << /ca {o} /CA {o} >>" for k, o in enumerate(page.opacities))
    fonts, described = _fonts(sorted(page.fonts), 6)
    first = 6 + len(described)
    glyphs = " ".join(f"/G{k} {first + k} 0 R" for k in page.glyphs.values())
    larger = f"/UserUnit {unit} " if unit > 1 else ""
    return _file(
        "1.6" if larger else "1.5",  # the version that has larger units; what LaTeX takes in
        b"<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /DisplayDocTitle true >> >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {size}] {larger}/Contents 4 0 R "
        f"/Resources << /Font << {fonts} >> /ExtGState << {states} >> "
        f"/XObject << {glyphs} >> >> >>".encode(),
        _stream("", content),
        _about(picture, author),
        *described,
        *map(_letter, page.glyphs),
    )


class _Page:
    """The steps that paint a page; what is set already, such as a colour, is not set again."""

    def __init__(self, theme: Theme, setter: Setter) -> None:
        self.theme, self.setter = theme, setter
        self.steps: list[str] = []
        self.fonts: set[str] = set()
        self.opacities: list[str] = []
        self.glyphs: dict[Glyph, int] = {}
        self._now = {"opacity": "", "width": "1 w", "dash": "[] 0 d"}

    def shape(self, shape: Shape) -> None:
        if isinstance(shape, Text):
            self._text(shape)
            return
        fill = "" if isinstance(shape, Curve) else shape.fill
        if not fill and not shape.line:
            return
        self._opacity(shape.opacity)
        if fill:
            self._set("fill", f"{self._colour(fill)} rg")
        if shape.line:
            self._set("line", f"{self._colour(shape.line)} RG")
            self._set("width", f"{number(shape.stroke)} w")
            dash = " ".join(map(str, DASHES[shape.dash])) if shape.dash else ""
            self._set("dash", f"[{dash}] 0 d")
        paint = "S" if not fill else "B" if shape.line else "f"
        self.steps.append(f"{_outline(shape)} {paint}")

    def _text(self, text: Text) -> None:
        self._opacity(1.0)
        for is_set, same in groupby(self.setter.line(text), lambda placed: bool(placed.run.font)):
            runs = list(same)
            self._set("fill", f"{self._colour(text.colour)} rg")
            if is_set:
                for placed in runs:
                    self._letters(placed, text)
                continue
            told = "".join(placed.run.text for placed in runs)
            self.steps.append(f"/Span << /ActualText {_unicode(told)} >> BDC")
            for placed in runs:
                self._drawn_letter(placed, text)
            self.steps.append("EMC")

    def _letters(self, placed: Placed, text: Text) -> None:
        run = placed.run
        self.fonts.add(run.font)
        place = f"{_ratio(placed.stretch)} 0 0 -1 {number(placed.x)} {number(text.y)} Tm"
        font = f"/{_FONTS[run.font]} {number(text.size)} Tf"
        self.steps.append(f"BT {font} {place} {_literal(run.codes)} Tj ET")

    def _drawn_letter(self, placed: Placed, text: Text) -> None:
        glyph, size = placed.run.glyph, text.size / 1000
        if glyph is None:
            for shape in code_box(placed.run, placed.x, text.y, placed.stretch, text):
                self.shape(shape)
        elif glyph.contours:
            index = self.glyphs.setdefault(glyph, len(self.glyphs))
            place = f"{number(placed.x)} {number(text.y)}"
            matrix = f"{size * placed.stretch:.5f} 0 0 {-size:.5f} {place} cm"
            self.steps.append(f"q {matrix} /G{index} Do Q")

    def _opacity(self, opacity: float) -> None:
        shown = number(opacity)
        if self._now["opacity"] in ("", "1") and shown == "1":
            return
        if shown not in self.opacities:
            self.opacities.append(shown)
        self._set("opacity", shown, f"/O{self.opacities.index(shown)} gs")

    def _set(self, what: str, value: str, step: str = "") -> None:
        if self._now.get(what) != value:
            self._now[what] = value
            self.steps.append(step or value)

    def _colour(self, role: str) -> str:
        code = self.theme[role].lstrip("#")
        return " ".join(f"{int(code[i : i + 2], 16) / 255:.3g}" for i in (0, 2, 4))


def _outline(shape: Box | Polygon | Curve | Ellipse) -> str:
    if isinstance(shape, Box) and not shape.radius:
        return " ".join(map(number, (shape.x, shape.y, shape.width, shape.height))) + " re"
    if isinstance(shape, Polygon):
        first, *others = shape.points
        return " ".join([f"{_points([first])} m", *(f"{_points([p])} l" for p in others), "h"])
    if isinstance(shape, Curve):
        return _path(shape.points)
    path = rounded_box(shape) if isinstance(shape, Box) else round_outline(shape)
    return f"{_path(path)} h"


def _path(points: tuple[Point, ...]) -> str:
    steps = [f"{_points(points[:1])} m"]
    steps += [f"{_points(piece)} {'l' if len(piece) == 1 else 'c'}" for piece in pieces(points)]
    return " ".join(steps)


def _points(points: Iterable[Point]) -> str:
    return " ".join(f"{number(x)} {number(y)}" for x, y in points)


def _ratio(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")


def _literal(codes: bytes) -> str:
    """A string of bytes; the file's text is Latin-1, so that each letter is a byte."""
    text = codes.decode("latin-1")
    for special in "\\()":
        text = text.replace(special, "\\" + special)
    return f"({text})"


def _unicode(text: str) -> str:
    """A string of letters of any kind; half of a pair of UTF-16 is no letter."""
    return f"<FEFF{text.encode('utf-16-be', 'replace').hex().upper()}>"


def _stream(entries: str, content: bytes) -> bytes:
    return b"<< %b/Length %d >>\nstream\n%b\nendstream" % (entries.encode(), len(content), content)


def _letter(glyph: Glyph) -> bytes:
    """The outline of a letter, which is painted at many places."""
    steps: list[str] = []
    for contour in glyph.contours:
        for index, piece in enumerate(contour):
            kind = "m" if index == 0 else "l" if len(piece) == 2 else "c"
            steps.append(" ".join([*map(str, piece), kind]))
    points = [piece[k : k + 2] for contour in glyph.contours for piece in contour
              for k in range(0, len(piece), 2)]  # fmt: skip
    (left, right), (low, high) = ((min(n), max(n)) for n in zip(*points, strict=True))
    head = f"/Type /XObject /Subtype /Form /BBox [{left} {low} {right} {high}] "
    return _stream(head, f"{' '.join(steps)} f".encode())


def _about(picture: Picture, author: str) -> bytes:
    told = {"Title": picture.title, "Author": author, "Subject": picture.description}
    entries = [f"/{key} {_unicode(text)}" for key, text in told.items() if text]
    return f"<< {' '.join(entries)} /Creator (netdsl) >>".encode()


def _fonts(fonts: Iterable[str], first: int) -> tuple[str, list[bytes]]:
    """The fonts of a page by name, and the objects that describe them, from number `first` on.

    A reader that has no Helvetica chooses another font by the widths.
    """
    names: list[str] = []
    objects: list[bytes] = []
    for font in fonts:
        names.append(f"/{_FONTS[font]} {first + len(objects)} 0 R")
        head = f"<< /Type /Font /Subtype /Type1 /BaseFont /{font}"
        if font == SIGNS:
            objects.append(f"{head} /ToUnicode {first + len(objects) + 1} 0 R >>".encode())
            objects.append(_stream("", _letters_of_symbol().encode()))
            continue
        letters = (bytes([code]).decode("cp1252", "replace") for code in _CODES)
        widths = [advance(_BULLET if c == _NO_LETTER else c, font == BOLD) for c in letters]
        head += f" /Encoding /WinAnsiEncoding /FirstChar {_CODES[0]} /LastChar {_CODES[-1]}"
        about = first + len(objects) + 1
        shown = " ".join(map(str, widths))
        objects.append(f"{head} /Widths [{shown}] /FontDescriptor {about} 0 R >>".encode())
        told = (
            f"<< /Type /FontDescriptor /FontName /{font} /Flags 32 /FontBBox [{_BOXES[font]}] "
            f"/ItalicAngle 0 /Ascent 718 /Descent -207 /CapHeight 718 /StemV {_STEMS[font]} >>"
        )
        objects.append(told.encode())
    return " ".join(names), objects


def _letters_of_symbol() -> str:
    """What its codes stand for, for readers that copy text; a list has at most 100 entries."""
    entries = [f"<{code:02X}> <{ord(letter):04X}>" for letter, (code, _) in SYMBOL.items()]
    parts = [entries[k : k + 100] for k in range(0, len(entries), 100)]
    lists = "\n".join(f"{len(p)} beginbfchar\n{chr(10).join(p)}\nendbfchar" for p in parts)
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n/CMapName /Symbol def "
        "/CMapType 2 def 1 begincodespacerange <00> <FF> endcodespacerange\n"
        f"{lists}\nendcmap end end"
    )


def _file(version: str, *objects: bytes) -> bytes:
    """A file of numbered objects; the first is the catalogue, the fifth tells of the document."""
    data = bytearray(b"%%PDF-%b\n%%\xe2\xe3\xcf\xd3\n" % version.encode())
    places: list[int] = []
    for index, body in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (index, body)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % place for place in places)
    data += b"trailer\n<< /Size %d /Root 1 0 R /Info 5 0 R >>\n" % (len(objects) + 1)
    return bytes(data + b"startxref\n%d\n%%%%EOF\n" % start)
