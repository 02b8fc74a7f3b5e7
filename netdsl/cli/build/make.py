"""Makes what a plan asks for, several networks at once, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

from netdsl.cli.build.plan import Plan, Target
from netdsl.cli.build.record import Record

CURRENT, MADE, FAILED = "up to date", "made", "failed"
WORKER = "netdsl.cli.build.worker"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a target; `output` is what its command said."""

    target: Target
    status: str
    seconds: float = 0.0
    output: str = ""


class Maker:
    """Makes targets; `tell` is given each result as soon as it is there."""

    def __init__(self, plan: Plan, record: Record, tell: Callable[[Result], None]) -> None:
        self.plan, self.record, self.tell = plan, record, tell
        self._lock, self._running = RLock(), set[subprocess.Popen[str]]()
        self._is_ended = False

    def make(self, networks: Sequence[str], jobs: int, *, force: bool) -> list[Result]:
        """The results in the order of the plan."""
        results: dict[Target, Result] = {}
        waiting: dict[str, list[Target]] = {}
        for name in networks:
            for target in self.plan.targets[name]:
                if not force and self.record.is_current(target):
                    results[target] = Result(target, CURRENT)
                else:
                    waiting.setdefault(name, []).append(target)
        pool = ThreadPoolExecutor(jobs)
        try:
            tasks = [pool.submit(self._network, targets) for targets in waiting.values()]
            for task in as_completed(tasks):
                results |= {result.target: result for result in task.result()}
        except BaseException:
            self._end_all()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
        order = [target for name in networks for target in self.plan.targets[name]]
        return [results[target] for target in order]

    def _network(self, targets: list[Target]) -> list[Result]:
        """Make targets of one network one after the other; what fails leaves the others alone."""
        results: list[Result] = []
        while len(results) < len(targets) and not self._is_ended:  # one may die of its target
            left = targets[len(results) :]
            for result in self._process(left):
                results.append(result)
                self._note(result)
        return results

    def _process(self, targets: list[Target]) -> Iterator[Result]:
        tasks = [
            {
                "command": one.command,
                "arguments": one.arguments,
                "file": None if one.file is None else str(one.file),
                "is_printed": one.is_printed,
            }
            for one in targets
        ]
        count = 0
        with tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", WORKER], cwd=self.plan.folder, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            )  # fmt: skip
            assert process.stdin is not None
            assert process.stdout is not None
            with process, self._watched(process), suppress(BrokenPipeError):
                process.stdin.write(json.dumps(tasks) + "\n")
                process.stdin.flush()  # it stays open: its end ends the process
                for line, target in zip(process.stdout, targets, strict=False):
                    yield self._result(target, line)
                    count += 1
                process.stdin.close()
            if count < len(targets):
                errors.seek(0)
                message = f"its process ended with code {process.returncode}\n{errors.read()}"
                yield Result(targets[count], FAILED, output=message.strip())

    @contextmanager
    def _watched(self, process: subprocess.Popen[str]) -> Iterator[None]:
        """Have the process killed if all is to end."""
        with self._lock:
            self._running.add(process)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(process)

    def _result(self, target: Target, line: str) -> Result:
        data = json.loads(line)
        status = MADE if data["code"] == 0 else FAILED
        if status == MADE:
            with self._lock:
                self.record.keep(target, data["reads"], _makes(self.plan.folder, target))
        return Result(target, status, data["seconds"], data["output"])

    def _note(self, result: Result) -> None:
        with self._lock:
            if result.status == FAILED:
                self.record.forget(result.target)
            self.record.write()  # what was made before an interrupt is made
            self.tell(result)

    def _end_all(self) -> None:
        with self._lock:
            self._is_ended = True
            for process in self._running:
                process.kill()


def _makes(folder: Path, target: Target) -> list[Path]:
    return [] if target.file is None else [(folder / target.file).resolve()]
