"""Whatever the code of a plug-in raises or prints: its fault by name, never success, never ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

import netdsl
from netdsl.cli import main

ROOT = Path(__file__).resolve().parents[1]
HEAD = '"""Layers."""\nimport sys\nimport warnings\nfrom netdsl.ops import *\n\n\nclass Odd(BaseException):\n    pass\n\n\n'
LAYER = '''class Mine(Op):
    """Does it."""

    name = "mine"
    family = "own"

    def infer(self, inputs, rules):
        return inputs

    def torch(self, inputs, outputs):
        return TorchCall("torch.relu", (In(0),))

    def onnx(self, to):
        return to.node("Relu", to.inputs)
'''
NET = "net A {\n input x: [4, H, W]\n output y = x -> mine\n}\n"
FAULTS = {
    "sys.exit(0)": "SystemExit: 0",
    "sys.exit()": "SystemExit",
    "sys.exit('done')": "SystemExit: done",
    "exit(0)": "SystemExit: 0",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "raise GeneratorExit": "GeneratorExit",
    "raise Odd('odd')": "Odd: odd",
    "raise MemoryError": "MemoryError",
    "raise BrokenPipeError": "BrokenPipeError",
    "raise EOFError": "EOFError",
    "raise OSError(2, 'gone')": "gone",
    "raise NotImplementedError": "NotImplementedError",
    "raise StopIteration": "StopIteration",
    "raise UnicodeError('u')": "UnicodeError: u",
    "(f := lambda: f())()": "RecursionError",
    "assert False": "AssertionError",
    "raise ExceptionGroup('g', [ValueError('v')])": "ExceptionGroup",
    "raise BaseExceptionGroup('g', [KeyboardInterrupt()])": "BaseExceptionGroup",
}
METHODS = {
    "infer(self, inputs, rules)": "check",
    "weights(self, inputs)": "check",
    "macs(self, inputs, outputs)": "summary",
    "connections(self, inputs, outputs)": "summary",
    "windows(self, inputs, outputs)": "summary",
    "torch(self, inputs, outputs)": "compile",
    "onnx(self, to)": "export",
    "reads(self, inputs, outputs, wanted, result=0)": "draw",
}


@dataclass
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def command(folder: Path, *words: str, own_process: bool = False) -> Done:
    """Run a command in a folder; in a process of its own, an interrupt would be a signal."""
    if own_process:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        ended = subprocess.run(
            [sys.executable, "-m", "netdsl", *words],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        done = Done(ended.returncode, ended.stdout, ended.stderr)
    else:
        with chdir(folder):
            result = CliRunner().invoke(main, list(words))
        assert result.exception is None or isinstance(result.exception, SystemExit)
        done = Done(result.exit_code, result.stdout, result.stderr)
    assert "Traceback" not in done.stderr
    return done


def checked(folder: Path, fault: str) -> Done:
    alone = "KeyboardInterrupt" in fault or fault == "sys.exit(0)"
    return command(folder, "check", "a.net", "--plugin", "mine.py", own_process=alone)


def method(head: str, body: str) -> str:
    return f"\n    def {head}:\n        {body}\n        return ()\n"


def written(folder: Path, more: str = "", head: str = HEAD) -> None:
    (folder / "a.net").write_text(NET)
    (folder / "mine.py").write_text(head + LAYER + more)


def blamed(done: Done, said: str) -> None:
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert said in done.stderr
    assert "mine.py" in done.stderr
    assert "plug-in" in done.stderr
    assert "mistake in netdsl" not in done.stderr
    assert "netdsl: interrupted" not in done.stderr


@pytest.mark.parametrize("fault", FAULTS)
def test_a_shape_rule(fault: str, tmp_path: Path) -> None:
    written(tmp_path, method("infer(self, inputs, rules)", fault))
    blamed(checked(tmp_path, fault), FAULTS[fault])


@pytest.mark.parametrize("fault", FAULTS)
def test_loading(fault: str, tmp_path: Path) -> None:
    written(tmp_path, f"\n\n{fault}\n")
    blamed(checked(tmp_path, fault), FAULTS[fault])


@pytest.mark.parametrize("fault", ["sys.exit(0)", "raise KeyboardInterrupt", "raise Odd('odd')"])
@pytest.mark.parametrize("head", METHODS)
def test_every_method(head: str, fault: str, tmp_path: Path) -> None:
    written(tmp_path, method(head, fault))
    more = {"compile": ["-o", "o.py"], "export": ["-o", "o.onnx"]}
    more["draw"] = ["-o", "o.svg", "--level", "neurons", "--size", "H=3,W=3"]
    words = [METHODS[head], "a.net", "--plugin", "mine.py", *more.get(METHODS[head], [])]
    alone = "Keyboard" in fault
    blamed(command(tmp_path, *words, own_process=alone), FAULTS[fault])
    names = {path.name for path in tmp_path.iterdir()} - {"__pycache__"}
    assert names == {"a.net", "mine.py"}


def test_kinds_of_parameters_of_ones_own(tmp_path: Path) -> None:
    """They are called by the compiler too."""
    kind = "\n\ndef leave(value):\n    sys.exit(0)\n\n\nODD = Kind('odd', leave)\n"
    layer = LAYER.replace("class Mine", "@dataclass(frozen=True)\nclass Mine")
    layer = layer.replace(
        'family = "own"\n', 'family = "own"\n    size: int = param(ODD, "a size")\n'
    )
    (tmp_path / "a.net").write_text(NET.replace("mine", "mine(3)"))
    (tmp_path / "mine.py").write_text(f"from dataclasses import dataclass\n{HEAD}{kind}\n\n{layer}")
    done = command(tmp_path, "check", "a.net", "--plugin", "mine.py")
    blamed(done, "SystemExit: 0")


def test_making_a_layer(tmp_path: Path) -> None:
    written(tmp_path)
    layer = LAYER.replace("class Mine", "@dataclass(frozen=True)\nclass Mine")
    layer += method("__post_init__(self)", "sys.exit(0)")
    (tmp_path / "mine.py").write_text(f"from dataclasses import dataclass\n{HEAD}{layer}")
    blamed(command(tmp_path, "check", "a.net", "--plugin", "mine.py"), "SystemExit: 0")


HELPED = """
    def torch(self, inputs, outputs):
        from pathlib import Path

        return TorchModule("Help", helper=str(Path(__file__).with_name("help.py")))
"""
HELP = '''"""Helps."""
import torch
from torch import Tensor, nn


class Help(nn.Module):
    """Helps."""

    def forward(self, x: Tensor) -> Tensor:
        {}
        return torch.relu(x)
'''


@pytest.mark.parametrize(
    "fault", ["raise SystemExit(0)", "raise KeyboardInterrupt", "raise ValueError('v')"]
)
def test_the_module_that_is_verified(fault: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    written(tmp_path, HELPED)
    (tmp_path / "help.py").write_text(HELP.format(fault))
    words = ["export", "a.net", "-o", "o.onnx", "--plugin", "mine.py", "--verify"]
    done = command(tmp_path, *words, own_process="Keyboard" in fault)
    assert done.returncode == 1, done.stderr
    assert "`mine` (" in done.stderr
    assert "mistake in netdsl" not in done.stderr
    assert not (tmp_path / "o.onnx").exists()


SPEAKING = "print('hello'); sys.stdout.write('there'); warnings.warn('careful')"


@pytest.mark.parametrize("form", ["json", "sarif", "github"])
def test_what_a_plug_in_prints_is_no_result(form: str, tmp_path: Path) -> None:
    written(tmp_path)
    quiet = command(tmp_path, "check", "a.net", "--plugin", "mine.py", "--format", form)
    methods = "".join(method(head, SPEAKING + "; return super()." + head.replace("self, ", "").replace("=0", ""))
                      for head in METHODS if head.startswith(("macs", "weights", "windows")))  # fmt: skip
    written(tmp_path, methods, HEAD + SPEAKING + "\n\n\n")
    loud = command(tmp_path, "check", "a.net", "--plugin", "mine.py", "--format", form)
    assert loud.returncode == quiet.returncode == 0
    assert loud.stdout == quiet.stdout
    assert "hello" in loud.stderr
    summary = command(tmp_path, "summary", "a.net", "--plugin", "mine.py", "--format", "json")
    assert json.loads(summary.stdout)["layers"]


def test_printing_from_the_module_that_is_verified(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    written(tmp_path, HELPED)
    (tmp_path / "help.py").write_text(HELP.format("print('hello')"))
    words = ["export", "a.net", "-o", "o.onnx", "--plugin", "mine.py", "--verify", "--profiles"]
    done = command(tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("trtexec ")
    assert "hello" in done.stderr


@pytest.mark.parametrize("fault", [f for f in FAULTS if "KeyboardInterrupt" not in f])
def test_in_python(fault: str, tmp_path: Path) -> None:
    written(tmp_path, method("infer(self, inputs, rules)", fault))
    with pytest.raises(netdsl.PluginError, match="a plug-in fails: ") as caught:
        netdsl.load(tmp_path / "a.net", plugins=[tmp_path / "mine.py"])
    assert "mine.py, line " in str(caught.value)
    written(tmp_path, method("macs(self, inputs, outputs)", "return 3"))
    assert netdsl.load(tmp_path / "a.net", plugins=[tmp_path / "mine.py"]).name == "A"


def test_an_interrupt_by_a_person_is_none_of_its_faults(tmp_path: Path) -> None:
    written(tmp_path, method("infer(self, inputs, rules)", "raise KeyboardInterrupt"))
    with pytest.raises(KeyboardInterrupt):
        netdsl.load(tmp_path / "a.net", plugins=[tmp_path / "mine.py"])


def test_refusals_are_no_faults(tmp_path: Path) -> None:
    body = "rules.refuse('in', 'not this one'); return inputs"
    written(tmp_path, method("infer(self, inputs, rules)", body))
    done = command(tmp_path, "check", "a.net", "--plugin", "mine.py")
    assert (done.returncode, "not this one" in done.stdout) == (1, True)


def test_a_parent_class_is_contained_too(tmp_path: Path) -> None:
    (tmp_path / "a.net").write_text(NET)
    parent = LAYER.replace("class Mine", "class Parent").replace('name = "mine"', 'name = ""')
    parent = parent.replace("return inputs", "sys.exit(0)")
    child = 'class Mine(Parent):\n    """Does it."""\n\n    name = "mine"\n'
    (tmp_path / "mine.py").write_text(f"{HEAD}{parent}\n\n{child}")
    blamed(command(tmp_path, "check", "a.net", "--plugin", "mine.py"), "SystemExit: 0")
