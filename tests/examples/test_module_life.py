"""What people do with a module: copy it, save it, change its memory format, run it in half precision.

Each example of torchvision's, beside torchvision's own module with the same numbers.
"""

from __future__ import annotations

import copy
import io
import pickle
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import pytest

import netdsl

torch = pytest.importorskip("torch")
if find_spec("torchvision") is None:
    pytest.skip("torchvision is not installed", allow_module_level=True)

from tests.examples import NAMES, example, network, random_inputs, slim  # noqa: E402
from tests.examples.test_torchvision import MODELS, pair  # noqa: E402
from tests.examples.test_vision import MODELS as VISION  # noqa: E402
from tests.examples.test_vision import ours as vision_ours  # noqa: E402
from tests.examples.test_vision import theirs as vision_theirs  # noqa: E402

NUMBERS = [*MODELS, *VISION]
SIZES = {
    "alexnet": (80, 70), "inception_v3": (96, 80), "maxvit_t": (224, 224), "vit_b_16": (224, 224),
}  # fmt: skip
HALF = 0.05
"""Of the largest output: what eight bits of precision may cost through a whole network."""


@lru_cache(maxsize=1)
def both(name: str) -> tuple[Any, Any]:
    """torchvision's module and ours with the same numbers, for inference."""
    if name in VISION:
        return vision_theirs(name).eval(), vision_ours(name).eval()
    theirs, ours = pair(name)
    return theirs.eval(), ours.eval()


def image(name: str) -> Any:
    torch.manual_seed(1)
    return torch.randn(2, 3, *SIZES.get(name, (64, 48)))


def run(model: Any, *xs: Any) -> Any:
    with torch.no_grad():
        found = model(*xs)
    return found["out"] if isinstance(found, dict) else found


def relative(found: Any, expected: Any) -> float:
    return float((found.float() - expected.float()).abs().max() / expected.float().abs().max())


def storages(model: Any) -> set[int]:
    return {t.untyped_storage().data_ptr() for t in model.state_dict().values() if t.numel()}


@pytest.mark.one_in(8)
@pytest.mark.parametrize("name", NUMBERS)
def test_a_deep_copy_is_equal_and_shares_nothing(name: str) -> None:
    _, ours = both(name)
    x, twin = image(name), copy.deepcopy(ours)
    assert list(twin.state_dict()) == list(ours.state_dict())
    assert not storages(twin) & storages(ours)
    assert torch.equal(run(twin, x), run(ours, x))


def test_layers_that_are_shared_are_shared_in_a_copy() -> None:
    ours = netdsl.load(example("siamese")).torch(seed=0)
    twin = copy.deepcopy(ours)
    assert len(storages(twin)) == len(storages(ours))
    assert not storages(twin) & storages(ours)


@pytest.mark.one_in(8)
@pytest.mark.parametrize("name", NUMBERS)
def test_a_saved_state_is_the_same_in_a_new_module(name: str) -> None:
    _, ours = both(name)
    file, x = io.BytesIO(), image(name)
    torch.save(ours.state_dict(), file)
    file.seek(0)
    fresh = network(name).torch(seed=5).eval()
    fresh.load_state_dict(torch.load(file, weights_only=True), strict=True)
    assert torch.equal(run(fresh, x), run(ours, x))


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "siamese", "swin_t"])
def test_a_state_can_be_pickled(name: str) -> None:
    ours = slim(name).torch(seed=0)
    again = pickle.loads(pickle.dumps(ours.state_dict()))
    fresh = slim(name).torch(seed=5)
    fresh.load_state_dict(again, strict=True)
    assert all(
        torch.equal(value, fresh.state_dict()[key]) for key, value in ours.state_dict().items()
    )


@pytest.mark.one_in(8)
@pytest.mark.parametrize("name", NUMBERS)
def test_channels_last_changes_no_result(name: str) -> None:
    _, ours = both(name)
    x = image(name)
    last = copy.deepcopy(ours).to(memory_format=torch.channels_last)
    assert any(p.dim() == 4 and p.is_contiguous(memory_format=torch.channels_last)
               for p in last.parameters())  # fmt: skip
    assert relative(run(last, x.to(memory_format=torch.channels_last)), run(ours, x)) < 1e-4


@pytest.mark.one_in(8)
@pytest.mark.parametrize("name", NUMBERS)
def test_autocast_gives_what_torchvision_gives_under_it(name: str) -> None:
    theirs, ours = both(name)
    x = image(name)
    with torch.autocast("cpu", torch.bfloat16):
        found, expected = run(ours, x), run(theirs, x)
    assert found.dtype == expected.dtype
    assert relative(found, expected) < HALF
    assert relative(found, run(ours, x)) < 2 * HALF


@pytest.mark.one_in(4)
@pytest.mark.parametrize("name", [name for name in NAMES if name not in NUMBERS])
def test_other_examples_live_as_well(name: str) -> None:
    """Copied, saved, channels last, and under autocast, which no layer refuses."""
    network = slim(name)
    ours = network.torch(seed=0).eval()
    xs = random_inputs(network, network.sizes.smallest() or {}, 2)
    expected = parts(run(ours, *xs))
    fresh = network.torch(seed=5).eval()
    fresh.load_state_dict(copy.deepcopy(ours).state_dict(), strict=True)
    for found, other in zip(parts(run(fresh, *xs)), expected, strict=True):
        assert torch.equal(found, other)
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    turned = [x.contiguous(memory_format=formats.get(x.dim(), torch.contiguous_format)) for x in xs]
    for found, other in zip(parts(run(fresh, *turned)), expected, strict=True):
        torch.testing.assert_close(found, other, rtol=1e-4, atol=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        for found, other in zip(parts(run(ours, *xs)), expected, strict=True):
            assert found.shape == other.shape
            assert found.isfinite().all()


def parts(found: Any) -> list[Any]:
    return list(found) if isinstance(found, tuple) else [found]
