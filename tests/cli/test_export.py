"""`netdsl export`: what it writes, and that nothing is left where it fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import netdsl
from netdsl.cli import main

np = pytest.importorskip("numpy")
onnx = pytest.importorskip("onnx")
torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

TEXT = """
net A {
    input image: [3, H, W]
    output y = image -> conv: conv(4, 3, stride=2) -> bn: batchnorm -> relu -> spp([1, 2]) -> fc: linear(5)
}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.net"
    path.write_text(TEXT.replace("stride=2)", "stride=2, bias=false)"))
    return path


def export(file: Path, *arguments: object) -> Result:
    return CliRunner().invoke(main, ["export", str(file), *map(str, arguments)])


def module_of(file: Path):
    return netdsl.load(file).torch(seed=3).eval()


def weights_in(path: Path) -> dict[str, object]:
    model = onnx.load(path)
    return {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}


def test_verified(file: Path) -> None:
    out = file.with_suffix(".onnx")
    result = export(file, "-o", out, "--verify", "--profiles")
    assert result.exit_code == 0, result.output
    assert "H = 3, W = 3, batch 1: " in result.output
    assert "worst difference" in result.output
    assert (
        f"trtexec --onnx={out} --minShapes=image:1x3x3x3 --optShapes=image:4x3x224x224 --maxShapes=image:8x3x640x640"
        in result.output
    )


@pytest.mark.parametrize("ending", ["safetensors", "pt"])
def test_a_checkpoint(file: Path, ending: str) -> None:
    from safetensors.torch import save_file

    state = module_of(file).state_dict()
    checkpoint = file.with_suffix(f".{ending}")
    save_file(state, checkpoint) if ending == "safetensors" else torch.save(state, checkpoint)
    out = file.with_suffix(".onnx")
    result = export(file, "-o", out, "--weights", checkpoint, "--verify")
    assert result.exit_code == 0, result.output
    found = weights_in(out)
    for key, value in state.items():
        if key != "bn.num_batches_tracked":
            assert np.array_equal(found[key], value.numpy()), key


def test_the_seed_draws_the_weights(file: Path) -> None:
    first, second, third = (file.with_name(f"{i}.onnx") for i in range(3))
    export(file, "-o", first, "--seed", 1)
    export(file, "-o", second, "--seed", 1)
    export(file, "-o", third, "--seed", 2)
    assert first.read_bytes() == second.read_bytes() != third.read_bytes()


def test_drawn_weights_are_distributed_as_pytorch_draws_them() -> None:
    text = "net A { input x: [64, 32, 32]; output y = x -> c: conv(256, 3) -> global_avgpool -> l: linear(512) -> p: prelu }"
    network = netdsl.loads(text)
    state = network.torch(seed=0).state_dict()
    drawn = {t.name: onnx.numpy_helper.to_array(t) for t in network.onnx().graph.initializer}
    for key, value in state.items():
        ours, theirs = drawn[key], value.numpy()
        assert ours.shape == theirs.shape
        assert abs(ours.std() - theirs.std()) < 0.1 * theirs.std() + 1e-9, key
        assert abs(np.abs(ours).max() - np.abs(theirs).max()) < 0.05 * np.abs(theirs).max(), key


def test_weights_apart(file: Path) -> None:
    whole, apart = file.with_name("whole.onnx"), file.with_name("apart.onnx")
    export(file, "-o", whole)
    result = export(file, "-o", apart, "--external", "--verify")
    assert result.exit_code == 0, result.output
    assert file.with_name("apart.onnx.data").stat().st_size > 0
    one, other = weights_in(whole), weights_in(apart)
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[key], other[key]) for key in one)


def test_metadata(file: Path) -> None:
    out = file.with_suffix(".onnx")
    export(file, "-o", out)
    data = {p.key: p.value for p in onnx.load(out).metadata_props}
    assert data["netdsl.contract"] == "any H >= 3, any W >= 3"
    assert data["netdsl.source"] == file.read_text()
    assert data["netdsl.version"] == netdsl.__version__


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


WRONG = {
    "missing": (lambda s: s.pop("fc.weight"), "`fc.weight` is missing"),
    "another shape": (lambda s: s.update({"fc.weight": torch.zeros(5, 21)}), "has shape [5, 21], and the net [5, 20]"),
    "unexpected": (lambda s: s.update({"head.weight": torch.zeros(5)}), "is not in the net A"),
    "renamed": (lambda s: s.update({"fcs.weight": s.pop("fc.weight")}), "there is `fcs.weight`"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_checkpoint_of_another_network(file: Path, name: str) -> None:
    change, message = WRONG[name]
    state = dict(module_of(file).state_dict())
    change(state)
    checkpoint = file.with_suffix(".pt")
    torch.save(state, checkpoint)
    before = left(file.parent)
    result = export(file, "-o", file.with_suffix(".onnx"), "--weights", checkpoint)
    assert (result.exit_code, left(file.parent)) == (1, before)
    assert message in result.output


def test_keys_under_a_prefix(file: Path) -> None:
    state = module_of(file).state_dict()
    checkpoint, out = file.with_suffix(".pt"), file.with_suffix(".onnx")
    torch.save({"epoch": 2, "model": {f"module.{k}": v for k, v in state.items()}}, checkpoint)
    result = export(file, "-o", out, "--weights", checkpoint)
    assert result.exit_code == 1
    assert "`--rename model.module.=`" in result.output
    result = export(file, "-o", out, "--weights", checkpoint, "--rename", "model.module.=")
    assert result.exit_code == 0, result.output
    assert np.array_equal(weights_in(out)["fc.weight"], state["fc.weight"].numpy())


def test_a_rename_needs_weights(file: Path) -> None:
    result = export(file, "-o", file.with_suffix(".onnx"), "--rename", "a=b")
    assert (result.exit_code, "--weights" in result.output) == (2, True)
    result = export(file, "-o", file.with_suffix(".onnx"), "--weights", "a.pt", "--rename", "a")
    assert (result.exit_code, "OLD=NEW" in result.output) == (2, True)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.safetensors", b"no"), ("a.pt", b"no"), ("a.bin", b"no"), ("none.pt", None), ("none.safetensors", None)],
)  # fmt: skip
def test_files_that_are_no_checkpoints(file: Path, name: str, content: bytes | None) -> None:
    path = file.with_name(name)
    if content is not None:
        path.write_bytes(content)
    before = left(file.parent)
    result = export(file, "-o", file.with_suffix(".onnx"), "--weights", path)
    assert result.exit_code == 1
    code = "unreadable-file" if content is None else "bad-weights"
    assert result.output.startswith(f"error[{code}]: ")
    assert "internal error" not in result.output
    assert left(file.parent) == before


@pytest.mark.parametrize(
    "arguments",
    [("--opset", 7), ("--opset", 99), ("--names", "nothing=x"), ("--names", "image=y"),
     ("--names", "image"), ("--batch", 0), ("--size", "Q=3")],
)  # fmt: skip
def test_options_that_can_not_be(file: Path, arguments: tuple[object, ...]) -> None:
    before = left(file.parent)
    result = export(file, "-o", file.with_suffix(".onnx"), *arguments)
    assert result.exit_code in (1, 2)
    assert "internal error" not in result.output
    assert left(file.parent) == before


def test_names_that_there_are_stand_in_their_order(tmp_path: Path) -> None:
    names = ["x", "b", "y", "a", "z", "w", "c", "v"]
    lines = [f"input {name}: [2]" for name in names[:4]] + [
        f"output {new} = {old} -> relu" for old, new in zip(names[:4], names[4:], strict=True)
    ]
    (tmp_path / "a.net").write_text("net A {\n" + "\n".join(lines) + "\n}\n")
    result = export(tmp_path / "a.net", "-o", tmp_path / "a.onnx", "--names", "q=r")
    assert (result.exit_code, result.output) == (
        2,
        f"netdsl: there is no input or output q; there are {', '.join(names)}\n",
    )


def test_a_size_outside_of_the_contract(file: Path) -> None:
    result = export(file, "-o", file.with_suffix(".onnx"), "--size", "H=2,W=9")
    assert result.exit_code == 1
    assert "shape-mismatch" in result.output
    assert left(file.parent) == {"a.net"}


def test_a_folder_that_can_not_be_written(file: Path) -> None:
    result = export(file, "-o", file.parent / "none" / "a.onnx")
    assert (result.exit_code, left(file.parent)) == (2, {"a.net"})
    assert "can't write" in result.output


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk(file: Path) -> None:
    result = export(file, "-o", "/dev/full")
    assert result.exit_code == 2
    assert "no space left" in result.output


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(file: Path) -> None:
    file.parent.chmod(0o500)
    try:
        result = export(file, "-o", file.with_suffix(".onnx"))
    finally:
        file.parent.chmod(0o700)
    assert (result.exit_code, left(file.parent)) == (2, {"a.net"})


def test_the_file_itself_is_not_overwritten(file: Path) -> None:
    text = file.read_text()
    assert export(file, "-o", file).exit_code == 2
    assert file.read_text() == text


def test_a_file_that_would_be_wrong_is_not_left(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from netdsl.ops.activation import Relu

    monkeypatch.setattr(Relu, "onnx", lambda self, to: to.node("Neg", to.inputs))
    result = export(file, "-o", file.with_suffix(".onnx"), "--verify")
    assert result.exit_code == 1
    assert "differ by" in result.output
    assert left(file.parent) == {"a.net"}


def test_torch_and_onnx_are_not_loaded(file: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from netdsl.cli import main\n"
        f"try: main(['export', {str(file)!r}, '-o', {str(file.with_suffix('.onnx'))!r}])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'onnx', 'onnxruntime'} & sys.modules.keys(), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
