"""Attention against PyTorch's module and against the formula: masks of every form, tables, gradients."""

from __future__ import annotations

from itertools import product
from math import inf

import pytest

import netdsl
from netdsl.diagnostics import DiagnosticError
from tests.examples import random_inputs

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from tests.backends.onnx.runtime import check_file, session  # noqa: E402

nn = torch.nn
HEADS, WIDTH = 4, 12
SIZES = ((5, 3), (3, 5), (4, 4), (1, 6), (6, 1))
"""Queries and keys."""


def built(lines: str, inputs: str) -> netdsl.Network:
    """A net with these inputs, a line each, that gives `y`."""
    return netdsl.loads(f"net N {{\n{inputs}\n{lines}\n}}")


def in_runtime(network: netdsl.Network, module, xs):
    """What ONNX Runtime gives."""
    model = network.onnx(module)
    check_file(model)
    names = [item.name for item in network.inputs]
    given = dict(zip(names, (x.numpy() for x in xs), strict=True))
    return torch.from_numpy(session(model.SerializeToString()).run(None, given)[0])


def by_formula(q, k, v, heads, mask=None, causal=False, scale=None):
    """Softmax of the scores by heads, which are cut out one by one; hidden ones weigh nothing."""
    results = []
    width, depth = q.shape[-1] // heads, v.shape[-1] // heads
    for head in range(heads):
        one, two = (x[..., head * width : (head + 1) * width] for x in (q, k))
        scores = torch.einsum("...td,...sd->...ts", one, two) * (scale or width**-0.5)
        own = None if mask is None else mask.broadcast_to(*mask.shape[:-3], heads, *mask.shape[-2:])
        own = None if own is None else own[..., head, :, :]
        if own is not None and own.dtype != torch.bool:
            scores = scores + own
        hidden = scores == -inf
        if own is not None and own.dtype == torch.bool:
            hidden = hidden | ~own
        if causal:
            steps = (torch.arange(n) for n in scores.shape[-2:])
            rows, columns = torch.meshgrid(*steps, indexing="ij")
            hidden = hidden | (columns > rows)
        scores = scores.masked_fill(hidden, -1e4)
        weights = (scores - scores.amax(-1, keepdim=True)).exp().masked_fill(hidden, 0.0)
        total = weights.sum(-1, keepdim=True)
        weights = torch.where(total == 0, torch.zeros_like(weights), weights / total)
        results.append(weights @ v[..., head * depth : (head + 1) * depth])
    return torch.cat(results, -1)


# --- attend --------------------------------------------------------------------------------

FORMS = {
    "keys": "[S]",
    "pairs": "[T, S]",
    "queries": "[T, 1]",
    "heads": f"[{HEADS}, 1, S]",
    "all": f"[{HEADS}, T, S]",
}
"""Masks by what they tell apart."""


def mask_as_scores(mask, form):
    """A mask [N, ..] with the axes of scores, [N, heads, T, S]."""
    return mask.reshape(len(mask), *(1,) * (4 - mask.ndim), *mask.shape[1:])


def random_masks(dtype, shape):
    """A mask that hides some, everything of some queries too."""
    hidden = torch.rand(shape) < 0.4
    hidden[:1] = hidden[:1] | (torch.rand(hidden[:1].shape) < 0.5)
    if dtype == "bool":
        return ~hidden
    return torch.randn(shape).masked_fill(hidden, -inf)


@pytest.mark.parametrize("causal", [False, True], ids=["", "causal"])
@pytest.mark.parametrize("dtype", ["bool", "float32"])
@pytest.mark.parametrize("form", FORMS)
def test_masks_of_every_form(form, dtype, causal):
    inputs = f"input q: [T, {WIDTH}]\ninput k: [S, {WIDTH}]\ninput v: [S, 8]\n"
    inputs += f"input m: {dtype} {FORMS[form]}"
    words = ", causal=true" if causal else ""
    network = built(f"output y = (q, k, v) -> attend({HEADS}, mask=m{words})", inputs)
    module = network.torch()
    zeros = 0
    for number, (queries, keys) in enumerate(SIZES):
        torch.manual_seed(number)
        q, k, v, m = random_inputs(network, {"T": queries, "S": keys}, 3)
        m = random_masks(dtype, m.shape)
        wanted = by_formula(q, k, v, HEADS, mask_as_scores(m, form), causal)
        torch.testing.assert_close(module(q, k, v, m), wanted)
        torch.testing.assert_close(in_runtime(network, module, (q, k, v, m)), wanted)
        zeros += int((wanted == 0).all(-1).sum())
    assert zeros, "some query sees nothing"


@pytest.mark.parametrize("scale", ["", ", scale=0.3"])
@pytest.mark.parametrize("causal", ["", ", causal=true"])
def test_axes_in_front(causal, scale):
    """They are equal, or one is literally 1, as that of keys that several heads share."""
    inputs = "input q: [P, 3, T, 8]\ninput k: [P, 1, S, 8]\ninput v: [1, 3, S, 6]\ninput m: bool [3, 1, 1, S]"
    network = built(f"output y = (q, k, v) -> attend(2, mask=m{causal}{scale})", inputs)
    module = network.torch()
    for number, (queries, keys) in enumerate(SIZES):
        torch.manual_seed(number)
        q, k, v, m = random_inputs(network, {"T": queries, "S": keys, "P": 2}, 3)
        wanted = by_formula(q, k, v, 2, m[:, None], bool(causal), 0.3 if scale else None)
        torch.testing.assert_close(module(q, k, v, m), wanted)
        torch.testing.assert_close(in_runtime(network, module, (q, k, v, m)), wanted)


def test_gradients_of_what_is_hidden():
    """No gradient goes to hidden keys; a query that sees nothing passes none on, and no NaN."""
    inputs = "input q: [T, 8]\ninput k: [S, 8]\ninput v: [S, 8]\ninput m: bool [T, S]"
    module = built("output y = (q, k, v) -> attend(2, mask=m)", inputs).torch()
    q, k, v = (torch.randn(2, n, 8, requires_grad=True) for n in (4, 5, 5))
    m = torch.ones(2, 4, 5, dtype=torch.bool)
    m[0, 1], m[:, :, 3] = False, False
    y = module(q, k, v, m)
    ours = torch.autograd.grad(y.square().sum(), (q, k, v))
    theirs = torch.autograd.grad(by_formula(q, k, v, 2, m[:, None]).square().sum(), (q, k, v))
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other)
    assert not ours[0][0, 1].any()
    assert not ours[1][:, 3].any()


def test_dropout_acts_in_training_alone():
    inputs = "input q: [T, 8]\ninput k: [S, 8]\ninput v: [S, 8]"
    module = built("output y = (q, k, v) -> attend(2, dropout=0.5)", inputs).torch()
    q, k, v = torch.randn(2, 6, 8), torch.randn(2, 9, 8), torch.randn(2, 9, 8)
    calm = by_formula(q, k, v, 2)
    torch.testing.assert_close(module.eval()(q, k, v), calm)
    assert float((module.train()(q, k, v) - calm).abs().max()) > 0.01


# --- attention -----------------------------------------------------------------------------

CASES = {
    "x": ("input q: [T, 12]", "q", (12, 12)),
    "qkv": ("input q: [T, 12]\ninput k: [S, 8]\ninput v: [S, 6]", "(q, k, v)", (8, 6)),
    "q_kv": ("input q: [T, 12]\ninput k: [S, 12]", "(q, k)", (12, 12)),
    "kdim": ("input q: [T, 12]\ninput k: [S, 8]", "(q, k)", (8, 8)),
}
"""Inputs, what flows in, widths of keys and values."""


def pair(case, words="", mask=""):
    """A network, its module, and PyTorch's module with the same weights."""
    inputs, flow, (kdim, vdim) = CASES[case]
    inputs += f"\n{mask}" if mask else ""
    network = built(f"output y = {flow} -> attn: attention({HEADS}{words})", inputs)
    torch.manual_seed(0)
    bias = "bias=false" not in words
    theirs = nn.MultiheadAttention(
        12, HEADS, bias=bias, kdim=kdim, vdim=vdim, batch_first=True
    ).eval()
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, 0.0, 0.4)
    ours = network.torch().eval()
    ours.attn.load_state_dict(theirs.state_dict(), strict=True)
    assert list(ours.attn.state_dict()) == list(theirs.state_dict())
    return network, ours, theirs


def taken(case, q, *others):
    """Queries, keys and values as PyTorch's module takes them."""
    return (q, q, q) if case == "x" else (q, others[0], others[-1])


@pytest.mark.parametrize("words", ["", ", bias=false", ", causal=true"])
@pytest.mark.parametrize("case", CASES)
def test_numbers_and_gradients_of_the_module(case, words):
    network, ours, theirs = pair(case, words)
    for queries, keys in SIZES:
        xs = random_inputs(network, {"T": queries, "S": keys}, 2)
        xs = [x.requires_grad_() for x in xs]
        rows = xs[0].shape[1], taken(case, *xs)[1].shape[1]
        hidden = torch.ones(rows, dtype=torch.bool).triu(1) if "causal" in words else None
        wanted = theirs(*taken(case, *xs), attn_mask=hidden, need_weights=False)[0]
        found = ours(*xs)
        torch.testing.assert_close(found, wanted)
        for mine, other in zip(
            *(torch.autograd.grad(y.square().sum(), xs) for y in (found, wanted)), strict=True
        ):
            torch.testing.assert_close(mine, other)
        with torch.no_grad():
            torch.testing.assert_close(ours(*xs), wanted)
            plain = [x.detach() for x in xs]
            torch.testing.assert_close(in_runtime(network, ours, plain), wanted)


@pytest.mark.parametrize("dtype", ["bool", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_masks_mean_the_opposite_in_the_module(case, dtype):
    """True may be looked at here, and hides there; PyTorch takes a mask for each sample and head."""
    keys = "T" if case == "x" else "S"
    network, ours, theirs = pair(case, ", mask=m", f"input m: {dtype} [T, {keys}]")
    for queries, count in SIZES:
        *xs, m = random_inputs(network, {"T": queries, "S": count}, 2)
        m = torch.rand(m.shape) < 0.6 if dtype == "bool" else torch.randn(m.shape)
        their_mask = (~m if dtype == "bool" else m).repeat_interleave(HEADS, 0)
        with torch.enable_grad():  # where it sees nothing, NaN comes out without gradients
            wanted = theirs(*taken(case, *xs), attn_mask=their_mask, need_weights=False)[0]
        assert not wanted.isnan().any()
        torch.testing.assert_close(ours(*xs, m), wanted)
        torch.testing.assert_close(in_runtime(network, ours, (*xs, m)), wanted)
        with torch.no_grad():
            torch.testing.assert_close(ours(*xs, m), wanted)


def test_hidden_keys_of_each_sample():
    network, ours, theirs = pair("x", ", mask=m", "input m: bool [T]")
    x, m = random_inputs(network, {"T": 7}, 3)
    m = torch.arange(7) < torch.tensor([[7], [4], [0]])
    with torch.enable_grad():
        wanted = theirs(x, x, x, key_padding_mask=~m, need_weights=False)[0]
    torch.testing.assert_close(ours(x, m), wanted)
    torch.testing.assert_close(in_runtime(network, ours, (x, m)), wanted)
    assert (wanted[2] == theirs.out_proj.bias).all(), "the bias alone"


# --- tables --------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["[6]", "[5, 6]", "[4, 5, 6]", "[1, 4, 5, 6]", "[4, 1, 1]"])
@pytest.mark.parametrize("layer", ["attend", "attention"])
def test_a_learned_mask_serves_all_samples(layer, shape):
    inputs = f"input q: [5, 12]\ninput k: [6, 12]\nweight m: {shape} = 0"
    network = built(f"output y = (q, k, k) -> attn: {layer}(4, mask=m)", inputs)
    module = network.torch(seed=0)
    nn.init.normal_(module.m)
    q, k = torch.randn(3, 5, 12), torch.randn(3, 6, 12)
    with torch.no_grad():
        found = module(q, k)
        mask = module.m.expand(1, 4, 5, 6)[0]
        if layer == "attend":
            wanted = by_formula(q, k, k, 4, mask)
        else:
            theirs = nn.MultiheadAttention(12, 4, batch_first=True)
            theirs.load_state_dict(module.attn.state_dict())
            wanted = theirs(q, k, k, attn_mask=mask.repeat(3, 1, 1), need_weights=False)[0]
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(in_runtime(network, module, (q, k)), wanted)


def test_learned_queries_look_at_each_sample():
    """A table spreads over the samples that it meets; alone it stays a table."""
    lines = """
    weight queries: [5, 12]
    a = queries -> own: attention(4)
    b = (a, x) -> crossed: attention(4, mask=m)
    output y = (a, b, b) -> attend(2)
    """
    network = built(lines, "input x: [S, 12]\ninput m: bool [S]")
    module = network.torch(seed=0).eval()
    nn.init.normal_(module.queries)
    x, m = torch.randn(3, 7, 12), torch.rand(3, 7) < 0.7
    own, crossed = (nn.MultiheadAttention(12, 4, batch_first=True) for _ in range(2))
    own.load_state_dict(module.own.state_dict())
    crossed.load_state_dict(module.crossed.state_dict())
    a = own(*[module.queries[None]] * 3, need_weights=False)[0].expand(3, -1, -1)
    b = crossed(a, x, x, key_padding_mask=~m, need_weights=False)[0]
    wanted = by_formula(a, b, b, 2).detach()
    torch.testing.assert_close(module(x, m), wanted)
    torch.testing.assert_close(in_runtime(network, module, (x, m)), wanted)


# --- matmul --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "flow", "formula"),
    [
        ("input a: [T, 3]\ninput b: [3, S]", "(a, b)", "ntk,nks->nts"),
        ("input a: [2, T, 3]\ninput b: [1, 3, S]", "(a, b)", "nptk,nqks->npts"),
        ("input a: [T, 3]\nweight b: [3, 4]", "(a, b)", "ntk,ks->nts"),
        ("input a: [2, T, 3]\nweight b: [3, 4]", "(a, b)", "nptk,ks->npts"),
        ("input a: [3, T]\nweight b: [1, 4, 3]", "(b, a)", "nks,mtk->nts"),
        ("input a: [2, 3, T]\nweight b: [2, 4, 3]", "(b, a)", "npks,ptk->npts"),
    ],
)
def test_matmul(inputs, flow, formula):
    network = built(f"output y = {flow} -> matmul", inputs)
    module = network.torch()
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    for t, s in product((1, 4), (1, 3)):
        xs = random_inputs(network, {"T": t, "S": s}, 3)
        wanted = torch.einsum(formula, *xs, *(p.detach() for p in module.parameters()))
        torch.testing.assert_close(module(*xs).detach(), wanted)
        torch.testing.assert_close(in_runtime(network, module, xs), wanted)


# --- refusals ------------------------------------------------------------------------------

REFUSED = {
    "(x, x) -> attend(4)": "`(q, k, v) -> attend(8)`, or `attention(8)`",
    "(x, x, x, x) -> attention(4)": "`attention` takes `x`, `(q, kv)` or `(q, k, v)`",
    "(x, x, x) -> attend(5)": "5 heads do not divide the 12 features",
    "(x, x, x) -> attend(4, mask=n)": "`mask` is bool or float, and int64 [T] comes in",
    "x -> attention(4, mask=n)": "`m -> greater(0)`",
    "x -> attention(4, mask=big)": "has more axes",
    "x -> attention(4, mask=3)": "3 is no value of the network",
    "(x, y4) -> attention(4)": "`attention` works on [T, F], and [4, 4, 12] comes in",
    "(x, y4, y4) -> attend(4)": "`attend` takes values of one rank",
    "(x, narrow, x) -> attend(2)": "queries and keys have equally many features",
    "(x, y4) -> matmul": "`matmul` takes values of one rank",
    "(x, x) -> matmul": "K is 12 here and T there",
    "(v, v) -> matmul": "`reshape([1, 8])`",
    "(x, n) -> matmul": "`matmul` computes with floats",
    "y4 -> window_attention(3, 1, cosine=true)": "window must be at least 2",
}


@pytest.mark.parametrize("chain", REFUSED)
def test_refusals(chain):
    inputs = "\n".join(
        ("input x: [T, 12]", "input n: int64 [T]", "input y4: [4, 4, 12]", "input v: [6]",
         "input narrow: [T, 6]", "input big: bool [2, 4, T, T]")
    )  # fmt: skip
    if chain == "(x, x) -> matmul":
        inputs += " where T >= 13"
    used = "output rest = (x -> linear(1) -> flatten, narrow -> flatten) -> concat"
    with pytest.raises(DiagnosticError) as caught:
        built(f"output y = {chain}\n{used}", inputs)
    first = next(d for d in caught.value.diagnostics if d.is_error)
    assert REFUSED[chain] in " ".join((first.message, *first.help))
