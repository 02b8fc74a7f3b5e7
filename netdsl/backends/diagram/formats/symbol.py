"""The standard font Symbol: the codes of its letters and how wide they are."""

from __future__ import annotations

_TABLE = """
167 ⁄A4
247 ′A2
250 ⋅D7
274 ∫F2
329 ι69
333 Ι49
411 γ67 ″B2
439 ∋27 ς56 ε65 τ74
493 ξ78
494 δ64 ζ7A ∂B6 ◊E0
500 ∗2A
521 φ66 ν6E θ71
549 ∃24 −2D ≅40 β62 χ63 κ6B λ6C ο6F π70 ρ72 ∼7E ≤A3 ≥B3 ≠B9 ≡BA ≈BB √D6
556 Ρ52
576 μ6D υ75
592 Σ53
603 Γ47 η68 ϕ6A σ73 ↑AD ↓AF ∧D9 ∨DA ⇑DD ⇓DF
611 Ε45 Τ54 Ζ5A
612 Δ44
620 ϒA1
631 ϑ4A α61
645 Ξ58
658 ⊥5E ↵BF
667 Β42
686 Λ4C ω77 ψ79 ℑC1 ⌠F3 ⌡F5
690 Υ55
713 ∀22 ϖ76 ∞A5 ∝B5 ⊃C9 ⊇CA ⊄CB ⊂CC ⊆CD ∈CE ∉CF ∇D1 ∑E5
722 Α41 Χ43 Η48 Κ4B Ν4E Ο4F
741 Θ51
753 ♣A7 ♦A8 ♥A9 ♠AA
763 Φ46
768 Π50 Ω57 ⊗C4 ⊕C5 ∩C7 ∪C8 ∠D0
795 Ψ59 ℜC2
823 ℵC0 ∅C6 ∏D5
863 ∴5C
889 Μ4D
987 ←AC →AE ℘C3 ⇐DC ⇒DE
1042 ↔AB ⇔DB
"""
"""By width, in thousandths of the font size: a letter and its code."""

SYMBOL = {
    entry[0]: (int(entry[1:], 16), int(width))
    for width, *entries in map(str.split, _TABLE.strip().splitlines())
    for entry in entries
}
"""By letter: its code and its width."""
