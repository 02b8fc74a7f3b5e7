"""`.caffemodel` files, written by Google's protobuf from the fields of Caffe's format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

FIELDS = {
    "BlobShape": [("dim", 1, "int64", True, True)],
    "BlobProto": [
        ("num", 1, "int64", False, False),
        ("channels", 2, "int64", False, False),
        ("height", 3, "int64", False, False),
        ("width", 4, "int64", False, False),
        ("data", 5, "float", True, True),
        ("shape", 7, "BlobShape", False, False),
        ("double_data", 8, "double", True, True),
    ],
    "LayerParameter": [
        ("name", 1, "string", False, False),
        ("type", 2, "string", False, False),
        ("bottom", 3, "string", True, False),
        ("blobs", 7, "BlobProto", True, False),
    ],
    "V1LayerParameter": [
        ("name", 4, "string", False, False),
        ("blobs", 6, "BlobProto", True, False),
        ("blobs_lr", 7, "float", True, False),
    ],
    "NetParameter": [
        ("name", 1, "string", False, False),
        ("layers", 2, "V1LayerParameter", True, False),
        ("layer", 100, "LayerParameter", True, False),
    ],
}
"""Of each message the fields that are used here: name, number, type, repeated, packed."""


@cache
def message(name: str) -> Any:
    """The class of a message."""
    file = descriptor_pb2.FileDescriptorProto(name="model.proto", package="model")
    kinds = descriptor_pb2.FieldDescriptorProto
    for title, fields in FIELDS.items():
        one = file.message_type.add(name=title)
        for word, number, kind, is_repeated, is_packed in fields:
            added = one.field.add(name=word, number=number)
            added.label = kinds.LABEL_REPEATED if is_repeated else kinds.LABEL_OPTIONAL
            if kind in FIELDS:
                added.type, added.type_name = kinds.TYPE_MESSAGE, f".model.{kind}"
            else:
                added.type = getattr(kinds, f"TYPE_{kind.upper()}")
            if is_packed:
                added.options.packed = True
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"model.{name}"))


def write_model(
    path: Path,
    blobs: Mapping[str, Sequence[np.ndarray]],
    *,
    is_old: bool = False,
    is_double: bool = False,
) -> None:
    """Write the blobs of layers; old files say their shape by four sizes."""
    net = message("NetParameter")(name="written by the tests")
    for name, arrays in blobs.items():
        layer = net.layers.add(name=name) if is_old else net.layer.add(name=name, type="Any")
        for array in arrays:
            blob = layer.blobs.add()
            if is_old:
                sizes = (*(1,) * (4 - array.ndim), *array.shape)
                blob.num, blob.channels, blob.height, blob.width = sizes
            else:
                blob.shape.dim.extend(array.shape)
            values = blob.double_data if is_double else blob.data
            values.extend(array.reshape(-1))
    path.write_bytes(net.SerializeToString())
