"""The page's scripts run by node, and the data that they read out of a page."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

import netdsl
from netdsl.backends.diagram.page.assets import asset

PURE = ("exact.js", "network.js", "rows.js", "layout.js", "trace.js", "colours.js", "search.js", "lesson.js")  # fmt: skip
"""The scripts that touch no document."""

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="no node on this system")


def page_of(network: netdsl.Network, **options: Any) -> str:
    return network.drawing("html", **options)[0].decode()


def data_of(page: str) -> dict[str, Any]:
    """The network as the page holds it."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found is not None
    return json.loads(found[1])


def run(code: str, given: Mapping[str, Any]) -> Any:
    """What a program gives back that has the scripts, and `given` as its names."""
    names = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in given.items())
    scripts = '"use strict";' + "".join(map(asset, PURE))
    program = f"{scripts}{names}console.log(JSON.stringify((() => {{{code}}})()))"
    done = subprocess.run(["node", "-"], input=program, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)
