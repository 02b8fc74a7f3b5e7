"""What all tests share: one thread for torch, so that workers side by side do not fight; every
graph that is built is verified; and no error hides in the search for structure of an import."""

from __future__ import annotations

import os

from netdsl import driver
from netdsl.importers import imported

os.environ.setdefault("OMP_NUM_THREADS", "1")
driver.VERIFY_IR = True
imported.RAISES = True

pytest_plugins = ["tests.golden", "tests.sampling", "tests.shards"]
