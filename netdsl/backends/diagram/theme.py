"""The colours of the roles: light, dark, for slides, and print, which needs no colour.

Branches of a merge and skips stand on a ladder of lightness, the same in light and in print, so
that they differ in grey too; on it, neighbours in a bar are far apart.
"""

from __future__ import annotations

from dataclasses import dataclass

# role: (light, dark, print). Light colours differ from each other, so that a style sheet can
# find them again and put the dark ones in their place.
_COLOURS = {
    "paper": ("#ffffff", "#0d1117", "#ffffff"),
    "panel.fill": ("#f6f8fa", "#151b23", "#ffffff"),
    "panel.line": ("#e3e8ee", "#2b323b", "#c8c8c8"),
    "ink": ("#1b1f24", "#e8ecf1", "#000000"),
    "soft": ("#586270", "#a3adb9", "#333333"),
    "wire": ("#6b7480", "#98a2ae", "#444444"),
    "faint": ("#c3cad3", "#414a56", "#aaaaaa"),
    "io.fill": ("#fefefe", "#1c222b", "#fefefe"),
    "io.line": ("#4d5661", "#aab4c0", "#111111"),
    "conv.fill": ("#dbe9f7", "#16324c", "#f2f2f2"),
    "conv.line": ("#2f6fab", "#6cb0ee", "#121212"),
    "pool.fill": ("#e1f2de", "#193a1c", "#fdfdfd"),
    "pool.line": ("#33763a", "#7ccb7f", "#131313"),
    "up.fill": ("#d9f2ef", "#123a38", "#fcfcfc"),
    "up.line": ("#027d74", "#56c9bf", "#141414"),
    "dense.fill": ("#ecdff5", "#382049", "#e6e6e6"),
    "dense.line": ("#7d4aa5", "#c49ae6", "#151515"),
    "merge.fill": ("#fdebd0", "#46300d", "#fbfbfb"),
    "merge.line": ("#9b6400", "#e8b04b", "#161616"),
    "act.fill": ("#eceff2", "#262c34", "#fafafa"),
    "act.line": ("#68707b", "#8b95a1", "#171717"),
    "norm.fill": ("#f3ecdf", "#332d1f", "#f9f9f9"),
    "norm.line": ("#836c42", "#c7b287", "#181818"),
    "move.fill": ("#f7f2f5", "#2b2329", "#f8f8f8"),
    "move.line": ("#87657f", "#c6a3bd", "#191919"),
    "other.fill": ("#f2f2d9", "#2f3014", "#f7f7f7"),
    "other.line": ("#71732c", "#bdbf72", "#1b1b1b"),
    "block.fill": ("#fbfcfe", "#12181f", "#fffffe"),
    "block.line": ("#3a5a7c", "#90b4d8", "#101010"),
    "focus": ("#b13a15", "#ff8a4c", "#1a1a1a"),
    "focus.fill": ("#fde4d8", "#4a2210", "#dddddd"),
    "amber": ("#a25813", "#f0a53c", "#1c1c1c"),
    "amber.fill": ("#fde8c8", "#4b3410", "#ededed"),
    "amber.line": ("#a25814", "#f0a53d", "#1d1d1d"),
    "added.fill": ("#d8f5e0", "#10391f", "#efefef"),
    "added.line": ("#1a7f42", "#4ac26b", "#0f0f0f"),
    "gone.fill": ("#fce0e0", "#46191b", "#eeeeee"),
    "gone.line": ("#c12f36", "#f47067", "#0e0e0e"),
    "wrong.fill": ("#fdebea", "#45100f", "#ececec"),
    "wrong.line": ("#b3141c", "#ff8079", "#0a0a0a"),
    "unknown.fill": ("#efeff0", "#1b1f25", "#f5f5f5"),
    "unknown.line": ("#878d95", "#79828d", "#8a8a8a"),
    "changed.fill": ("#fff1c4", "#423408", "#f6f6f6"),
    "changed.line": ("#96690a", "#e3b341", "#0d0d0d"),
    "same.fill": ("#fdfdfe", "#10151c", "#fefeff"),
    "same.line": ("#aab2bc", "#4c5663", "#9c9c9c"),
    "series0": ("#00688f", "#8ac6ff", "#616161"),
    "series1": ("#412675", "#9c7ccb", "#373737"),
    "series2": ("#428340", "#6ae3b6", "#757575"),
    "series3": ("#801039", "#eb6e82", "#414141"),
    "series4": ("#049796", "#5fefec", "#878787"),
    "series5": ("#7d2b67", "#dc83c0", "#4b4b4b"),
    "series6": ("#96982d", "#eeec7e", "#939393"),
    "series7": ("#385b67", "#8cb0bd", "#565656"),
    "series8": ("#003416", "#4e8e61", "#2c2c2c"),
    "onseries": ("#fffffd", "#0d1118", "#fffffd"),
    "onlight": ("#1b1f23", "#0d1119", "#000001"),
}

# Where letters and lines are to be seen from the last row of a hall: over the light colours.
_SLIDES = {
    "ink": "#000000",
    "soft": "#262c33",
    "wire": "#30373f",
    "faint": "#aab2bc",
    "panel.fill": "#f3f5f8",
    "panel.line": "#dde4eb",
    "io.line": "#262c33",
    "conv.line": "#1b4f82",
    "pool.line": "#24652a",
    "up.line": "#0b5f58",
    "dense.line": "#5b2f80",
    "merge.line": "#7c4f00",
    "act.line": "#48505a",
    "norm.line": "#5d4c2b",
    "move.line": "#6a4a63",
    "other.line": "#50520f",
    "block.line": "#1f3a57",
}

SERIES = 9
_LIGHT_SERIES = ("series4", "series6")
"""Branch colours on which dark letters are easier to read."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours by role; `auto` is light with a style sheet for readers who prefer dark.

    A role that begins with `#` is a colour that was asked for, the same in every theme.
    """

    name: str
    colours: dict[str, str]

    def __getitem__(self, role: str) -> str:
        return role if role.startswith("#") else self.colours[role]


def theme(name: str) -> Theme:
    """One of `options.THEMES`."""
    column = {"light": 0, "auto": 0, "slides": 0, "dark": 1, "print": 2}[name]
    colours = {role: triple[column] for role, triple in _COLOURS.items()}
    return Theme(name, colours | (_SLIDES if name == "slides" else {}))


def dark_rules() -> str:
    """A style sheet that turns the light colours into the dark ones."""
    rules = [
        f'[{attribute}="{light}"]{{{attribute}:{dark}}}'
        for light, dark, _ in _COLOURS.values()
        for attribute in ("fill", "stroke")
    ]
    return "@media (prefers-color-scheme:dark){" + "".join(rules) + "}"


def series(index: int) -> str:
    """The role of part number `index`; they repeat after `SERIES`."""
    return f"series{index % SERIES}"


def letters_on(role: str) -> str:
    """The role of letters on a strong colour, such as that of a branch."""
    return "onlight" if role in _LIGHT_SERIES else "onseries"
