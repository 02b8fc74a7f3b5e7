"""Checkpoints that are cut off, broken or hostile: one clear message each, and soon."""

from __future__ import annotations

import json
import os
import pickle
import time
from pathlib import Path
from random import Random

import pytest

import netdsl

NETWORK = netdsl.loads("net A { input x: [4]; output y = x -> fc: linear(3) }")


def safetensors(header: object, data: bytes = b"", size: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if size is None else size).to_bytes(8, "little") + text + data


def entry(start: int, end: int, shape: object = (3,), dtype: object = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


RIGHT = {"fc.weight": entry(0, 48, [3, 4]), "fc.bias": entry(48, 60)}
BROKEN = {
    "empty": (b"", "it has 0 bytes"),
    "short": (b"\x02\0\0\0\0\0\0\0{", "it has 9 bytes"),
    "header longer than the file": (safetensors(RIGHT, b"", 10**6), "its header would be 1,000,000 bytes, of a file of"),
    "huge header": (b"\xff" * 8 + b"{}", "its header would be 18,446,744,073,709,551,615 bytes"),
    "no json": (safetensors(b"{nothing}"), "its header is not JSON"),
    "no text": (safetensors(b"\xff\xfe\xfd"), "its header is not JSON"),
    "a list": (safetensors([]), "its header is no table"),
    "nested": (safetensors(b"[" * 200_000), "its header is nested too deeply"),
    "twice": (safetensors(b'{"a":{},"a":{}}'), "its header holds 'a' twice"),
    "cut off": (safetensors(RIGHT, bytes(59)), "it ends before the numbers of 'fc.bias': it is cut off"),
    "longer": (safetensors(RIGHT, bytes(61)), "1 bytes at its end belong to no tensor"),
    "a gap": (safetensors({"a": entry(4, 16)}, bytes(16)), "do not follow"),
    "overlap": (safetensors({"a": entry(0, 12), "b": entry(8, 20)}, bytes(20)), "do not follow"),
    "other length": (safetensors({"a": entry(0, 13)}, bytes(13)), "the numbers of 'a' do not fit its shape"),
    "negative": (safetensors({"a": entry(-12, 0)}), "its entry 'a' is broken"),
    "negative axis": (safetensors({"a": entry(0, 12, [-3])}, bytes(12)), "its entry 'a' is broken"),
    "fraction": (safetensors({"a": entry(0, 12, [3.0])}, bytes(12)), "its entry 'a' is broken"),
    "truth": (safetensors({"a": entry(0, 4, [True])}, bytes(4)), "its entry 'a' is broken"),
    "infinite": (safetensors(b'{"a":{"dtype":"F32","shape":[Infinity],"data_offsets":[0,4]}}', bytes(4)), "is broken"),
    "digits": (safetensors(b'{"a":{"dtype":"F32","shape":[' + b"9" * 5000 + b'],"data_offsets":[0,4]}}', bytes(4)), "its header holds a number of 5,000 digits"),
    "huge axes": (safetensors({"a": entry(0, 4, [2**40] * 60)}, bytes(4)), "do not fit its shape"),
    "many axes": (safetensors({"a": entry(0, 4, [1] * 10**6)}, bytes(4)), "its entry 'a' is broken"),
    "other type": (safetensors({"a": entry(0, 3, [3], "F8_E4M3")}, bytes(3)), "'a' has the type F8_E4M3, which is not read"),
    "no type": (safetensors({"a": entry(0, 12, [3], 7)}, bytes(12)), "its entry 'a' is broken"),
    "no table": (safetensors({"a": 3}), "its entry 'a' is broken"),
    "escape": (safetensors({"\x1b[31m" * 100: 3}), "is broken"),
}  # fmt: skip


def refused(path: Path) -> str:
    start = time.perf_counter()
    (found,) = NETWORK.check_weights(path)
    assert time.perf_counter() - start < 5
    assert found.code == "bad-weights"
    assert len(found.message) < len(str(path)) + 400
    return found.message


@pytest.mark.parametrize("name", BROKEN)
def test_broken_safetensors(name: str, tmp_path: Path) -> None:
    content, message = BROKEN[name]
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    assert message in refused(path)


def test_the_right_one_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors({**RIGHT, "__metadata__": {"format": "pt"}}, bytes(60)))
    assert NETWORK.check_weights(path) == ()


def test_a_sparse_file_of_a_terabyte_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    size = 2**40
    path.write_bytes(safetensors({"fc.weight": entry(0, size, [3, 4]), "b": entry(size, size)}))
    os.truncate(path, path.stat().st_size + size)
    assert "do not fit its shape" in refused(path)


def test_a_checkpoint_of_very_many_tensors(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    table = {f"part{i}.fc{i}.weight": entry(48, 48, [0, 4]) for i in range(50_000)}
    table["fc.weight"] = entry(0, 48, [3, 4])
    path.write_bytes(safetensors(table, bytes(48)))
    start = time.perf_counter()
    missing, unexpected = NETWORK.check_weights(path)
    assert time.perf_counter() - start < 20
    assert (missing.code, unexpected.code) == ("missing-weight", "unexpected-weight")
    assert "and 49,994 more" in unexpected.message


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.safetensors")
    (tmp_path / "folder.pt").mkdir()
    assert "no plain file" in refused(tmp_path / "pipe.safetensors")
    for name in "folder.pt", "missing.pt", "missing.safetensors":
        (found,) = NETWORK.check_weights(tmp_path / name)
        assert found.code == "unreadable-file"
    for name, said in (
        ("a.npz", "is none of .safetensors, .pt, .pth, .ckpt, .bin, .tar"),
        ("model.safetensors.index.json", "is an index of several files"),
    ):
        (tmp_path / name).touch()
        assert refused(tmp_path / name).endswith(said)


class Command:
    """Pickled, it would run a command when it is read."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.target}",)


def test_torch_files(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path, target = tmp_path / "a.pt", tmp_path / "run"
    for saved in Command(target), {"fc.weight": Command(target)}, torch.nn.Linear(4, 3):
        torch.save(saved, path)
        asks = (
            "torch.nn.modules.linear.Linear"
            if isinstance(saved, torch.nn.Module)
            else "posix.system"
        )
        said = f"holds no plain weights: reading it would run code, as it asks for `{asks}`"
        assert refused(path).endswith(said)
        path.write_bytes(pickle.dumps({"fc.weight": Command(target)}))
        assert "holds no plain weights" in refused(path)
    assert not target.exists()
    torch.save([torch.zeros(3)], path)
    assert refused(path).endswith("holds no table of tensors; what it holds is of type list")
    torch.save({"epoch": 3}, path)
    assert "is a table without tensors" in refused(path)
    table: dict[str, object] = {}
    for _ in range(50):
        table = {"a": table}
    torch.save(table, path)
    assert "is a table without tensors" in refused(path)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_what_kind_of_file_it_is(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "a.pt"
    torch.save(NETWORK.torch().state_dict(), path)
    whole = path.read_bytes()
    for content, said in (
        (b"", "is empty"),
        (whole[:-1], "is cut off: the end of the archive is missing"),
        (whole[:100], "is cut off: the end of the archive is missing"),
        (b"hello", "is no file of PyTorch's: it begins otherwise"),
        (b"\x89PNG\r\n\x1a\n", "is no file of PyTorch's: it begins otherwise"),
        (pickle.dumps({"a": 1}, 4), "it is no pickle that `torch.save` writes"),
    ):
        path.write_bytes(content)
        assert refused(path).endswith(said)
    torch.jit.script(torch.nn.Linear(4, 3)).save(path)
    assert refused(path).endswith("it is a TorchScript program")
    torch.save({}, path)
    assert refused(path).endswith("holds no tensors")


@pytest.mark.parametrize("ending", ["pt", "pth", "ckpt", "bin", "pth.tar"])
def test_endings_that_torch_save_is_given(ending: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / f"a.{ending}"
    torch.save(NETWORK.torch().state_dict(), path)
    assert NETWORK.check_weights(path) == ()


def test_one_of_several_files(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "model-00001-of-00003.bin"
    torch.save({"fc.weight": torch.zeros(3, 4)}, path)
    (missing,) = NETWORK.check_weights(path)
    assert missing.help[-1].startswith("by its name it is one of 3 files")


def test_torch_files_cut_off_and_changed(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    random, path = Random(5), tmp_path / "a.pt"
    for old in False, True:
        torch.save(NETWORK.torch().state_dict(), path, _use_new_zipfile_serialization=not old)
        whole = path.read_bytes()
        for turn in range(150):
            data = bytearray(whole)
            if turn % 3 == 0:
                del data[random.randrange(len(data)) :]
            else:
                for _ in range(random.randint(1, 5)):
                    data[random.randrange(len(data))] = random.randrange(256)
            path.write_bytes(data)
            codes = {d.code for d in NETWORK.check_weights(path)}
            known = {
                "bad-weights",
                "missing-weight",
                "unexpected-weight",
                "weight-shape",
                "weight-dtype",
            }
            assert codes <= known | {"unreadable-file", "renamed-weights"}


def test_safetensors_files_cut_off_and_changed(tmp_path: Path) -> None:
    random, path = Random(5), tmp_path / "a.safetensors"
    whole = safetensors(RIGHT, bytes(60))
    refusals = 0
    for turn in range(400):
        data = bytearray(whole)
        if turn % 3 == 0:
            del data[random.randrange(len(data)) :]
        else:
            for _ in range(random.randint(1, 5)):
                data[random.randrange(len(whole) - 60)] = random.randrange(256)
        path.write_bytes(data)
        refusals += any(d.is_error for d in NETWORK.check_weights(path))
    assert refusals > 350
