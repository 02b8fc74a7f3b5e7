"""`pytest --shard 2/5` runs every fifth test, from the third on: the shards 0/5 to 4/5 are all."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shard", help="I/N: the tests whose place, divided by N, leaves I")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    shard = config.getoption("--shard")
    if not shard:
        return
    index, count = map(int, shard.split("/"))
    if not 0 <= index < count:
        raise pytest.UsageError(f"--shard {shard}: the first number is from 0 to {count - 1}")
    config.hook.pytest_deselected(
        items=[item for at, item in enumerate(items) if at % count != index]
    )
    items[:] = items[index::count]
