"""Other names for keys: prefixes, patterns, several rules, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner

import netdsl
from netdsl.backends.weights.renaming import new_names
from netdsl.cli import main
from tests.examples import network

torch = pytest.importorskip("torch")

TEXT = """
net A {
    input x: [4]
    output y = x -> for i in 0..12 { layers.[i].ffn.[0]: linear(4) } -> head: linear(2)
}
"""


@pytest.fixture
def net() -> netdsl.Network:
    return netdsl.loads(TEXT)


@pytest.fixture
def state(net: netdsl.Network) -> dict[str, Any]:
    """The weights, those of the layers under names of another package."""
    own = net.torch(seed=3).state_dict()
    return {
        ".".join(
            ["blocks", key.split(".")[1], "mlp.fc1", key.split(".")[-1]] if "ffn" in key else [key]
        ): value
        for key, value in own.items()
    }


RULES = {"blocks.*.mlp.fc1": "layers.*.ffn.0", "": ""}


def test_a_pattern_inside_of_keys(net: netdsl.Network, state: dict[str, Any]) -> None:
    assert not net.check_weights(state, rename=RULES)
    loaded = net.torch(weights=state, rename=RULES).state_dict()
    assert torch.equal(loaded["layers.11.ffn.0.weight"], state["blocks.11.mlp.fc1.weight"])
    assert torch.equal(loaded["head.bias"], state["head.bias"])


def test_on_the_command_line(net: netdsl.Network, state: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "a.net").write_text(TEXT)
    torch.save({f"model.{key}": value for key, value in state.items()}, tmp_path / "a.pt")
    begin = ["check", str(tmp_path / "a.net"), "--weights", str(tmp_path / "a.pt")]
    rules = ["--rename", "model.blocks.*.mlp.fc1=layers.*.ffn.0", "--rename", "model.="]
    assert CliRunner().invoke(main, [*begin, *rules]).exit_code == 0
    result = CliRunner().invoke(main, [*begin, *rules[:2]])
    assert result.exit_code == 1
    assert "missing-weight" in result.output


def test_keys_that_no_rule_reads_are_told(net: netdsl.Network, state: dict[str, Any]) -> None:
    (first, *_) = net.check_weights(state, rename={"blocks.*.mlp.fc1": "layers.*.ffn.0"})
    assert first.code == "renamed-weights"
    assert first.message.startswith("`head.weight` and `head.bias` of the state_dict are in the")
    assert first.help == ("`--rename =` behind the other rules reads the rest as it is",)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"blocks.*.mlp": "layers.ffn"}, "`*` stands 1 times in `blocks.*.mlp`, and 0 times"),
        ({"blocks.**": "layers.**"}, "`*` stands for one part of a key, and `**` for nothing"),
        ({"blocks.*.fc2": "layers.*.b", "": ""}, "no key of the state_dict begins with"),
        ({"blocks.*.mlp.f": "layers.*.ffn.0", "": ""}, "no key of the state_dict begins with"),
        (
            {"blocks.0": "same", "blocks.1": "same", "": ""},
            "`blocks.0.mlp.fc1.weight` and `blocks.1.mlp.fc1.weight` would both be called",
        ),
    ],
)
def test_wrong_rules(
    net: netdsl.Network, state: dict[str, Any], rules: dict[str, str], message: str
) -> None:
    (found,) = net.check_weights(state, rename=rules)
    assert found.code == "renamed-weights"
    assert found.message.startswith(message)
    with pytest.raises(netdsl.DiagnosticError, match="renamed-weights"):
        net.torch(weights=state, rename=rules)


@pytest.mark.parametrize(
    "rules", [["a"], ["a=b", "a=c"], ["a.*=b"], ["a=*"], ["**=**"]], ids=" ".join
)
def test_wrong_rules_on_the_command_line(rules: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.net").write_text(TEXT)
    begin = ["check", str(tmp_path / "a.net"), "--weights", "a.pt"]
    options = [word for rule in rules for word in ("--rename", rule)]
    assert CliRunner().invoke(main, [*begin, *options]).exit_code == 2


def test_parts_are_taken_whole() -> None:
    keys = ["layer.w", "layer1.w", "layer10.w", "layer1x.w", "player1.w"]
    assert new_names(keys, {"layer1": "a"}) == {"a.w": "layer1.w"}
    assert new_names(keys, {"layer*": "a.*"}) == {
        "a.1.w": "layer1.w", "a.10.w": "layer10.w", "a.1x.w": "layer1x.w",
    }  # fmt: skip
    for dot in ("", "."):
        assert new_names(["a.b.c", "a.bc"], {f"a.b{dot}": ""}) == {"c": "a.b.c"}
        assert new_names(["a.b"], {"": f"x{dot}"}) == {"x.a.b": "a.b"}
    assert new_names(["a.b", "c.d"], {"a": "c", "c": "a"}) == {"c.b": "a.b", "a.d": "c.d"}


def by_parts(key: str, old: str, new: str) -> str | None:
    """The same part by part, for stars that are whole parts."""
    parts, pattern = key.split("."), old.split(".") if old else []
    if len(parts) < len(pattern):
        return None
    if any(mine not in ("*", part) for part, mine in zip(parts, pattern, strict=False)):
        return None
    stars = iter([part for part, mine in zip(parts, pattern, strict=False) if mine == "*"])
    begin = [next(stars) if part == "*" else part for part in new.split(".") if new]
    return ".".join([*begin, *parts[len(pattern) :]])


def test_random_rules() -> None:
    """Against a table made part by part; names that would be given twice are refused."""
    draw, refused = Random(0), 0
    for _ in range(2000):
        keys = {".".join(draw.choices("abc", k=draw.randint(1, 4))) + ".w" for _ in range(8)}
        rules: dict[str, str] = {}
        for _ in range(draw.randint(1, 3)):
            old = draw.choices("ab*", k=draw.randint(0, 3))
            new = [*draw.choices("xy", k=draw.randint(0, 2)), *("*" for part in old if part == "*")]
            draw.shuffle(new)
            rules[".".join(old)] = ".".join(new)
        expected: dict[str, list[str]] = {}
        for key in sorted(keys):
            names = (by_parts(key, *rule) for rule in rules.items())
            name = next((name for name in names if name is not None), None)
            if name is not None:
                expected.setdefault(name, []).append(key)
        try:
            found = new_names(sorted(keys), rules)
        except netdsl.DiagnosticError:
            refused += 1
            assert any(len(keys) > 1 for keys in expected.values())
            continue
        assert {name: [key] for name, key in found.items()} == expected
    assert 20 < refused < 1500


def test_the_older_keys_of_densenet() -> None:
    """As in the checkpoint that torchvision publishes, and renames while loading."""
    state = network("densenet121").torch(seed=0).state_dict()
    older = {}
    for key, value in state.items():
        for part in ("norm", "conv"):
            for number in "12":
                key = key.replace(f".{part}{number}.", f".{part}.{number}.")
        older[key] = value
    assert "features.denseblock4.denselayer16.norm.2.running_var" in older
    rules = {"features.*.*.*.1": "features.*.*.*1", "features.*.*.*.2": "features.*.*.*2", "": ""}
    loaded = network("densenet121").torch(weights=older, rename=rules).state_dict()
    assert all(torch.equal(value, state[key]) for key, value in loaded.items())
