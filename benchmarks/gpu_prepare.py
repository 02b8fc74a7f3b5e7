"""Compiles networks into a folder that a machine with a GPU, but without netdsl, can measure.

    python benchmarks/gpu_prepare.py build/gpu

Each network gives its PyTorch source, an ONNX file and one in half precision, both without their
weights: `benchmarks/gpu.py` draws weights on the spot and writes them where `manifest.json` says.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import netdsl  # noqa: E402
from netdsl.files import write_whole  # noqa: E402
from netdsl.network import Network  # noqa: E402

LIMIT = 64 * 2**20
"""Bytes that the folder may have."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of the images, and the same network in torchvision, if it has one."""

    size: int
    peer: str = ""


NETWORKS = {
    "googlenet": Plan(224, "googlenet"),
    "resnet50": Plan(224, "resnet50"),
    "densenet121": Plan(224, "densenet121"),
    "sppnet": Plan(224),
    "unet": Plan(256),
    "swin_t": Plan(224, "swin_t"),
}


def prepare(folder: Path, networks: dict[str, tuple[Network, Plan]]) -> None:
    """Write the files of all networks, and what is to be known of them."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {name: _entry(folder, name, *given) for name, given in networks.items()}
    write_whole(folder / "manifest.json", json.dumps(manifest, indent=1) + "\n")


def _entry(folder: Path, name: str, network: Network, plan: Plan) -> dict[str, Any]:
    """Write a network's files; what the manifest says of it."""
    (image,) = network.inputs
    write_whole(folder / f"{name}.py", network.torch_source())
    return {
        "class": network.name,
        "input": image.name,
        "output": network.outputs[0].name,
        "channels": image.shape[0],
        "size": plan.size,
        "peer": plan.peer,
        "source": f"{name}.py",
        "onnx": {
            "float32": _exported(folder / f"{name}.onnx", network, half=False),
            "float16": _exported(folder / f"{name}.half.onnx", network, half=True),
        },
    }


def _exported(path: Path, network: Network, *, half: bool) -> dict[str, Any]:
    """Write an ONNX file that has its weights beside it, without these; where each has its place.

    The places are read with onnx itself from what was written.
    """
    import onnx

    with tempfile.TemporaryDirectory(prefix="netdsl-gpu") as aside:
        written = Path(aside) / path.name
        network.export(written, external=True, half=half)
        model = onnx.load(str(written), load_external_data=False)
        path.write_bytes(written.read_bytes())
    places: list[dict[str, Any]] = []
    for tensor in model.graph.initializer:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        said = {entry.key: entry.value for entry in tensor.external_data}
        places.append(
            {
                "key": tensor.name,
                "shape": list(tensor.dims),
                "dtype": onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).name,
                "offset": int(said["offset"]),
                "length": int(said["length"]),
            }
        )
    return {"file": path.name, "data": f"{path.name}.data", "weights": places}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "build" / "gpu")
    folder: Path = parser.parse_args().folder
    examples = ROOT / "examples"
    prepare(folder, {n: (netdsl.load(examples / f"{n}.net"), plan) for n, plan in NETWORKS.items()})
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{folder}: {len(NETWORKS)} networks, {size:,} bytes")
    if size > LIMIT:
        sys.exit(f"more than {LIMIT:,} bytes")


if __name__ == "__main__":
    main()
