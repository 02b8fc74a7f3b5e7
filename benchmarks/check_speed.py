"""`netdsl check examples/googlenet.net` against `python -c "import torch"`: at most a quarter."""

from __future__ import annotations

from measure import PYTHON, ratio

ours, peer, share = ratio(
    [PYTHON, "-m", "netdsl", "check", "examples/googlenet.net"], [PYTHON, "-c", "import torch"]
)
print(f"check googlenet {ours:.3f} s, import torch {peer:.3f} s, ratio {share:.3f} (bound 0.25)")
