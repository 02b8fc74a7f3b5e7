"""Normalisation, scaling, and what acts in training alone."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from netdsl.importers.keras.net import Held, Reader, Use
from netdsl.importers.keras.settings import short
from netdsl.importers.program import Setting, Value

if TYPE_CHECKING:
    import numpy

LEAST = 1e-7
"""The least deviation that `Normalization` divides by."""


def batch_norm(use: Use) -> Held:
    """Where Keras learns a factor or an offset alone, the other is there too, and neutral."""
    settings, x = use.settings, use.x
    rank = len(x.order)
    axis = settings.axis("axis", rank, -1)
    settings.only(renorm=False)
    settings.taken |= {"renorm_clipping", "renorm_momentum"}
    if use.kwargs.get("training") is True:
        settings.fail("statistics of the batch at inference have no word in the language")
    order = (axis, *(one for one in range(rank) if one != axis))
    value = use.net.ordered(x, order)
    scale, center = settings.flag("scale", True), settings.flag("center", True)
    momentum = 1 - Decimal(repr(settings.real("momentum", 0.99)))
    own: dict[str, Any] = {
        "eps": settings.real("epsilon", 1e-3),
        "momentum": float(momentum),
        "affine": scale or center,
    }
    if scale or center:
        use.net.keep((*use.path, "weight"), lambda parts: parts[0] if scale else ones(parts[0]))
        at = 1 if scale else 0
        use.net.keep((*use.path, "bias"), lambda parts: parts[at] if center else 0 * parts[0])
        if scale != center:
            missing = "factor" if center else "offset"
            use.net.remark(f"batchnorms have a neutral {missing} where Keras has none")
    use.net.keep((*use.path, "running_mean"), lambda parts: parts[-2])
    use.net.keep((*use.path, "running_var"), lambda parts: parts[-1])
    use.net.keep((*use.path, "num_batches_tracked"), no_batches)
    return Held(use.net.call("batchnorm", value, path=use.path, **own), order)


def ones(like: numpy.ndarray) -> numpy.ndarray:
    return like * 0 + 1


def no_batches(parts: Any) -> numpy.ndarray:
    import numpy as np

    return np.zeros((), np.int64)


def layer_norm(use: Use) -> Held:
    settings, rank = use.settings, len(use.x.order)
    axes = settings.axes("axis", rank, -1)
    settings.only(rms_scaling=False)
    scale, center = settings.flag("scale", True), settings.flag("center", True)
    if center and not scale:
        settings.fail("an offset without a factor has no word in the language")
    own: dict[str, Any] = {"eps": settings.real("epsilon", 1e-3)}
    if not scale:
        own["affine"] = False
    elif not center:
        own["bias"] = False
    order, value = use.x.order, use.x.value
    if len(axes) == 1:
        own["axis"] = use.net.axis(use.x, axes[0])
    elif sorted(axes) == list(range(rank - len(axes), rank)):
        order, value = tuple(range(rank)), use.net.as_is(use.x)
        own["axis"] = [one - rank for one in sorted(axes)]
    else:
        settings.fail("axes are read that are the last ones")
    if scale:
        use.net.keep((*use.path, "weight"), lambda parts: parts[0])
    if scale and center:
        use.net.keep((*use.path, "bias"), lambda parts: parts[1])
    path = use.path if scale else ()
    return Held(use.net.call("layernorm", value, path=path, **own), order)


def normalization(use: Use) -> Held:
    """With numbers of the configuration, or with those it was adapted to."""
    settings = use.settings
    rank = len(use.x.order)
    axis = settings.axis("axis", rank, -1)
    settings.only(invert=False)
    order = (axis, *(one for one in range(rank) if one != axis))
    value = use.net.ordered(use.x, order)
    mean, variance = settings.get("mean"), settings.get("variance")
    if (mean is None) != (variance is None):
        settings.fail("a mean comes with a variance")
    if mean is None:
        return Held(_adapted(use, value), order)
    count = use.net.channels(value)
    means, variances = (_numbers(use, one, count) for one in (mean, variance))
    if min(variances) < 0:
        settings.fail("a variance is not below 0")
    deviations: list[Setting] = [max(one**0.5, LEAST) for one in variances]
    own: dict[str, Any] = {"mean": list(means), "std": deviations}
    return Held(use.net.call("normalize", value, **own), order)


def _numbers(use: Use, value: Any, count: int) -> list[float]:
    """A number for each channel."""
    while isinstance(value, list) and len(cast("list[Any]", value)) == 1:
        value = cast("list[Any]", value)[0]
    parts = cast("list[Any]", value) if isinstance(value, list) else [value] * count
    if len(parts) != count or not all(type(one) in (int, float) for one in parts):
        use.settings.fail(f"there is a number for each of {count} channels, not `{short(value)}`")
    return [float(one) for one in parts]


def _adapted(use: Use, value: Value) -> Value:
    net = use.net
    shape = (net.channels(value), *[1] * (len(net.shape(value)) - 1))
    mean = net.own_table(
        (*use.path, "mean"), shape, 0.0, lambda parts: parts[0].reshape(shape), "frozen"
    )
    variance = net.own_table(
        (*use.path, "variance"), shape, 1.0, lambda parts: parts[1].reshape(shape), "frozen"
    )
    deviation = net.call("clamp", net.call("sqrt", variance), low=LEAST)
    return net.call("div", net.call("sub", value, mean), deviation)


def rescaling(use: Use) -> Held:
    settings, x = use.settings, use.x
    scale, offset = settings.get("scale", 1.0), settings.get("offset", 0.0)
    order = x.order
    if isinstance(scale, list) or isinstance(offset, list):
        order = (len(order) - 1, *range(len(order) - 1))
    value = use.net.ordered(x, order)
    for layer, numbers, neutral in ("mul", scale, 1.0), ("add", offset, 0.0):
        if isinstance(numbers, list):
            count = use.net.channels(value)
            value = use.net.call(layer, value, number=list(_numbers(use, numbers, count)))
        elif settings.real("scale" if layer == "mul" else "offset", neutral) != neutral:
            value = use.net.call(layer, value, number=float(numbers))
    return Held(value, order)


def layer_scale(use: Use) -> Held:
    """A factor for each channel, of ConvNeXt in `keras.applications`."""
    fill = use.settings.real("init_values")
    count = use.settings.whole("projection_dim")
    value = use.net.as_map(use.x)
    shape = (count, *[1] * (len(use.x.order) - 1))
    gamma = use.net.own_table(
        (*use.path, "gamma"), shape, fill, lambda parts: parts[0].reshape(shape)
    )
    return use.net.a_map(use.net.call("mul", value, gamma))


def dropout(use: Use) -> Held:
    """Of whole samples where the noise is one number for each."""
    settings, rank = use.settings, len(use.x.order)
    rate = settings.real("rate")
    shape = settings.get("noise_shape")
    if not 0 <= rate <= 1:
        settings.fail("a rate is from 0 to 1")
    if use.kwargs.get("training") is True:
        settings.fail("dropout at inference has no word in the language")
    if rate == 0 or use.kwargs.get("training") is False:
        return use.x
    if shape is None:
        return Held(use.net.call("dropout", use.x.value, p=rate), use.x.order)
    if shape != [None, *[1] * rank]:
        message = f"the noise is one number for each element or sample, not `{short(shape)}`"
        settings.fail(message)
    return Held(use.net.call("drop_path", use.x.value, p=rate), use.x.order)


def channel_dropout(use: Use) -> Held:
    rate = use.settings.real("rate")
    if not 0 <= rate <= 1:
        use.settings.fail("a rate is from 0 to 1")
    use.settings.get("data_format")
    x = use.net.as_map(use.x)
    return use.net.a_map(use.net.call("channel_dropout", x, p=rate))


def nothing(use: Use) -> Held:
    """What changes nothing at inference."""
    use.settings.taken |= set(use.layer.config)
    if use.layer.kind not in ("Identity",):
        use.net.remark(f"{use.layer.kind} acts in training alone, and is left out")
    return use.x


IDLE = (
    "Identity GaussianNoise GaussianDropout AlphaDropout ActivityRegularization RandomFlip "
    "RandomRotation RandomZoom RandomTranslation RandomContrast RandomBrightness"
)

LAYERS: dict[str, Reader] = {
    "BatchNormalization": batch_norm,
    "LayerNormalization": layer_norm,
    "Normalization": normalization,
    "Rescaling": rescaling,
    "LayerScale": layer_scale,
    "Dropout": dropout,
    "SpatialDropout1D": channel_dropout,
    "SpatialDropout2D": channel_dropout,
    "SpatialDropout3D": channel_dropout,
    **dict.fromkeys(IDLE.split(), nothing),
}
