"""A pool to one cell whose axes are then dropped is a global pool."""

from __future__ import annotations

from netdsl.importers.program import Call, Program, Region, Setting, Value

GLOBAL = {"adaptive_avgpool": "global_avgpool", "adaptive_maxpool": "global_maxpool"}


def join_pools(program: Program) -> None:
    """Write pools to one cell with the flatten behind them as one call."""
    _join(program.root, program.uses())


def _join(region: Region, uses: dict[Value, int]) -> None:
    pools: dict[Value, Call] = {}
    for item in list(region.items):
        if isinstance(item, Region):
            _join(item, uses)
        elif isinstance(item, Call) and _is_to_one_cell(item) and uses.get(item.output) == 1:
            pools[item.output] = item
        elif isinstance(item, Call) and item.layer == "flatten" and item.inputs[0] in pools:
            pool = pools[item.inputs[0]]
            settings: dict[str, Setting] = {}
            joined = Call(GLOBAL[pool.layer], settings, pool.inputs, item.outputs, pool.origin)
            region.items[region.items.index(item)] = joined
            region.items.remove(pool)


def _is_to_one_cell(call: Call) -> bool:
    """Whether a call leaves one cell of a map, so that nothing but axes is left to drop."""
    return call.layer in GLOBAL and call.settings.get("size") == 1
