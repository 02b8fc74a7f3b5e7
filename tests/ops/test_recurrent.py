"""Recurrent layers against PyTorch's modules: keys, numbers, states, gradients, and in ONNX Runtime."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest

import netdsl
from netdsl.diagnostics import DiagnosticError
from tests.examples import random_inputs
from tests.sampling import FULL

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from tests.backends.onnx.runtime import check_file, session  # noqa: E402

nn = torch.nn
MODULES = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
LENGTHS = (1, 2, 7)


def built(lines: str, inputs: str = "input x: [T, 5]") -> netdsl.Network:
    return netdsl.loads(f"net N {{\n{inputs}\n{lines}\n}}")


def in_runtime(network: netdsl.Network, module, xs):
    """What ONNX Runtime gives for all outputs."""
    model = network.onnx(module)
    check_file(model)
    given = {item.name: x.numpy() for item, x in zip(network.inputs, xs, strict=True)}
    return list(map(torch.from_numpy, session(model.SerializeToString()).run(None, given)))


def twin(name: str, module, **settings):
    """PyTorch's module with the weights of a part of ours, which load strictly."""
    torch.manual_seed(1)
    for parameter in module.parameters():
        nn.init.normal_(parameter, 0.0, 0.5)
    theirs = MODULES[name](5, batch_first=True, **settings)
    theirs.load_state_dict(module.state_dict(), strict=True)
    assert list(module.state_dict()) == list(theirs.state_dict())
    return theirs.eval()


def by_sample(states):
    """States of all layers, as the language has them and PyTorch in another order."""
    return states.transpose(0, 1)


def settings() -> list[tuple[str, int, bool, bool]]:
    every = list(product(MODULES, (1, 2, 3), (False, True), (False, True)))
    return every if FULL else Random(0).sample(every, 18)


@pytest.mark.parametrize(("name", "layers", "both", "bias"), settings())
def test_all_steps_and_last_states(name, layers, both, bias):
    words = f"layers={layers}, bidirectional={str(both).lower()}, bias={str(bias).lower()}"
    names = ("y", "h", "c")[: 3 if name == "lstm" else 2]
    lines = f"({', '.join(names)}) = x -> part: {name}(4, {words}, states=true)"
    network = built("\n".join([lines, *(f"output {n}_ = {n}" for n in names)]))
    ours = network.torch().eval()
    theirs = twin(name, ours.part, hidden_size=4, num_layers=layers, bidirectional=both, bias=bias)
    for length in LENGTHS:
        (x,) = random_inputs(network, {"T": length}, 3)
        with torch.no_grad():
            y, states = theirs(x)
            states = states if name == "lstm" else (states,)
            wanted = [y, *map(by_sample, states)]
            for results in ours(x), in_runtime(network, ours, [x]):
                for found, other in zip(results, wanted, strict=True):
                    torch.testing.assert_close(found, other)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("name", MODULES)
def test_start_states_and_gradients(name, both):
    count = 2 * (1 + both)
    starts = ["start", "start_cell"][: 2 if name == "lstm" else 1]
    inputs = "\n".join(
        ["input x: [T, 5]", *(f"input s{i}: [{count}, 4]" for i in range(len(starts)))]
    )
    given = ", ".join(f"{word}=s{i}" for i, word in enumerate(starts))
    words = f"layers=2, bidirectional={str(both).lower()}, {given}"
    network = built(f"output y = x -> part: {name}(4, {words})", inputs)
    ours = network.torch()
    theirs = twin(name, ours.part, hidden_size=4, num_layers=2, bidirectional=both)
    for length in LENGTHS:
        xs = random_inputs(network, {"T": length}, 3)
        torch.testing.assert_close(in_runtime(network, ours, xs)[0], ours(*xs).detach())
        xs = [x.requires_grad_() for x in xs]
        begin = tuple(x.transpose(0, 1).contiguous() for x in xs[1:])
        results = ours(*xs), theirs(xs[0], begin if name == "lstm" else begin[0])[0]
        torch.testing.assert_close(*results)
        gradients = [torch.autograd.grad(y.square().sum(), xs) for y in results]
        for mine, other in zip(*gradients, strict=True):
            torch.testing.assert_close(mine, other)


def test_a_learned_start_serves_all_samples():
    lines = """
    weight h0: [1, 4]
    weight c0: [1, 4]
    output y = x -> part: lstm(4, start=h0, start_cell=c0)
    """
    network = built(lines)
    ours = network.torch()
    nn.init.normal_(ours.h0), nn.init.normal_(ours.c0)
    theirs = twin("lstm", ours.part, hidden_size=4)
    x = torch.randn(3, 6, 5)
    begin = tuple(w[None].expand(1, 3, 4).contiguous() for w in (ours.h0, ours.c0))
    wanted = theirs(x, begin)[0].detach()
    torch.testing.assert_close(ours(x).detach(), wanted)
    torch.testing.assert_close(in_runtime(network, ours, [x])[0], wanted)


def test_states_go_from_an_encoder_to_a_decoder():
    lines = """
    (y, h, c) = x -> encoder: lstm(4, layers=2, states=true)
    output z = target -> decoder: lstm(4, layers=2, start=h, start_cell=c)
    output last = h -> slice(0, 1, 2) -> flatten
    """
    network = built(lines, "input x: [T, 5]\ninput target: [S, 5]")
    ours = network.torch()
    encoder, decoder = (
        twin("lstm", part, hidden_size=4, num_layers=2) for part in (ours.encoder, ours.decoder)
    )
    x, target = torch.randn(2, 6, 5), torch.randn(2, 3, 5)
    with torch.no_grad():
        _, states = encoder(x)
        wanted = [decoder(target, states)[0], states[0][1]]
        for results in ours(x, target), in_runtime(network, ours, [x, target]):
            for found, other in zip(results, wanted, strict=True):
                torch.testing.assert_close(found, other)


@pytest.mark.parametrize("mode", ["tanh", "relu"])
def test_activations_of_plain_recurrence(mode):
    network = built(f"output y = x -> part: rnn(4, mode={mode}, bidirectional=true)")
    ours = network.torch()
    theirs = twin("rnn", ours.part, hidden_size=4, bidirectional=True, nonlinearity=mode)
    x = torch.randn(2, 6, 5)
    wanted = theirs(x)[0].detach()
    torch.testing.assert_close(ours(x).detach(), wanted)
    torch.testing.assert_close(in_runtime(network, ours, [x])[0], wanted)


def test_dropout_acts_between_layers_in_training():
    ours = built("output y = x -> part: gru(64, layers=2, dropout=0.5)").torch(seed=0)
    x = torch.randn(2, 6, 5)
    calm = ours.eval()(x)
    torch.testing.assert_close(ours(x), calm)
    assert float((ours.train()(x) - calm).detach().abs().max()) > 0.01


def test_a_sequence_in_each_item():
    """The items of `each` are in the batch."""
    network = built("output y = x -> each { part: lstm(4) }", "input x: [P, T, 5]")
    ours = network.torch()
    theirs = twin("lstm", ours.part, hidden_size=4)
    x = torch.randn(2, 3, 6, 5)
    wanted = torch.stack([theirs(x[:, i])[0] for i in range(3)], 1).detach()
    torch.testing.assert_close(ours(x).detach(), wanted)
    torch.testing.assert_close(in_runtime(network, ours, [x])[0], wanted)


def test_multiply_adds_are_those_of_all_products():
    """By hand: gates * hidden * (features + hidden) each step, layer and direction."""
    network = built("output y = x -> lstm(6, layers=2, bidirectional=true)")
    first, second = 4 * 6 * (5 + 6), 4 * 6 * (12 + 6)
    assert str(network.summary().macs) == f"{2 * (first + second)}*T"
    network = built("output y = x -> gru(6, layers=3)")
    assert str(network.summary().macs) == f"{3 * 6 * (5 + 6) + 2 * 3 * 6 * (6 + 6)}*T"


REFUSED = {
    "map -> lstm(4)": ("`lstm` goes along [T, F], and [5, 1, T] comes in", "`max(axis=1)"),
    "map -> permute([1, 0, 2]) -> flatten -> gru(4)": ("`gru` goes along [T, F]", "`reshape([1"),
    "map -> reshape([5, T]) -> rnn(4)": ("needs a known F", "`permute([1, 0])`"),
    "(x, x) -> lstm(4)": (
        "takes one value, and 2 flow here",
        "a start state is given by name: `start=h`",
    ),
    "x -> lstm(4, start=h)": ("`start_cell` is not given", "start=h, start_cell=c"),
    "x -> lstm(4, start_cell=h)": ("`start` is not given", "start=h, start_cell=c"),
    "x -> gru(4, layers=2, start=h)": ("here [2, 4], and [1, 4] comes in", ""),
    "x -> gru(4, start=v)": ("here [1, 4], and [4] comes in", "`reshape([1, 4])`"),
    "x -> gru(4, start=2)": ("2 is no value of the network", ""),
    "x -> rnn(4, mode=sigmoid)": ("`mode` does not know `sigmoid`", "tanh | relu"),
    "x -> lstm(0)": ("hidden must be at least 1", ""),
    "n -> lstm(4)": ("computes with floats", ""),
}


@pytest.mark.parametrize("chain", REFUSED)
def test_refusals(chain):
    inputs = "input x: [T, 5]\ninput map: [5, 1, T]\ninput h: [1, 4]\ninput v: [4]\ninput n: int64 [T, 3]"
    rest = "output rest = (map -> flatten, h -> flatten, v) -> concat"
    with pytest.raises(DiagnosticError) as caught:
        built(f"output y = {chain}\n{rest}", inputs)
    first = next(d for d in caught.value.diagnostics if d.is_error)
    message, help = REFUSED[chain]
    assert message in first.message
    assert help in " ".join(first.help)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("(y, h, c) = x -> lstm(4)", "one value: `states=true` gives the states too"),
        ("(y, h, c) = x -> gru(4, states=true)", "3 names stand for 2 values"),
    ],
)
def test_results_depend_on_the_call(line, said):
    with pytest.raises(DiagnosticError) as caught:
        built(f"{line}\noutput z = y")
    (first, *_) = caught.value.diagnostics
    assert said in " ".join((first.message, *first.help))


def test_dropout_of_one_layer_is_doubted():
    network = built("output y = x -> gru(4, dropout=0.2)")
    (warning,) = network.warnings
    assert warning.code == "odd-argument"
    assert "between layers" in warning.message
