"""Random layer settings, networks and broken files by the hundred thousand: none may go wrong.

    python benchmarks/fuzz.py                         all kinds, to their full counts
    python benchmarks/fuzz.py files --seconds 600     as far as it gets; the next run goes on,
                                                      and tries the faults found so far again
    python benchmarks/fuzz.py networks --only 4711    one case again, with its traceback
    python benchmarks/fuzz.py files --tree KEY        goes on only from a run for the same key

Each case has a seed of its own and is checked against PyTorch, or against what a refusal must look
like. How far it got, what came out and every fault are kept in benchmarks/results/fuzz.json.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from traceback import format_exc
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.measure import RESULTS, report  # noqa: E402

STATE = RESULTS / "fuzz.json"
SLOWEST = 60
"""Seconds after which a case counts as a fault."""
MOST_FAULTS = 50


Result = tuple[Counter[str], list[tuple[int, str]]]


class TooSlow(Exception):
    """A case that does not end."""


def setting(seed: int) -> str:
    """A random layer, its settings and inputs: our shapes and refusals are PyTorch's."""
    from netdsl.ops import registry
    from tests.ops.settings import random_case
    from tests.ops.test_differential import check_setting

    random = Random(f"setting {seed}")
    name = random.choice(sorted(registry()))
    op, inputs = random_case(registry()[name], random)
    return check_setting(name, op, inputs).split()[0]


def network(seed: int) -> str:
    """A random network, by turns legal or not, of fixed or of open sizes, run beside its graph."""
    import torch

    from tests import test_legal_networks as legal
    from tests.backends.torch import test_random_networks as any_net

    torch.manual_seed(seed)
    if seed % 4 == 0:
        legal.check_fixed(legal.built(seed, symbolic=False), seed)
        return "legal, fixed sizes"
    if seed % 4 == 1:
        legal.check_symbolic(legal.built(seed, symbolic=True), seed)
        return "legal, open sizes"
    if seed % 4 == 2:
        return "any, fixed sizes" if any_net.check_fixed(seed) else "any, refused"
    return "any, open sizes" if any_net.check_sizes(seed) else "any, refused"


def file(seed: int) -> str:
    """A file with some characters changed: it compiles, or gives a located error."""
    from tests.test_hostile import check_mutated, mutated

    random = Random(f"file {seed}")
    with tempfile.TemporaryDirectory(prefix="netdsl-fuzz") as folder:
        return check_mutated(mutated(_texts(), random), Path(folder) / f"m{seed}.net")


def guard(seed: int) -> str:
    """A random network of several inputs, guarded: its file takes what PyTorch takes, no more."""
    from tests.backends.onnx.test_guard import check_several

    return "some refused" if check_several(seed) else "none refused"


def target(seed: int) -> str:
    """Something odd where a file is to be written: written whole, or refused and left alone."""
    from tests.test_hostile import check_target

    with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        return check_target(seed, Path(folder)).rpartition(" ")[2]


def labels(seed: int) -> str:
    """Labels that meet in one scope: refused as the rules say, or keys and numbers are right."""
    from tests.backends.torch.test_label_trees import check

    return check(seed)


def names(seed: int) -> str:
    """A hostile name at some place of the language: refused at a place, or right."""
    from tests.hostile_names import NAMES, PLACES
    from tests.test_hostile_names import check

    random = Random(f"names {seed}")
    place = random.choice(list(PLACES))
    name = "".join(random.choices(NAMES, k=random.choice([1, 1, 2])))
    if not PLACES[place].is_quoted:
        name = name.strip()  # blanks around a name are no part of it
        if not name or name[0].isdigit():
            return "a number"
    return check(place, name, with_onnx=True)


@cache
def _texts() -> list[str]:
    places = (ROOT / "examples", ROOT / "netdsl" / "std")
    return [p.read_text() for place in places for p in sorted(place.glob("*.net"))]


KINDS: dict[str, tuple[Callable[[int], str], int, int]] = {
    "settings": (setting, 100_000, 500),
    "networks": (network, 10_000, 20),
    "files": (file, 100_000, 100),
    "guards": (guard, 1_000, 10),
    "targets": (target, 10_000, 100),
    "labels": (labels, 10_000, 100),
    "names": (names, 20_000, 200),
}
"""The check, how many cases are wanted, and how many a process takes at once."""


def chunk(job: tuple[str, int, int]) -> Result:
    """What came of the cases from `start` to `end`, and the faults with their tracebacks."""
    kind, start, end = job
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _alarm)
    found: Counter[str] = Counter()
    faults: list[tuple[int, str]] = []
    for seed in range(start, end):
        signal.alarm(SLOWEST)
        try:
            found[KINDS[kind][0](seed)] += 1
        except Exception:
            found["FAULT"] += 1
            faults.append((seed, format_exc(limit=-3)[-2000:]))
        finally:
            signal.alarm(0)
    return found, faults


def _alarm(*_: object) -> None:
    raise TooSlow


def run(kind: str, count: int, processes: int, until: float) -> None:
    """Go on from where the last run ended, to `count` cases or the end of the time."""
    state = _state()
    mine = state.setdefault(kind, _nothing())
    size = KINDS[kind][2]
    starts = range(mine["done"], count, size)
    jobs = [(kind, start, min(start + size, count)) for start in starts]
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, maxtasksperchild=50) as pool:
        _retry(mine, [pool.apply(chunk, ((kind, s, s + 1),)) for s, _ in mine["faults"]])
        _keep(state)
        before = time.time()
        for (_, _, end), (found, faults) in zip(jobs, pool.imap(chunk, jobs), strict=True):
            now = time.time()
            mine["done"], mine["seconds"] = end, round(mine["seconds"] + now - before, 1)
            before = now
            mine["found"] = dict(Counter(mine["found"]) + found)
            mine["faults"] = [*mine["faults"], *faults][:MOST_FAULTS]
            _keep(state)
            for seed, trace in faults:
                print(f"{kind} {seed}: {trace}", flush=True)
            if now > until:
                pool.terminate()
                break


def _nothing() -> dict[str, Any]:
    return {"done": 0, "seconds": 0.0, "found": {}, "faults": [], "mended": []}


def _state() -> dict[str, Any]:
    return json.loads(STATE.read_text(encoding="utf-8")) if STATE.exists() else {}


def _keep(state: dict[str, Any]) -> None:
    """Write the state aside and rename it: a kill leaves the last one."""
    aside = STATE.with_suffix(".part")
    aside.write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
    os.replace(aside, STATE)


def _begin(kinds: list[str], tree: str | None) -> None:
    """Forget what was done of some kinds, or only what was done for another tree."""
    state = _state()
    for kind in kinds:
        if tree is None or state.get(kind, {}).get("tree") != tree:
            state[kind] = _nothing() | ({"tree": tree} if tree else {})
    _keep(state)


def _retry(mine: dict[str, Any], again: list[Result]) -> None:
    """The faults of earlier runs that are none any more, noted as mended."""
    kept: list[tuple[int, str]] = []
    for (seed, trace), (found, faults) in zip(mine["faults"], again, strict=True):
        if faults:
            kept.append((seed, trace))
            continue
        mine["found"] = dict(Counter(mine["found"]) - Counter(["FAULT"]) + found)
        mine["mended"].append(seed)
    mine["faults"] = kept


def summary() -> str:
    """The counts in words, kind by kind."""
    lines: list[str] = []
    for kind, mine in _state().items():
        found = ", ".join(f"{n:,} {what}" for what, n in sorted(mine["found"].items()))
        wrong = mine["found"].get("FAULT", 0)
        said = f"{mine['done']:,} of {KINDS[kind][1]:,} in {mine['seconds']:,.0f} s"
        mended = (
            f"; at first wrong, no more: {', '.join(map(str, mine['mended']))}"
            if mine["mended"]
            else ""
        )
        lines.append(f"{kind}: {said}, {wrong} wrong ({found}){mended}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("kinds", nargs="*", choices=[*KINDS, []], help="all, if left out")
    parser.add_argument("--count", type=int, help="cases of each kind, in place of the full count")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="for each kind")
    parser.add_argument("--again", action="store_true", help="from the first seed on")
    parser.add_argument("--tree", metavar="KEY", help="from the first seed on, if it was another")
    parser.add_argument("--only", type=int, help="one seed, with its traceback")
    options = parser.parse_args()
    kinds: list[str] = options.kinds or list(KINDS)
    if options.only is not None:
        print(*(KINDS[kind][0](options.only) for kind in kinds), sep="\n")
        return
    if options.again or options.tree:
        _begin(kinds, None if options.again else options.tree)
    for kind in kinds:
        until = time.time() + options.seconds
        run(kind, options.count or KINDS[kind][1], options.processes, until)
    report("fuzz", summary())
    state = _state()
    sys.exit(any("FAULT" in state[kind]["found"] for kind in kinds))


if __name__ == "__main__":
    main()
