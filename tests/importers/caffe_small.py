"""Small prototxt files, read and run; and what Caffe itself gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

import netdsl
from netdsl.importers.frontend import Question
from netdsl.importers.imported import Imported, read
from tests.importers.caffe_models import write_model

Array = np.ndarray
Blobs = Mapping[str, Sequence[Array]]
CONV = "convolution_param { num_output: 3 kernel_size: 1 }"
DENSE = "inner_product_param { num_output: 5 }"
OLD = """name: "Old"
input: "data" input_dim: 1 input_dim: 2 input_dim: 6 input_dim: 5
layers { name: "c" type: CONVOLUTION bottom: "data" top: "c" blobs_lr: 1 blobs_lr: 2
    weight_decay: 1 convolution_param { num_output: 3 kernel_size: 3 } }
layers < name: 'r', type: RELU; bottom: "c" top: "c" >
layers { name: "f" type: INNER_PRODUCT bottom: "c" top: "f" inner_product_param { num_output: 2 } }
layers { name: "prob" type: SOFTMAX bottom: "f" top: "prob" }
"""


def layer(kind: str, name: str, bottom: str, top: str = "", more: str = "") -> str:
    bottoms = " ".join(f'bottom: "{one}"' for one in bottom.split())
    tops = " ".join(f'top: "{one}"' for one in (top or name).split())
    return f'layer {{ name: "{name}" type: "{kind}" {bottoms} {tops} {more} }}\n'


def text(*layers: str, shape: Sequence[int] = (4, 9, 8), name: str = "small net") -> str:
    dims = " ".join(f"dim: {size}" for size in (1, *shape))
    given = f'layer {{ name: "in" type: "Input" top: "data" input_param {{ shape {{ {dims} }} }} }}'
    return f'name: "{name}"\n{given}\n{"".join(layers)}'


def read_text(
    tmp_path: Path, prototxt: str, blobs: Blobs | None = None, **options: object
) -> Imported:
    path, model = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    path.write_text(prototxt)
    if blobs is not None:
        write_model(model, blobs)
    weights = None if blobs is None else str(model)
    return read(Question(str(path), weights=weights, **options))  # pyright: ignore[reportArgumentType]


def run(imported: Imported, *x: Array) -> list[Array]:
    """What a network gives for one sample."""
    held = imported.answer.numbers
    weights = {key: get() for key, get in held.items()} if held is not None else None
    module = netdsl.loads(imported.text).torch(seed=0, weights=weights).eval()
    with torch.no_grad():
        result = module(*[torch.from_numpy(one)[None] for one in x])
    return [one.numpy()[0] for one in (result if isinstance(result, tuple) else (result,))]


def one(imported: Imported, *x: Array) -> Array:
    (result,) = run(imported, *x)
    return result


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def tensors(*arrays: Array) -> list[torch.Tensor]:
    return [torch.from_numpy(array) for array in arrays]


def close(ours: Array, theirs: Array) -> None:
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=3e-5, atol=3e-5)
