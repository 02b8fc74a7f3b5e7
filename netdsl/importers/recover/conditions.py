"""Under which conditions an instance of a block has a part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netdsl.importers.recover.slots import Slot, Slots, is_whole

Truths = Mapping[int, bool]


class Conditions:
    """Conditions over the parameters of a block."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots

    def condition(self, present: frozenset[int], among: frozenset[int], name: str) -> str:
        """What holds for the instances that have a part, and for no others of these."""
        wanted = {i: i in present for i in among}
        known = [(text, truths) for text, truths in self.simple() if truths.keys() >= among]
        for text, truths in known:
            if fits(wanted, truths):
                return text
        setting = self.setting(wanted)
        if setting:
            return setting
        for n, (a, first) in enumerate(known):
            for b, second in known[n + 1 :]:
                for word, join in (("and", all), ("or", any)):
                    both = {i: join((first[i], second[i])) for i in among}
                    if fits(wanted, both):
                        return f"{a} {word} {b}"
        return self.own(wanted, name)

    def simple(self) -> Iterator[tuple[str, Truths]]:
        """Conditions on one or two of what is there."""
        slots = self.slots
        for slot in slots.chosen:
            if slot.kind == "bool":
                yield slot.name, {i: bool(v) for i, v in slot.values.items()}
                yield f"not {slot.name}", {i: not v for i, v in slot.values.items()}
            if slot.kind == "float":
                yield f"{slot.name} > 0.0", {i: v > 0 for i, v in slot.values.items()}  # type: ignore[operator]
        numbers = [
            (s.name, s.values) for s in slots.chosen if s.kind == "int" and is_whole(s.values)
        ]
        for name, values in numbers:
            yield f"{name} != 1", {i: v != 1 for i, v in values.items()}
            yield f"{name} == 1", {i: v == 1 for i, v in values.items()}
        for base, channels in slots.instances.channels.items():
            for factor in (1, 2, 4):
                for name, values in numbers:
                    text = name if factor == 1 else f"{factor} * {name}"
                    equal = {
                        i: channels[i] == factor * v  # type: ignore[operator]
                        for i, v in values.items()
                        if channels.get(i) is not None
                    }
                    yield f"{base} != {text}", {i: not v for i, v in equal.items()}
                    yield f"{base} == {text}", equal

    def setting(self, wanted: Truths) -> str:
        """A condition on what the constructor was given."""
        slots = self.slots
        for name, values in slots.instances.settings.items():
            if not wanted.keys() <= values.keys():
                continue
            if all(isinstance(value, bool) for value in values.values()):
                if fits(wanted, {i: bool(v) for i, v in values.items()}):
                    return slots.take(name, values)
                if fits(wanted, {i: not v for i, v in values.items()}):
                    return f"not {slots.take(name, values)}"
            elif is_whole(values):
                if fits(wanted, {i: v != 1 for i, v in values.items()}):
                    return f"{slots.take(name, values)} != 1"
                if fits(wanted, {i: v == 1 for i, v in values.items()}):
                    return f"{slots.take(name, values)} == 1"
        return ""

    def own(self, wanted: Truths, name: str) -> str:
        """A parameter of the block's own."""
        free = self.slots.free(name)
        ids = self.slots.instances.ids
        values: dict[int, object] = {i: wanted.get(i, False) for i in ids}
        self.slots.chosen.append(Slot(free, "bool", values))
        return free


def fits(wanted: Truths, truths: Truths) -> bool:
    return all(i in truths and truths[i] == value for i, value in wanted.items())
