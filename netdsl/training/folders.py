"""Folders of images: a folder for each class, or images and masks beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

from torchvision.datasets import ImageFolder
from torchvision.datasets.folder import IMG_EXTENSIONS

from netdsl.training.faults import TrainingError
from netdsl.training.images import Data, FileImages, sound
from netdsl.training.settings import Settings
from netdsl.training.splits import split
from netdsl.training.task import Task

Items = list[tuple[Path, "int | Path"]]
PARTS = ("train", "val")


def folder_data(
    root: Path, task: Task, channels: int, settings: Settings
) -> tuple[Data, list[str]]:
    """The images below a folder, and which were left out as broken. Raises `TrainingError`."""
    if not root.is_dir():
        raise TrainingError(f"{root} is no folder; data is a folder, or sklearn:digits")
    has_parts = _has_parts(root)
    if not has_parts:
        _check_not_half(root)
    first = root / PARTS[0] if has_parts else root
    kind = "segmentation" if _has_masks(first) else "classification"
    if kind != task.kind:
        raise TrainingError(_other_kind(root, kind, task))
    reads = _masked if kind == "segmentation" else _classed
    names: tuple[str, ...] | None
    if has_parts:
        (train, names), (val, others) = (reads(root / part) for part in PARTS)
        if names != others:
            odd = ", ".join(sorted(set(names or ()) ^ set(others or ())))
            raise TrainingError(f"{root}: train/ and val/ have not the same classes: {odd}")
    else:
        every, names = reads(root)
        labels = [0 if isinstance(target, Path) else target for _, target in every]
        parts = split(labels, settings.val, settings.seed)
        train, val = ([every[number] for number in part] for part in parts)
    if names is not None:
        task.check_classes(names, str(root))
    (train, wrong), (val, more) = (sound(p, task.classes, settings.broken) for p in (train, val))
    for part, name in ((train, "to learn from"), (val, "to judge by")):
        if not part:
            raise TrainingError(f"{root} has no image {name}")
    data = Data(
        kind, FileImages(train, channels), FileImages(val, channels), names, str(root),
        _digest(root, [*train, *val]),
    )  # fmt: skip
    return data, [*wrong, *more]


def check_elsewhere(root: Path, out: Path) -> None:
    """Raises `TrainingError` if the folder of a run would be taken for one with a class."""
    for folder in [root / part for part in PARTS] if _has_parts(root) else [root]:
        if folder.resolve() in out.resolve().parents and not _has_masks(folder):
            raise TrainingError(
                f"{out} is among the folders of {folder}, and these are the classes: "
                "name a folder elsewhere (--out)"
            )


def _has_parts(root: Path) -> bool:
    return all((root / part).is_dir() for part in PARTS)


def _check_not_half(root: Path) -> None:
    """Raises `TrainingError` if one of `train` and `val` is there, and folders are in it.

    With `train/cat` and `valid/cat` the classes would be `train` and `valid`.
    """
    for part, other in (PARTS, PARTS[::-1]):
        if (root / part).is_dir():
            inside = list((root / part).iterdir())
            if inside and all(path.is_dir() for path in inside):
                raise TrainingError(
                    f"{root} has {part}/ with folders in it, and no {other}/: name the images to "
                    f"{'judge by' if other == 'val' else 'learn from'} so, or take {root / part}"
                )


def _has_masks(folder: Path) -> bool:
    return (folder / "images").is_dir() and (folder / "masks").is_dir()


def _other_kind(root: Path, kind: str, task: Task) -> str:
    if kind == "segmentation":
        return f"{root} has masks, and the output `{task.name}` has one class for a whole image"
    return f"{root} has no folders images/ and masks/, and `{task.name}` has a class for each pixel"


def _classed(folder: Path) -> tuple[Items, tuple[str, ...]]:
    """Images in a folder for each class, whose names in order are the classes."""
    try:
        listed = ImageFolder(folder, allow_empty=True)
    except (FileNotFoundError, OSError) as error:
        reason = str(error).replace("\n", " ")
        raise TrainingError(
            f"{folder} has no folder for each class with images in it: {reason}"
        ) from None
    counts = dict.fromkeys(range(len(listed.classes)), 0)
    for _, label in listed.samples:
        counts[label] += 1
    empty = [listed.classes[label] for label, count in counts.items() if not count]
    if empty:
        raise TrainingError(f"{folder}: no image is in {', '.join(empty)}")
    items: Items = [(Path(path), label) for path, label in listed.samples]
    return items, tuple(listed.classes)


def _masked(folder: Path) -> tuple[Items, None]:
    """Images, and of each the mask that has its name."""
    images, masks = (_by_stem(folder / name) for name in ("images", "masks"))
    if not images:
        raise TrainingError(f"{folder / 'images'} has no images")
    lonely = sorted(images.keys() ^ masks.keys())
    if lonely:
        raise TrainingError(
            f"{folder}: {len(lonely)} images or masks have no partner of the same name: "
            f"{', '.join(lonely[:5])}"
        )
    return [(images[stem], masks[stem]) for stem in sorted(images)], None


def _by_stem(folder: Path) -> dict[str, Path]:
    """The images of a folder by their names without endings."""
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in IMG_EXTENSIONS:
            if path.stem in files:
                raise TrainingError(f"{path} and {files[path.stem].name} have one name")
            files[path.stem] = path
    return files


def _digest(root: Path, items: Sequence[tuple[Path, int | Path]]) -> str:
    """The same for the same files in the same order."""
    names = "\n".join(f"{path.relative_to(root)} {target}" for path, target in items)
    return blake2b(names.encode(errors="surrogateescape"), digest_size=8).hexdigest()
