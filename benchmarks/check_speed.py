"""`netdsl check examples/googlenet.net` against `python -c "import torch"`: at most a quarter."""

from __future__ import annotations

from compileall import compile_dir

from measure import PYTHON, hold, ratio, report

BOUND = 0.25

compile_dir("netdsl", quiet=1)  # as pip does when it installs; torch has been through it

ours, peer, share = ratio(
    [PYTHON, "-m", "netdsl", "check", "examples/googlenet.net"], [PYTHON, "-c", "import torch"]
)
report(
    "check_speed",
    f"check googlenet {ours:.3f} s, import torch {peer:.3f} s, ratio {share:.3f} (bound {BOUND})",
)
hold(share, BOUND)
