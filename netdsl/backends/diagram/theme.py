"""The colours of the roles: light, dark, and print, which needs no colour."""

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
    "pool.line": ("#3f8c43", "#7ccb7f", "#131313"),
    "up.fill": ("#d9f2ef", "#123a38", "#fcfcfc"),
    "up.line": ("#16857c", "#56c9bf", "#141414"),
    "dense.fill": ("#ecdff5", "#382049", "#e6e6e6"),
    "dense.line": ("#7d4aa5", "#c49ae6", "#151515"),
    "merge.fill": ("#fdebd0", "#46300d", "#fbfbfb"),
    "merge.line": ("#b6780f", "#e8b04b", "#161616"),
    "act.fill": ("#eceff2", "#262c34", "#fafafa"),
    "act.line": ("#7a838e", "#8b95a1", "#171717"),
    "norm.fill": ("#f3ecdf", "#332d1f", "#f9f9f9"),
    "norm.line": ("#8a7348", "#c7b287", "#181818"),
    "move.fill": ("#f7f2f5", "#2b2329", "#f8f8f8"),
    "move.line": ("#92708a", "#c6a3bd", "#191919"),
    "other.fill": ("#f2f2d9", "#2f3014", "#f7f7f7"),
    "other.line": ("#74762f", "#bdbf72", "#1b1b1b"),
    "block.fill": ("#fbfcfe", "#12181f", "#fffffe"),
    "block.line": ("#3a5a7c", "#90b4d8", "#101010"),
    "focus": ("#c2410c", "#ff8a4c", "#1a1a1a"),
    "focus.fill": ("#fde4d8", "#4a2210", "#dddddd"),
    "amber": ("#b45f06", "#f0a53c", "#1c1c1c"),
    "amber.fill": ("#fde8c8", "#4b3410", "#ededed"),
    "amber.line": ("#b45f07", "#f0a53d", "#1d1d1d"),
    "added.fill": ("#d8f5e0", "#10391f", "#efefef"),
    "added.line": ("#1a7f42", "#4ac26b", "#0f0f0f"),
    "gone.fill": ("#fce0e0", "#46191b", "#eeeeee"),
    "gone.line": ("#c12f36", "#f47067", "#0e0e0e"),
    "changed.fill": ("#fff1c4", "#423408", "#f6f6f6"),
    "changed.line": ("#96690a", "#e3b341", "#0d0d0d"),
    "same.fill": ("#fdfdfe", "#10151c", "#fefeff"),
    "same.line": ("#aab2bc", "#4c5663", "#9c9c9c"),
    "series0": ("#2e78bd", "#4f97d1", "#303030"),
    "series1": ("#b0600a", "#efa24a", "#757575"),
    "series2": ("#23834d", "#5fbd86", "#505050"),
    "series3": ("#571f7d", "#dcbcf7", "#6b6b6b"),
    "series4": ("#137f8b", "#5cc4cf", "#404040"),
    "series5": ("#ba4470", "#e287a9", "#727272"),
    "series6": ("#7d6b4f", "#b09c7d", "#585858"),
    "series7": ("#5d6673", "#8d97a5", "#383838"),
    "series8": ("#72740e", "#cfd154", "#666666"),
    "onseries": ("#fffffd", "#0d1118", "#fffffd"),
}

SERIES = 9


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours by role; `auto` is light with a style sheet for readers who prefer dark."""

    name: str
    colours: dict[str, str]

    def __getitem__(self, role: str) -> str:
        return self.colours[role]


def theme(name: str) -> Theme:
    """One of `options.THEMES`."""
    column = {"light": 0, "auto": 0, "dark": 1, "print": 2}[name]
    return Theme(name, {role: triple[column] for role, triple in _COLOURS.items()})


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
