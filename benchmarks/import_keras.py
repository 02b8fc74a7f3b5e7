"""Models of `keras.applications`, imported: do they compute what Keras computes?

    python benchmarks/import_keras.py                    # all, into benchmarks/results/import_keras.*
    python benchmarks/import_keras.py --only ResNet50

Runs where keras and h5py are installed beside netdsl and torch. Each model has drawn weights, is
saved by Keras, imported from the file with its numbers, and run at one picture beside Keras. Keras
runs on torch, and on jax for models with `AveragePooling2D(padding="same")`: on torch it lets cells
beyond the border count in means, unlike TensorFlow and jax.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
ON_JAX = ("NASNetLarge", "NASNetMobile", "InceptionV3", "InceptionResNetV2")
TOO_LARGE = ("ConvNeXtXLarge",)
"""Not run: 350 million numbers, in several copies. It has the layers of ConvNeXtBase."""
OPEN = 224
"""The size of a picture where the model takes any."""
TOLERANCE = 1e-4
"""Of the largest output: float32, and sums in another order, through hundreds of layers."""


def names() -> list[str]:
    """The models, as `keras.applications` has them."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras.applications as applications

    return [name for name in dir(applications) if name[0].isupper()]


def one(name: str) -> dict[str, Any]:
    """A model saved, imported and run; in a process of its own."""
    import keras
    import keras.applications as applications
    import numpy as np

    keras.utils.set_random_seed(1)
    model = getattr(applications, name)(weights=None, classifier_activation=None)
    drawn = np.random.default_rng(1)
    for variable in model.weights:
        variable.assign(drawn_like(drawn, variable))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / f"{name}.keras")
        model.save(path)
        result = compared(path, model, drawn)
    return result


def drawn_like(drawn: Any, variable: Any) -> Any:
    """Numbers that keep values near 1 through many layers."""
    import numpy as np

    shape = tuple(variable.shape)
    if variable.name.endswith("variance") or variable.name == "gamma":
        return drawn.uniform(0.5, 1.5, shape).astype(np.float32)
    if len(shape) <= 1:
        return drawn.normal(0, 0.1, shape).astype(variable.dtype)
    fan = int(np.prod(shape[:-1])) if "depthwise" not in variable.name else int(np.prod(shape[:2]))
    return (drawn.normal(0, 1, shape) * (1.5 / fan) ** 0.5).astype(np.float32)


def compared(path: str, model: Any, drawn: Any) -> dict[str, Any]:
    """The largest difference between what the two compute, and what it took."""
    import numpy as np
    import torch

    import netdsl
    from netdsl.importers import keras as front_end
    from netdsl.importers.frontend import Question

    start = time.perf_counter()
    front_end.read(Question(path))
    read = time.perf_counter() - start
    start = time.perf_counter()
    network = netdsl.load(path)
    whole = time.perf_counter() - start
    module = network.torch(seed=0).eval()
    numbers = {key: torch.from_numpy(np.array(give())) for key, give in network.numbers.items()}
    module.load_state_dict(numbers)
    height, width, channels = (size or OPEN for size in model.inputs[0].shape[1:])
    picture = drawn.uniform(0, 255, (1, height, width, channels)).astype(np.float32)
    theirs = np.asarray(keras_outputs(model, picture))
    with torch.no_grad():
        ours = module(torch.from_numpy(picture.transpose(0, 3, 1, 2).copy())).numpy()
    scale = float(np.abs(theirs).max())
    return {
        "parameters": int(model.count_params()),
        "layers": len(model.layers),
        "lines": network.source.count("\n"),
        "read_s": round(read, 2),
        "import_s": round(whole, 2),
        "largest_output": scale,
        "difference": float(np.abs(ours - theirs).max()) / scale,
        "spread": float(theirs.std()),
    }


def keras_outputs(model: Any, picture: Any) -> Any:
    """What Keras computes at inference."""
    import keras

    if keras.backend.backend() == "torch":
        import torch

        with torch.no_grad():
            return model(picture, training=False).cpu().numpy()
    return model(picture, training=False)


def table(results: dict[str, dict[str, Any]]) -> str:
    """The results as text."""
    lines = [f"{'model':20} {'parameters':>12} {'read':>6} {'import':>7} {'lines':>6}  difference"]
    for name, one in sorted(results.items()):
        if "error" in one:
            lines.append(f"{name:20} {one['error'][:90]}")
            continue
        lines.append(
            f"{name:20} {one['parameters']:>12,} {one['read_s']:>5}s {one['import_s']:>6}s "
            f"{one['lines']:>6}  {one['difference']:.1e}"
        )
    good = sum("error" not in one and one["difference"] < TOLERANCE for one in results.values())
    lines.append(f"{good} of {len(results)} compute what Keras computes, to {TOLERANCE} of it")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--one", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(one(chosen.one)))
        return 0
    written = RESULTS / "import_keras.json"
    results: dict[str, dict[str, Any]] = {}
    if chosen.only and written.exists():
        results = json.loads(written.read_text())
    for name in chosen.only or names():
        if name in TOO_LARGE and not chosen.only:
            results[name] = {"error": "too large to run here"}
            continue
        results[name] = in_process(name)
        written.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
        (RESULTS / "import_keras.txt").write_text(table(results))
    print(table(results), end="")
    wrong = [one for one in results.values() if one.get("difference", 0) >= TOLERANCE]
    return 1 if wrong else 0


def in_process(name: str) -> dict[str, Any]:
    """One model in a process of its own, with the backend that it needs."""
    backend = "jax" if name in ON_JAX else "torch"
    ran = subprocess.run(
        [sys.executable, __file__, "--one", name],
        env={**os.environ, "KERAS_BACKEND": backend}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if ran.returncode == 0:
        return json.loads(ran.stdout.strip().splitlines()[-1])
    return {"error": (ran.stderr.strip().splitlines() or ["it ended"])[-1], "difference": 1.0}


if __name__ == "__main__":
    sys.exit(main())
