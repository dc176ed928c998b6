"""Data sets of images beside MNIST: CIFAR, folders, noise."""

from __future__ import annotations

import hashlib
import pathlib
import pickle
from typing import Any

import numpy as np
import pytest

import tinytorch as tt
from tinytorch.utils.data import DataLoader, default_collate
from tinytorch.vision import _image, datasets, transforms
from tinytorch.vision.datasets.cifar import _Unpickler


def one_by_one(batch: Any) -> Any:
    """Collate as the default does, without being it: samples come one by one."""
    return default_collate(batch)


# ---- CIFAR ----


def tiny_cifar(root: pathlib.Path, cls: Any, monkeypatch: Any) -> Any:
    """Write CIFAR's files with a few images; return the pixels of the first."""
    rng = np.random.default_rng(1)
    folder = root / cls.base_folder
    folder.mkdir(parents=True)
    key = "labels" if cls is datasets.CIFAR10 else "fine_labels"
    first = None
    sums: dict[str, str] = {}
    names = [name for name, _ in cls.train_list + cls.test_list]
    for name in names:
        pixels = rng.integers(0, 256, (4, 3072)).astype("u1")
        first = pixels[0] if first is None else first
        entry = {"data": pixels, key: [int(i) for i in rng.integers(0, 10, 4)]}
        content = pickle.dumps(entry, protocol=2)
        (folder / name).write_bytes(content)
        sums[name] = hashlib.md5(content).hexdigest()
    meta = {cls.meta["key"]: [f"class {i}" for i in range(10)]}
    (folder / cls.meta["filename"]).write_bytes(pickle.dumps(meta, protocol=2))
    for part in ("train_list", "test_list"):
        fixed = [[name, sums[name]] for name, _ in getattr(cls, part)]
        monkeypatch.setattr(cls, part, fixed)
    return first


@pytest.mark.parametrize("name", ["CIFAR10", "CIFAR100"])
def test_cifar(
    tmp_path: pathlib.Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cls = getattr(datasets, name)
    first = tiny_cifar(tmp_path, cls, monkeypatch)
    dataset = cls(tmp_path, transform=transforms.ToTensor())
    parts = 5 if name == "CIFAR10" else 1
    assert dataset.data.shape == (4 * parts, 32, 32, 3)
    assert len(dataset.targets) == len(dataset) == 4 * parts
    assert dataset.classes[2] == "class 2"
    x, label = dataset[0]
    assert x.shape == (3, 32, 32)
    expected = tt.from_numpy(first.copy()).view(3, 32, 32).float() / 255
    assert tt.equal(x, expected)
    assert type(label) is int
    fast = next(iter(DataLoader(dataset, 4)))
    slow = next(iter(DataLoader(dataset, 4, collate_fn=one_by_one)))
    for a, b in zip(fast, slow, strict=True):
        assert a.dtype is b.dtype
        assert a.stride() == b.stride()
        assert tt.equal(a, b)
    if _image.pillow() is not None:
        image, _ = cls(tmp_path, train=False)[0]
        assert (image.mode, image.size) == ("RGB", (32, 32))
    (tmp_path / cls.base_folder / cls.test_list[0][0]).write_bytes(b"broken")
    with pytest.raises(RuntimeError, match="not found or corrupted"):
        cls(tmp_path)


def test_cifar_files_cannot_run_code(tmp_path: pathlib.Path) -> None:
    class Bad:
        def __reduce__(self) -> Any:
            return print, ("executed",)

    path = tmp_path / "x"
    path.write_bytes(pickle.dumps({"data": Bad()}))
    with path.open("rb") as stream:
        loader = _Unpickler(stream)
        with pytest.raises(pickle.UnpicklingError, match=r"refused: builtins\.print"):
            loader.load()


# ---- folders, noise ----


def test_image_folder(tmp_path: pathlib.Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    with pytest.raises(FileNotFoundError, match="any class folder"):
        datasets.ImageFolder(tmp_path)
    for name, count in (("dog", 2), ("cat", 3)):
        (tmp_path / name / "more").mkdir(parents=True)
        for i in range(count):
            image = image_module.new("RGB", (6, 4), (10 * i, 20, 30))
            image.save(tmp_path / name / f"{i}.PNG")
    image_module.new("L", (6, 4), 9).save(tmp_path / "dog" / "more" / "grey.png")
    (tmp_path / "dog" / "notes.txt").write_text("not an image")
    folder = datasets.ImageFolder(tmp_path, transform=transforms.ToTensor())
    assert folder.classes == ["cat", "dog"]
    assert folder.class_to_idx == {"cat": 0, "dog": 1}
    assert folder.targets == [0, 0, 0, 1, 1, 1]
    assert folder.imgs is folder.samples
    x, y = next(iter(DataLoader(folder, 6)))
    assert x.shape == (6, 3, 4, 6)
    assert y.tolist() == folder.targets
    assert tt.equal(x[1, 0], tt.full((4, 6), 10 / 255))
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no valid file for the classes empty"):
        datasets.ImageFolder(tmp_path)
    assert len(datasets.ImageFolder(tmp_path, allow_empty=True)) == 6
    texts = datasets.DatasetFolder(
        tmp_path,
        lambda path: pathlib.Path(path).read_text(),
        is_valid_file=lambda path: path.endswith(".txt"),
        allow_empty=True,
    )
    assert texts[0] == ("not an image", 1)


def test_fake_data_is_the_same_again() -> None:
    before = tt.get_rng_state()
    fake = datasets.FakeData(5, (3, 8, 6), transform=transforms.ToTensor())
    x, label = fake[2]
    assert x.shape == (3, 8, 6)
    assert 0 <= label < 10
    assert tt.equal(x, fake[2][0])
    assert not tt.equal(x, fake[3][0])
    assert tt.equal(tt.get_rng_state(), before)
    with pytest.raises(IndexError):
        fake[5]
    assert len(list(DataLoader(fake, 2))) == 3
