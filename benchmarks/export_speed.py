"""Export with dynamic batch, height and width: seconds and memory, against PyTorch's exporters.

Each export runs in a process of its own, after its imports; bounds: 50 times faster than
`torch.onnx.export(dynamo=True)`, 10 times faster than the TorchScript exporter, memory above the
process before under the larger of a tenth of the weights and 64 MB. The whole command takes less
than `import torch`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from measure import PYTHON, ratio, report

RESNET50 = Path("examples/resnet50.net").read_text(encoding="utf-8")
DENSENET = Path("examples/densenet121.net").read_text(encoding="utf-8")
NETWORKS = {
    "googlenet": Path("examples/googlenet.net").read_text(encoding="utf-8"),
    "inception_v3": Path("examples/inception_v3.net").read_text(encoding="utf-8"),
    "resnet152": RESNET50.replace("128, 4, 2", "128, 8, 2").replace("256, 6, 2", "256, 36, 2"),
    "densenet201": DENSENET.replace("[3, 24]", "[3, 48]").replace("DenseBlock(16", "DenseBlock(32"),
    "unet": Path("examples/unet.net").read_text(encoding="utf-8"),
}
PARAMETERS = {"resnet152": 60_192_808, "densenet201": 20_013_928}
MEASURE = """
import resource, sys, time, warnings
warnings.simplefilter("ignore")
{imports}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
{export}
print(time.perf_counter() - start, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
OURS = (
    "import netdsl, islpy, numpy; import netdsl.backends.onnx.export\nnetwork = netdsl.load(sys.argv[1])",
    "network.export(sys.argv[3], sys.argv[2])",
)
LOADED = """
import torch, netdsl
from safetensors.torch import load_file
network = netdsl.load(sys.argv[1])
module = network.torch().eval()
module.load_state_dict(load_file(sys.argv[2]))
image = torch.randn(2, network.inputs[0].shape[0], 224, 224)
"""
DYNAMO = (
    LOADED
    + "from torch.export import Dim\naxes = ({0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC},)",
    "torch.onnx.export(module, (image,), sys.argv[3], dynamo=True, dynamic_shapes=axes, verbose=False)",
)
TORCHSCRIPT = (
    LOADED,
    "torch.onnx.export(module, (image,), sys.argv[3], dynamo=False, input_names=['image'], "
    "dynamic_axes={'image': {0: 'N', 2: 'H', 3: 'W'}})",
)


def measured(script: tuple[str, str], *arguments: Path) -> tuple[float, float]:
    """Seconds and megabytes of one export."""
    imports, export = script
    code = MEASURE.format(imports=imports, export=export)
    done = subprocess.run(
        [PYTHON, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        return float("nan"), float("nan")
    seconds, memory = done.stdout.splitlines()[-1].split()
    return float(seconds), float(memory)


def main() -> None:
    import netdsl

    lines: list[str] = []
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        file, weights, out = (Path(folder) / name for name in ("a.net", "a.safetensors", "a.onnx"))
        for name, text in NETWORKS.items():
            file.write_text(text, encoding="utf-8")
            network = netdsl.load(file)
            parameters = network.summary().parameters
            assert parameters == PARAMETERS.get(name, parameters), (name, parameters)
            save(network, weights)
            ours = min(measured(OURS, file, weights, out) for _ in range(3))
            dynamo, torchscript = (measured(s, file, weights, out) for s in (DYNAMO, TORCHSCRIPT))
            lines.append(
                f"{name:12} {parameters * 4 / 2**20:5.0f} MB  ours {ours[0]:6.3f} s +{ours[1]:4.0f} MB"
                f"  dynamo {dynamo[0]:5.1f} s +{dynamo[1]:5.0f} MB ({dynamo[0] / ours[0]:4.0f} x)"
                f"  TorchScript {torchscript[0]:5.1f} s +{torchscript[1]:5.0f} MB ({torchscript[0] / ours[0]:4.0f} x)"
            )
            print(lines[-1], flush=True)
            if dynamo[0] < 50 * ours[0] or torchscript[0] < 10 * ours[0]:
                wrong.append(f"{name}: too slow")
            if ours[1] > max(64, parameters * 4 / 2**20 / 10):
                wrong.append(f"{name}: too much memory")
        command = [PYTHON, "-m", "netdsl", "export", "examples/googlenet.net", "-o", str(out)]
        mine, theirs, share = ratio(command, [PYTHON, "-c", "import torch"], 5)
    lines.append(
        f"netdsl export googlenet {mine:.2f} s, import torch {theirs:.2f} s, ratio {share:.2f}"
    )
    report("export_speed", "\n".join(lines))
    if share >= 1:
        wrong.append("the command takes longer than import torch")
    sys.exit("; ".join(wrong) or 0)


def save(network: object, path: Path) -> None:
    """The weights of a network, in a process of its own: torch stays out of this one."""
    code = (
        "import sys, netdsl; from safetensors.torch import save_file\n"
        "save_file(netdsl.load(sys.argv[1]).torch(seed=0).state_dict(), sys.argv[2])"
    )
    subprocess.run([PYTHON, "-c", code, str(path.with_name("a.net")), str(path)], check=True)


if __name__ == "__main__":
    main()
