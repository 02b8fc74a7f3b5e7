"""Where the parse table may be kept between runs: a folder that only its owner can touch."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from lark import __version__ as lark_version


def private_file(name: str) -> str | None:
    """A path for a cached file, in a folder of this user alone; None where there is none.

    The file is a pickle, so whoever could write it could run code here: the folder must belong
    to this user, with no rights for others. `NETDSL_CACHE=0` switches the cache off.
    """
    if os.environ.get("NETDSL_CACHE") == "0" or not hasattr(os, "getuid"):
        return None
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        folder = (Path(base) if base else Path.home() / ".cache") / "netdsl"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except (OSError, RuntimeError):
        return None
    is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    if not is_ours or status.st_mode & 0o077:
        return None
    python = f"{sys.version_info.major}{sys.version_info.minor}"
    return str(folder / f"{name}-{lark_version}-py{python}")
