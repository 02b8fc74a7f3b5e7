"""The layers of a file that one phase has, in the format of today."""

from __future__ import annotations

from dataclasses import dataclass

from netdsl.diagnostics import Span
from netdsl.importers.caffe.record import Record, scalar
from netdsl.importers.caffe.text import Message
from netdsl.importers.frontend import refused

OLD = {
    "ABSVAL": "AbsVal", "ACCURACY": "Accuracy", "ARGMAX": "ArgMax", "BNLL": "BNLL",
    "CONCAT": "Concat", "CONTRASTIVE_LOSS": "ContrastiveLoss", "CONVOLUTION": "Convolution",
    "DATA": "Data", "DECONVOLUTION": "Deconvolution", "DROPOUT": "Dropout",
    "DUMMY_DATA": "DummyData", "EUCLIDEAN_LOSS": "EuclideanLoss", "ELTWISE": "Eltwise",
    "EXP": "Exp", "FLATTEN": "Flatten", "HDF5_DATA": "HDF5Data", "HDF5_OUTPUT": "HDF5Output",
    "HINGE_LOSS": "HingeLoss", "IM2COL": "Im2col", "IMAGE_DATA": "ImageData",
    "INFOGAIN_LOSS": "InfogainLoss", "INNER_PRODUCT": "InnerProduct", "LRN": "LRN",
    "MEMORY_DATA": "MemoryData", "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss",
    "MVN": "MVN", "POOLING": "Pooling", "POWER": "Power", "RELU": "ReLU", "SIGMOID": "Sigmoid",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss", "SILENCE": "Silence",
    "SOFTMAX": "Softmax", "SOFTMAX_LOSS": "SoftmaxWithLoss", "SPLIT": "Split", "SLICE": "Slice",
    "TANH": "TanH", "WINDOW_DATA": "WindowData", "THRESHOLD": "Threshold",
}  # fmt: skip
"""The types of layers in files before 2014 (`layers { type: CONVOLUTION }`), as they are today."""
PHASES = ("TRAIN", "TEST")
MOST = 10_000
"""Layers of a network, and blobs of a layer."""


@dataclass(frozen=True, slots=True)
class State:
    """What `include` and `exclude` ask for."""

    phase: str = "TEST"
    level: int = 0
    stages: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer; `shares` are the names of its weights, empty where they have none."""

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    shares: tuple[str, ...]
    record: Record
    span: Span

    @property
    def title(self) -> str:
        return f"layer `{self.name}` ({self.type})"

    def settings(self, name: str) -> Record:
        """The settings of its type."""
        return self.record.record(name, f"`{name}` of {self.title}")


def layers(net: Record, state: State) -> list[Layer]:
    """The layers that are there in a state."""
    new, old = net.all("layer"), net.all("layers")
    if new and old:
        message = "`layer` and `layers` are of different times, and don't go together"
        raise refused(message, old[0].span)
    found: list[Layer] = []
    if len(new) + len(old) > MOST:
        raise refused(f"there are more than {MOST:,} layers", [*new, *old][MOST].span)
    for one in [*new, *old]:
        if not isinstance(one.value, Message):
            raise refused(f"`{one.name}` holds fields: `{one.name} {{ ... }}`", one.span)
        record = Record(one.value, "a layer", one.span)
        if included(record, state):
            found.append(layer(record, is_old=one.name == "layers"))
    if not found:
        where = f"in phase {state.phase}" if new or old else "in this file"
        raise refused(f"there are no layers {where}", net.span)
    return found


def layer(record: Record, *, is_old: bool) -> Layer:
    """One layer of either format."""
    name = record.text("name")
    kind = record.one("type")
    if is_old and record.has("layer"):
        raise refused("this format of 2013 is not read", record.span, help="upgrade it with Caffe")
    if kind is None:
        raise refused(f"layer `{name}` has no `type`", record.span)
    word = scalar(kind).text
    if is_old:
        if word not in OLD:
            raise refused(f"`{word:.40}` is no type of layer", kind.span)
        word = OLD[word]
        shares = tuple(record.texts("param"))
        record.skip("blobs_lr", "weight_decay", "blob_share_mode")
    else:
        word = record.text("type")
        shares = tuple(share(one) for one in record.records("param"))
    bottoms, tops = tuple(record.texts("bottom")), tuple(record.texts("top"))
    record.title = f"layer `{name}` ({word})"
    if len(bottoms) + len(tops) > MOST:
        raise refused(f"{record.title} has more than {MOST:,} blobs", headline(record.span))
    if record.has("blobs"):
        raise refused(f"{record.title} holds numbers", record.span_of("blobs"), help="give them "
                      "as a `.caffemodel` file")  # fmt: skip
    record.skip("phase", "loss_weight", "propagate_down", "loss_param", "include", "exclude")
    record.span = headline(record.span)
    return Layer(name, word, bottoms, tops, shares, record, record.span)


def headline(span: Span) -> Span:
    """The first line of a place."""
    end = span.source.text.find("\n", span.start, span.end)
    return Span(span.source, span.start, span.end if end < 0 else end)


def share(record: Record) -> str:
    """The name under which a weight is shared."""
    record.skip("lr_mult", "decay_mult")
    mode = record.choice("share_mode", ("STRICT", "PERMISSIVE"), "STRICT")
    name = record.text("name")
    record.finish()
    if name and mode != "STRICT":
        message = "the language has no word for weights shared in another shape"
        raise refused(message, record.span_of("share_mode"))
    return name


def included(record: Record, state: State) -> bool:
    """Whether a layer is there in a state."""
    include, exclude = record.records("include"), record.records("exclude")
    if include and exclude:
        message = "a layer has `include` or `exclude`, not both"
        raise refused(message, record.span_of("exclude"))
    met = [meets(rule, state) for rule in (include or exclude)]  # all, so that all are checked
    return any(met) if include else not any(met)


def meets(rule: Record, state: State) -> bool:
    """Whether a state is what a rule asks for."""
    phase = rule.choice("phase", PHASES, state.phase)
    low, high = rule.whole("min_level", state.level), rule.whole("max_level", state.level)
    wanted, unwanted = rule.texts("stage"), rule.texts("not_stage")
    rule.finish()
    return (
        phase == state.phase
        and low <= state.level <= high
        and state.stages >= set(wanted)
        and not state.stages & set(unwanted)
    )
