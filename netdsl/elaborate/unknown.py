"""What to say of a layer that is not there: a slip, a name from elsewhere, or nothing like it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from netdsl.elaborate.foreign import MODULES, Foreign, foreign, names, plain, without_rank
from netdsl.elaborate.suggest import asked, near


@dataclass(frozen=True, slots=True)
class Guess:
    """`layers` are those most likely meant; `text` says what to mind, or what to write instead.

    `is_certain`: it is the name itself, in other letters. `called` is the name that another
    framework gives it, which tells what its arguments mean; empty for a name of ours.
    """

    layers: tuple[str, ...] = ()
    text: str = ""
    is_certain: bool = False
    called: str = ""

    @property
    def layer(self) -> str:
        """The one layer meant; empty where there is none, or a choice."""
        return self.layers[0] if len(self.layers) == 1 else ""

    def help(self, usage: str = "") -> tuple[str, ...]:
        """The guess in words; `usage` are the arguments that the one layer needs."""
        question = asked([self.layer + usage] if self.layer else self.layers)
        return tuple(filter(None, [question, self.text]))


def guess_layer(name: str, local: Collection[str], others: Collection[str]) -> Guess:
    """What was meant by a layer's name: one of the file's own, else one of the others.

    A name that another framework gives a layer means that layer, however near it is to one of
    ours: only what no one calls a layer is a slip.
    """
    for candidates in local, others:
        same = [other for other in candidates if plain(other) == plain(name)]
        elsewhere = foreign(name)
        if same and (candidates is local or elsewhere is None or elsewhere.layer in same):
            text = elsewhere.text if elsewhere is not None and candidates is others else ""
            certain = same[0].lower() == name.lower() and not text
            return Guess((same[0],), text, certain, name if candidates is others else "")
        if candidates is others and elsewhere is not None:
            return _meaning(elsewhere, name)
    return _slip(name, {*local, *others})


def _slip(name: str, candidates: Collection[str]) -> Guess:
    """A typo of one of ours, or of a name from elsewhere."""
    meanings = names() | {plain(own): Foreign(own) for own in candidates}
    close = near(without_rank(plain(name)), meanings)
    meant = dict.fromkeys(meanings[each] for each in close)
    if len(meant) > 1:
        return Guess(tuple(dict.fromkeys(meanings[each].layer or each for each in close)))
    for meaning in meant:
        if not meaning.layer:
            return Guess((), f"if `{close[0]}` is meant: {meaning.text}", called=close[0])
        is_ours = name.islower() and name == without_rank(name) and meaning.layer in candidates
        return _meaning(meaning, "" if is_ours and plain(meaning.layer) == close[0] else close[0])
    return Guess()


def _meaning(meaning: Foreign, called: str) -> Guess:
    return Guess((meaning.layer,) if meaning.layer else (), meaning.text, called=called)


def is_framework(name: str) -> bool:
    """Whether this stands before the dot in another framework's code: `nn.Conv2d`."""
    return name in MODULES
