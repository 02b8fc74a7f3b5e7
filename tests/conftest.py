"""What all tests share: one thread for torch, so that workers side by side do not fight; and every
graph that is built is verified."""

from __future__ import annotations

import os

from netdsl import driver

os.environ.setdefault("OMP_NUM_THREADS", "1")
driver.VERIFY_IR = True

pytest_plugins = ["tests.golden", "tests.sampling", "tests.shards"]
