"""Layers of installed packages: found by their entry points, imported where they are used alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugin_twice import HEAD, NET_OF_TWICE, twice

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def installed(tmp_path: Path):
    """Makes installed packages of modules and entry points; gives a runner of the command."""

    def make(entries: dict[str, str], **modules: str):
        site = tmp_path / "site"
        site.mkdir(exist_ok=True)
        for name, text in modules.items():
            (site / f"{name}.py").write_text(text)
        for number, (point, value) in enumerate(entries.items()):
            info = site / f"package{number}-1.0.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(
                f"Metadata-Version: 2.1\nName: package{number}\nVersion: 1.0\n"
            )
            name = point.split("#")[0]
            (info / "entry_points.txt").write_text(f"[netdsl.layers]\n{name} = {value}\n")
        net = tmp_path / "a.net"
        net.write_text(NET_OF_TWICE)

        def command(*words: str) -> subprocess.CompletedProcess[str]:
            environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{site}"}
            return subprocess.run(
                [sys.executable, "-m", "netdsl", *(words or ("check", str(net)))],
                capture_output=True, text=True, env=environment, cwd=tmp_path,
            )  # fmt: skip

        return command

    return make


def test_a_layer_of_an_installed_package(installed) -> None:
    command = installed({"twice": "layers:Twice"}, layers=HEAD + twice())
    assert command().stdout == "1 file checked, nothing found\n"
    assert command("layers", "twice").stdout.startswith("twice\n\n2 * x.")
    assert "of installed packages\n  twice" in command("layers").stdout


def test_packages_are_imported_only_where_their_name_is_used(installed, tmp_path: Path) -> None:
    command = installed({"other": "boom", "twice": "layers"}, layers=HEAD + twice(), boom="1 / 0")
    assert command().returncode == 0
    (tmp_path / "a.net").write_text(NET_OF_TWICE.replace("twice", "other"))
    failed = command()
    assert failed.returncode == 2
    assert "netdsl: can't load layer `other` of boom: ZeroDivisionError" in failed.stderr
    (tmp_path / "a.net").write_text(NET_OF_TWICE.replace("twice", "othr"))
    assert "did you mean `other`?" in command().stdout


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"twice": "missing"}, "No module named 'missing'"),
        ({"twice": "layers:Gone"}, "has no attribute 'Gone'"),
        (
            {"twice": "layers", "twice#2": "layers:Twice"},
            "two installed packages: package0 and package1",
        ),
        ({"twice": "plain"}, "defines no layer"),
    ],
)
def test_broken_packages(installed, entries: dict[str, str], said: str) -> None:
    done = installed(entries, layers=HEAD + twice(), plain="x = 1")()
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_entry_point_of_another_name(installed) -> None:
    done = installed({"twice": "layers"}, layers=HEAD + twice("thrice"))()
    assert (done.returncode, "layers has no layer `twice`" in done.stderr) == (2, True)


def test_checking_asks_for_no_packages(tmp_path: Path) -> None:
    """A file without unknown names costs no look at what is installed."""
    code = (
        "import sys; from netdsl.driver import check;"
        f"assert not check({str(ROOT / 'examples' / 'googlenet.net')!r});"
        "print('importlib.metadata' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "False\n"
