"""Small models of Keras, and what Keras computes of them; written to `tests/data/keras` once.

    KERAS_BACKEND=jax python -m tests.importers.keras_models

needs keras and jax, which the tests do not. Weights and inputs are drawn by a rule (`drawn`), so
that the files hold configurations, the order of the variables, and outputs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).resolve().parents[1] / "data" / "keras"


def drawn(shape: tuple[int, ...], number: int, name: str = "") -> np.ndarray:
    """Numbers by a rule: those of a variable, or of an input; variances are not below 0."""
    count = int(np.prod(shape, dtype=np.int64))
    waves = np.sin(np.arange(count, dtype=np.float64) * 0.7391 + number * 1.3 + 0.2)
    values = waves * (1.0 if number < 0 else 0.6)
    if "variance" in name:
        values = np.abs(values) + 0.5
    return values.astype(np.float32).reshape(shape)


def input_of(shape: tuple[int, ...], number: int, dtype: str) -> np.ndarray:
    """An input of the shape that Keras has; whole numbers lie below 11."""
    values = drawn(shape, -1 - number)
    return (np.abs(values) * 11).astype(np.int64) % 11 if dtype == "int64" else values


def models() -> dict[str, Any]:
    """The models, by names."""
    from keras import Input, Model, Sequential, layers, ops

    def maps() -> Any:
        x = image = Input((15, 18, 3), name="image")
        x = layers.Conv2D(6, 3, strides=2, padding="same", name="stem", activation="relu")(x)
        x = layers.BatchNormalization(name="stem_bn")(x)
        a = layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2, name="dw")(x)
        b = layers.SeparableConv2D(
            12, (3, 2), strides=2, padding="same", depth_multiplier=3, name="sep"
        )(x)
        c = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        d = layers.AveragePooling2D(3, strides=2, padding="same")(x)
        x = layers.Concatenate()([a, b, c, d])
        gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
        gate = layers.Conv2D(36, 1, activation="sigmoid", name="gate")(gate)
        x = layers.Multiply()([x, gate])
        x = layers.ZeroPadding2D(((0, 1), (2, 1)), name="pad")(x)
        x = layers.Conv2DTranspose(5, 3, strides=2, padding="same", name="up1")(x)
        x = layers.Conv2DTranspose(4, 5, strides=3, padding="valid", name="up2")(x)
        x = layers.Conv2DTranspose(4, 2, strides=3, padding="same", name="up3", use_bias=False)(x)
        x = layers.Cropping2D(((3, 2), (0, 4)))(x)
        x = layers.Conv2D(4, 3, dilation_rate=2, groups=2, name="dilated")(x)
        x = layers.BatchNormalization(scale=False, name="bn2", epsilon=1e-2)(x)
        x = layers.UpSampling2D((1, 2), interpolation="bilinear")(x)
        x = layers.AveragePooling2D((5, 9))(x)
        return Model(image, x, name="maps")

    def flat() -> Any:
        return Sequential(
            [
                Input((6, 5, 3), name="image"),
                layers.Rescaling(0.5, offset=-0.25),
                layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[0.5, 1.0, 2.0]),
                layers.Conv2D(4, 3, name="conv", activation="tanh"),
                layers.Dropout(0.3),
                layers.Flatten(),
                layers.Dense(7, name="fc1", activation="relu"),
                layers.BatchNormalization(center=False, name="bn"),
                layers.Dense(3, name="fc2", activation="softmax"),
            ],
            name="flat",
        )

    def acts() -> Any:
        x = image = Input((5, 4, 6), name="image")
        x = layers.Dense(8, name="on_map")(x)
        x = layers.LayerNormalization(name="norm", epsilon=1e-4)(x)
        parts = [layers.Activation(name)(x) for name in
                 ("gelu", "silu", "hard_silu", "softplus", "hard_sigmoid", "selu", "leaky_relu")]  # fmt: skip
        parts += [
            layers.LeakyReLU(negative_slope=0.15)(x),
            layers.PReLU(shared_axes=[1, 2], name="prelu")(x),
            layers.ELU(alpha=0.7)(x),
            layers.ReLU(max_value=0.5)(x),
            layers.ReLU(negative_slope=0.3)(x),
            layers.Softmax()(x),
        ]
        x = layers.Concatenate(axis=1)(parts)
        y = layers.LayerNormalization(axis=[2, 3], name="both")(x)
        return Model(image, [x, y], name="acts")

    def nested() -> Any:
        block = Sequential(
            [layers.Input((6, 6, 4)), layers.Conv2D(4, 3, padding="same", name="conv"),
             layers.BatchNormalization(name="bn"), layers.ReLU(name="act")], name="block",
        )  # fmt: skip
        inner_in = Input((6, 6, 4), name="inner_in")
        inner = Model(inner_in, layers.Add()([block(inner_in), inner_in]), name="inner")
        one, other = Input((6, 6, 4), name="one"), Input((6, 6, 4), name="other")
        x = layers.Average()([inner(one), block(other)])
        x = inner(x)
        pooled = layers.GlobalMaxPooling2D()(x)
        shared = layers.Dense(5, name="shared")
        y = shared(pooled)
        z = shared(layers.GlobalAveragePooling2D()(other))
        return Model([one, other], {"left": y, "right": z, "map": x}, name="nested")

    def sequence() -> Any:
        ids = Input((9,), name="ids", dtype="int32")
        x = layers.Embedding(11, 8, name="embedding")(ids)
        x = layers.Conv1D(8, 3, padding="causal", dilation_rate=2, name="causal")(x)
        x = layers.LSTM(6, return_sequences=True, name="lstm")(x)
        x = layers.MultiHeadAttention(2, 4, name="attention")(x, x, use_causal_mask=True)
        y = layers.Bidirectional(layers.GRU(5), name="both")(x)
        z = layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="steps")(x)
        z = layers.GlobalAveragePooling1D()(layers.MaxPooling1D(2)(z))
        return Model(ids, layers.Concatenate()([y, z]), name="sequence")

    def arithmetic() -> Any:
        x = image = Input((4, 6, 3), name="image")
        x = 3.0 - (x * 2 + 1) / 4
        y = layers.Permute((2, 1, 3))(x)
        y = layers.Reshape((4, 6, 3))(y)
        x = layers.Subtract()([x, y])
        vector = layers.Dense(3, name="fc")(layers.GlobalAveragePooling2D()(x))
        x = layers.Maximum()([x, vector])
        scaled = layers.Multiply()([x, layers.Reshape((1, 1, 3))(vector)])
        x = layers.Minimum()([ops.add(x, scaled), image])
        x = layers.Reshape((-1, 6))(x)
        return Model(image, layers.Flatten()(layers.Dense(2, name="last")(x)), name="arithmetic")

    def first() -> Any:
        x = image = Input((3, 7, 8), name="image")
        kind = {"data_format": "channels_first"}
        x = layers.Conv2D(4, 3, strides=2, padding="same", name="conv", **kind)(x)
        x = layers.BatchNormalization(axis=1, name="bn")(x)
        x = layers.MaxPooling2D(2, **kind)(x)
        return Model(image, layers.Dense(3, name="fc")(layers.Flatten(**kind)(x)), name="first")

    made = (maps, flat, acts, nested, sequence, arithmetic, first)
    return {one.__name__: one() for one in made}


def variables(model: Any, owner: tuple[str, ...] = ()) -> list[Any]:
    """The variables of each layer with its names, parts of layers apart."""
    found: list[Any] = []
    for layer in model.layers:
        path = (*owner, layer.name)
        if hasattr(layer, "layers"):
            found += variables(layer, path)
        parts = {"": layer}
        if type(layer).__name__ in ("LSTM", "GRU"):
            parts = {"cell": layer.cell}
        elif type(layer).__name__ == "Bidirectional":
            parts = {
                "forward_layer/cell": layer.forward_layer.cell,
                "backward_layer/cell": layer.backward_layer.cell,
            }
        elif type(layer).__name__ == "MultiHeadAttention":
            names = ("query_dense", "key_dense", "value_dense", "output_dense")
            parts = {name: getattr(layer, f"_{name}") for name in names}
        if not hasattr(layer, "layers"):
            found += [(path, part, one.weights) for part, one in parts.items() if one.weights]
    return found


def write() -> None:
    """The configurations, and what Keras computes."""
    FOLDER.mkdir(exist_ok=True)
    facts: dict[str, Any] = {}
    for name, model in models().items():
        (FOLDER / f"{name}.json").write_text(model.to_json())
        listed: list[Any] = []
        number = 0
        seen: set[int] = set()
        for path, part, weights in variables(model):
            if id(weights[0]) in seen:
                continue
            seen |= {id(one) for one in weights}
            shapes: list[Any] = []
            for one in weights:
                shapes.append([one.name, list(one.shape)])
                one.assign(drawn(tuple(one.shape), number, one.name))
                number += 1
            listed.append([list(path), part, shapes])
        inputs: list[np.ndarray] = []
        for place, one in enumerate(model.inputs):
            dtype = "int64" if "int" in str(one.dtype) else "float32"
            inputs.append(input_of((2, *one.shape[1:]), place, dtype))
        outputs = model(inputs if len(inputs) > 1 else inputs[0], training=False)
        if not isinstance(outputs, dict):
            outputs = dict(enumerate(outputs if isinstance(outputs, list) else [outputs]))
        facts[name] = {
            "inputs": [list(one.shape) for one in inputs],
            "variables": listed,
            "parameters": sum(int(np.prod(one.shape)) for one in model.trainable_weights),
            "outputs": [
                [name, list(one.shape), sampled(np.asarray(one))] for name, one in outputs.items()
            ],
        }
    (FOLDER / "facts.json").write_text(json.dumps(facts) + "\n")


def sampled(values: np.ndarray) -> list[float]:
    """All numbers of a small array, else about a hundred of it."""
    flat = values.reshape(-1)
    step = max(1, flat.size // 97)
    return [round(float(one), 7) for one in flat[::step]]


if __name__ == "__main__":
    write()
