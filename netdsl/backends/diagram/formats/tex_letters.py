"""Texts for TeX: what stands for each letter, in the fonts that every TeX has."""

from __future__ import annotations

from unicodedata import normalize

_PLAIN = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "#": r"\#",
    "$": r"\ensuremath{\mathdollar}",
    "%": r"\%", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\ensuremath{<}", ">": r"\ensuremath{>}", "|": r"\ensuremath{|}", '"': "''{}",
    "‘": "`", "’": "'", "“": "``", "”": "''", "–": "--", "—": "---", "…": r"\ldots{}",
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ø": r"\o{}",
    "Ø": r"\O{}", "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}", "¿": "?`", "¡": "!`", "§": r"\S{}",
    "¶": r"\P{}", "£": r"\pounds{}", "©": r"\copyright{}", "\xa0": "~", "†": r"\dag{}",
    "‡": r"\ddag{}",
}  # fmt: skip
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u",
    "\u0307": ".", "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0323": "d",
    "\u0327": "c", "\u0331": "b",
}  # fmt: skip
"""Marks of letters, and the commands that put them there."""
_MATHS = {
    "×": "times", "÷": "div", "±": "pm", "·": "cdot", "⋅": "cdot", "•": "bullet", "→": "to",
    "←": "leftarrow", "↑": "uparrow", "↓": "downarrow", "↔": "leftrightarrow",
    "⇒": "Rightarrow", "⇐": "Leftarrow", "⇔": "Leftrightarrow", "≤": "leq", "≥": "geq",
    "≠": "neq", "≈": "approx", "≡": "equiv", "∼": "sim", "≅": "cong", "∝": "propto",
    "∞": "infty", "√": "surd", "∑": "sum", "∏": "prod", "∫": "int", "∂": "partial",
    "∇": "nabla", "∈": "in", "∉": "notin", "∋": "ni", "∩": "cap", "∪": "cup", "⊂": "subset",
    "⊃": "supset", "⊆": "subseteq", "⊇": "supseteq", "⊗": "otimes", "⊕": "oplus",
    "⊙": "odot", "∘": "circ", "∗": "ast", "∀": "forall", "∃": "exists", "∧": "wedge",
    "∨": "vee", "¬": "neg", "∅": "emptyset", "⌊": "lfloor", "⌋": "rfloor", "⌈": "lceil",
    "⌉": "rceil", "⟨": "langle", "⟩": "rangle", "ℓ": "ell", "°": "^{\\circ}", "′": "prime",
    "\u2212": "-", "µ": "mu", "¹": "^1", "²": "^2", "³": "^3", "½": "\\frac12",
    "¼": "\\frac14", "¾": "\\frac34", "«": "ll", "»": "gg",
}  # fmt: skip
_GREEK_NAMES = """
    αalpha βbeta γgamma δdelta εvarepsilon ζzeta ηeta θtheta ιiota κkappa λlambda μmu νnu ξxi
    οmathrm{o} πpi ρrho σsigma ςvarsigma τtau υupsilon φvarphi χchi ψpsi ωomega ΓGamma ΔDelta
    ΘTheta ΛLambda ΞXi ΠPi ΣSigma ΥUpsilon ΦPhi ΨPsi ΩOmega ϑvartheta ϕphi ϖvarpi
    Αmathrm{A} Βmathrm{B} Εmathrm{E} Ζmathrm{Z} Ηmathrm{H} Ιmathrm{I} Κmathrm{K} Μmathrm{M}
    Νmathrm{N} Οmathrm{O} Ρmathrm{P} Τmathrm{T} Χmathrm{X}
"""
_GREEK = {entry[0]: entry[1:] for entry in _GREEK_NAMES.split()}
_JOINING = tuple("-,'`?!")
"""What TeX makes one letter of, where two stand together."""


class TexLetters:
    """Writes texts for TeX; `missing` are the letters that its usual fonts lack."""

    def __init__(self) -> None:
        self.missing: dict[str, None] = {}

    def text(self, text: str) -> str:
        """The text as TeX shows it, letter by letter; spaces are kept."""
        shown = ""
        for letter in map(self._letter, normalize("NFC", text)):
            apart = "{}" if shown[-1:] in _JOINING and letter[:1] in _JOINING else ""
            shown += apart + letter
        return shown.replace("  ", "~ ")

    def _letter(self, letter: str) -> str:
        if letter in _PLAIN:
            return _PLAIN[letter]
        if " " <= letter <= "~":
            return letter
        if letter.isspace():
            return " "
        name = _MATHS.get(letter) or _GREEK.get(letter)
        if name is not None:
            command = f"\\{name}" if name[0].isalpha() else name
            return f"\\ensuremath{{{command}}}"
        return self._accented(letter)

    def _accented(self, letter: str) -> str:
        base, *marks = normalize("NFD", letter)
        if not marks or not base.isascii() or any(mark not in _ACCENTS for mark in marks):
            self.missing[letter] = None
            return f"\\netdslchar{{{ord(letter):04X}}}"
        shown = base
        for mark in marks:
            shown = f"\\{_ACCENTS[mark]}{{{shown}}}"
        return shown
