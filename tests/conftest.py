"""What all tests share: one thread for torch, so that workers side by side do not fight."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

pytest_plugins = ["tests.golden", "tests.shards"]
