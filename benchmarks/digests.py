"""A digest of all that comes out of every example, to see what a change of the inside changes.

    python benchmarks/digests.py before.json                    writes the digests
    python benchmarks/digests.py --against before.json          compares: exit code 1 if one differs
    python benchmarks/digests.py --against before.json --only graph source   these alone
    python benchmarks/digests.py --against before.json --names lenet vit_b_16

For each example: the text of its graph, its PyTorch source, summary, sizes, ONNX file (without the
metadata, where its own text stands), and its picture at each level.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import netdsl  # noqa: E402
from netdsl import Network  # noqa: E402
from netdsl.backends.diagram.options import DrawError  # noqa: E402
from netdsl.ir.printer import graph_text  # noqa: E402


def onnx_bytes(network: Network) -> bytes:
    model = network.onnx()
    del model.metadata_props[:]
    return model.SerializeToString(deterministic=True)


def picture(level: str, form: str = "svg", **options: object) -> Callable[[Network], bytes]:
    def drawn(network: Network) -> bytes:
        try:
            return network.drawing(form, level=level, **options)[0]  # type: ignore[arg-type]
        except DrawError as refusal:  # not every network has each picture
            return f"refused: {refusal}".encode()

    return drawn


KINDS: dict[str, Callable[[Network], bytes]] = {
    "graph": lambda network: graph_text(network.graph).encode(),
    "source": lambda network: network.torch_source().encode(),
    "summary": lambda network: str(network.summary()).encode(),
    "sizes": lambda network: str(network.sizes).encode(),
    "onnx": onnx_bytes,
    "blocks": picture("blocks"),
    "blocks-open": picture("blocks", depth=9, direction="down"),
    "layers": picture("layers"),
    "volumes": picture("volumes"),
    "neurons": picture("neurons"),
    "field": picture("field"),
    "page": picture("blocks", "html"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("write", nargs="?", type=Path)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--names", nargs="+", default=[])
    asked = parser.parse_args()
    if (asked.write is None) == (asked.against is None):
        parser.error("give one file: to write, or to compare with after --against")
    paths = sorted((ROOT / "examples").glob("*.net"))
    digests: dict[str, dict[str, str]] = {}
    for path in paths:
        if asked.names and path.stem not in asked.names:
            continue
        network = netdsl.load(path)
        digests[path.stem] = {
            kind: hashlib.sha256(KINDS[kind](network)).hexdigest()[:16] for kind in asked.only
        }
    if asked.write is not None:
        asked.write.write_text(json.dumps(digests, indent=1) + "\n", encoding="utf-8")
        return 0
    return compared(json.loads(asked.against.read_text(encoding="utf-8")), digests)


def compared(before: dict[str, dict[str, str]], now: dict[str, dict[str, str]]) -> int:
    """Print what differs, and how many digests are equal; the exit code."""
    pairs = [(name, kind) for name in now for kind in now[name]]
    unlike = [(n, k) for n, k in pairs if before.get(n, {}).get(k) != now[n][k]]
    for name, kind in unlike:
        print(f"{name}: {kind} {'differs' if kind in before.get(name, {}) else 'is new'}")
    print(f"{len(pairs) - len(unlike)} of {len(pairs)} digests are equal")
    return 1 if unlike or not pairs else 0


if __name__ == "__main__":
    sys.exit(main())
