"""Data sets of images: their files, their samples, and batches made at once."""

from __future__ import annotations

import gzip
import pathlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinytorch as tt
from tinytorch.utils.data import DataLoader, Subset, default_collate
from tinytorch.vision import _image, datasets, transforms
from tinytorch.vision.datasets import mnist as mnist_module

NORMALIZE = transforms.Normalize((0.1307,), (0.3081,))
USUAL = transforms.Compose([transforms.ToTensor(), NORMALIZE])


@pytest.fixture
def no_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take Pillow away."""
    monkeypatch.setattr(_image, "pillow", lambda: None)


# ---- the shipped digits ----


def test_small_mnist_is_even_and_real() -> None:
    for train, count in ((True, 600), (False, 100)):
        digits = datasets.SmallMNIST(train)
        assert len(digits) == 10 * count
        assert digits.data.shape == (10 * count, 28, 28)
        assert digits.data.dtype is tt.uint8
        assert tt.bincount(digits.targets).tolist() == [count] * 10
        # The statistics of MNIST, which every program normalises with.
        x = digits.data.to(tt.float64) / 255
        assert x.mean().item() == pytest.approx(0.1307, abs=0.004)
        assert x.std().item() == pytest.approx(0.3081, abs=0.004)
    folder = pathlib.Path(datasets.SmallMNIST(True).root)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1_300_000


def test_small_mnist_can_be_learned() -> None:
    """The nearest class mean is right on most test digits."""
    train, test = datasets.SmallMNIST(True), datasets.SmallMNIST(False)
    x, y = train.data.view(-1, 784).float(), test.data.view(-1, 784).float()
    means = tt.stack([x[train.targets == k].mean(0) for k in range(10)])
    guess = tt.cdist(y, means).argmin(1)
    assert (guess == test.targets).float().mean().item() > 0.75


def test_small_mnist_is_what_the_script_makes(tmp_path: pathlib.Path) -> None:
    from tinytorch.vision import _make_small_mnist

    shipped = pathlib.Path(datasets.SmallMNIST(True).root)
    _make_small_mnist.make(shipped, tmp_path)  # of 600 and 100 it takes all
    for path in shipped.iterdir():
        made = gzip.decompress((tmp_path / path.name).read_bytes())
        assert made == gzip.decompress(path.read_bytes())


# ---- IDX files ----


def write_idx(path: pathlib.Path, array: Any, packed: bool = False) -> None:
    codes = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
    head = bytes([0, 0, codes[array.dtype.str[1:]], array.ndim])
    head += b"".join(n.to_bytes(4, "big") for n in array.shape)
    content = head + array.astype(array.dtype.newbyteorder(">")).tobytes()
    path.write_bytes(gzip.compress(content) if packed else content)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "i4", "f4", "f8"])
def test_idx_files_of_all_types(
    tmp_path: pathlib.Path, kind: str, packed: bool
) -> None:
    array = np.arange(-12, 12).reshape(2, 3, 4).astype(kind)
    write_idx(tmp_path / "x", array, packed)
    x = mnist_module.read_idx(tmp_path / "x")
    assert np.array_equal(x.numpy(), array)
    assert x.numpy().dtype == array.dtype


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08",
        b"\0\0\x07\x01\0\0\0\x01a",
        b"\0\0\x08\x01\0\0\0\x02a",
        b"\0\0\x08\x01\0\0\0\x01ab",
        b"\0\0\x08\x00",
        b"<html>not found</html>",
    ],
)
def test_bad_idx_files_are_refused(tmp_path: pathlib.Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(RuntimeError, match="x: "):
        mnist_module.read_idx(tmp_path / "x")


def tiny_mnist(folder: pathlib.Path, packed: bool = False) -> Any:
    """Write a small MNIST; return the training images."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    ending = ".gz" if packed else ""
    images = None
    for prefix, n in (("train", 30), ("t10k", 20)):
        x = rng.integers(0, 256, (n, 28, 28)).astype("u1")
        images = x if images is None else images
        write_idx(folder / f"{prefix}-images-idx3-ubyte{ending}", x, packed)
        labels = (np.arange(n) % 10).astype("u1")
        write_idx(folder / f"{prefix}-labels-idx1-ubyte{ending}", labels, packed)
    return images


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("cls", ["MNIST", "FashionMNIST", "KMNIST"])
def test_mnist_finds_its_files(tmp_path: pathlib.Path, cls: str, packed: bool) -> None:
    make = getattr(datasets, cls)
    with pytest.raises(RuntimeError, match=r"not found. You can use download=True"):
        make(tmp_path)
    images = tiny_mnist(tmp_path / cls / "raw", packed)
    dataset = make(str(tmp_path), train=True)
    assert np.array_equal(dataset.data.numpy(), images)
    assert dataset.targets.tolist() == [i % 10 for i in range(30)]
    assert dataset.targets.dtype is tt.int64
    assert len(make(tmp_path, train=False)) == 20
    assert len(dataset.classes) == 10
    assert dataset.class_to_idx[dataset.classes[3]] == 3
    plain = make(tmp_path / cls / "raw")  # the files themselves
    assert tt.equal(plain.data, dataset.data)


def test_repr_is_torchvisions(tmp_path: pathlib.Path) -> None:
    tiny_mnist(tmp_path / "raw")
    dataset = datasets.MNIST(tmp_path / "raw", transform=USUAL)
    assert repr(dataset) == (
        "Dataset MNIST\n"
        "    Number of datapoints: 30\n"
        f"    Root location: {tmp_path / 'raw'}\n"
        "    Split: Train\n"
        "    StandardTransform\n"
        "Transform: Compose(\n"
        "               ToTensor()\n"
        "               Normalize(mean=(0.1307,), std=(0.3081,))\n"
        "           )"
    )


def test_samples_are_images_of_pillow(tmp_path: pathlib.Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    images = tiny_mnist(tmp_path / "raw")
    image, label = datasets.MNIST(tmp_path / "raw")[3]
    assert isinstance(image, image_module.Image)
    assert (image.mode, image.size, label, type(label)) == ("L", (28, 28), 3, int)
    assert np.array_equal(np.asarray(image), images[3])


def test_samples_without_pillow(tmp_path: pathlib.Path, no_pillow: None) -> None:
    images = tiny_mnist(tmp_path / "raw")
    image, label = datasets.MNIST(tmp_path / "raw")[3]
    assert isinstance(image, _image.RawImage)
    assert (image.mode, image.size, label) == ("L", (28, 28), 3)
    assert np.array_equal(np.asarray(image), images[3])
    assert image.tobytes() == images[3].tobytes()
    x = transforms.Compose(
        [
            transforms.RandomCrop(28, padding=4),
            transforms.RandomHorizontalFlip(1.0),
            transforms.ToTensor(),
        ]
    )(image)
    assert x.shape == (1, 28, 28)
    with pytest.raises(ImportError, match=r"pip install 'tinytorch\[vision\]'"):
        datasets.folder.pil_loader("x.png")


# ---- whole batches ----


def one_by_one(batch: Any) -> Any:
    """Collate as the default does, without being it: samples come one by one."""
    return default_collate(batch)


BATCHED: dict[str, Any] = {
    "to tensor": transforms.ToTensor(),
    "usual": USUAL,
    "nested": transforms.Compose([USUAL, transforms.Compose([NORMALIZE])]),
    "list": transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize([0.5], [0.25], inplace=True)]
    ),
}


@pytest.mark.parametrize("name", BATCHED)
def test_batches_equal_samples_bit_for_bit(name: str) -> None:
    """All 256 values of a byte, in batches of several sizes."""
    dataset = datasets.SmallMNIST(False, BATCHED[name])
    dataset.data[:1, :10] = tt.arange(280).view(1, 10, 28).remainder(256).byte()
    for size in (1, 7, 64, 1000):
        tt.manual_seed(1)
        fast = list(DataLoader(dataset, size, shuffle=True))
        tt.manual_seed(1)
        slow = list(DataLoader(dataset, size, shuffle=True, collate_fn=one_by_one))
        assert len(fast) == len(slow)
        for a, b in zip(fast, slow, strict=True):
            assert type(a) is type(b) is list
            for x, y in zip(a, b, strict=True):
                assert x.dtype is y.dtype
                assert x.shape == y.shape
                assert x.stride() == y.stride()
                assert tt.equal(x, y)


def test_batches_are_gathered_in_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = Subset(datasets.SmallMNIST(False, USUAL), range(0, 1000, 2))
    expected = dataset[5]

    def refuse(*args: Any) -> Any:
        raise AssertionError("one by one")

    monkeypatch.setattr(datasets.MNIST, "__getitem__", refuse)
    x, y = next(iter(DataLoader(dataset, 8)))
    assert tt.equal(x[5], expected[0])
    assert y[5] == expected[1]


class Louder(transforms.Normalize):
    """A transform that is not what its base promises."""

    def forward(self, tensor: Any) -> Any:
        return super().forward(tensor) * 2


def test_what_is_not_known_goes_one_by_one() -> None:
    plain = transforms.ToTensor()
    cases: list[Callable[[Any], Any]] = [
        transforms.Compose([plain, Louder((0.5,), (0.5,))]),
        transforms.Compose([plain, transforms.Lambda(lambda x: x.view(-1))]),
        transforms.Compose([plain, transforms.RandomErasing(1.0)]),
        transforms.Compose([transforms.RandomCrop(28, padding=4), plain]),
        transforms.Compose([transforms.Resize(14), USUAL]),
    ]
    for transform in cases:
        dataset = datasets.SmallMNIST(False, transform)
        tt.manual_seed(0)
        a = next(iter(DataLoader(dataset, 5)))[0]
        tt.manual_seed(0)
        b = next(iter(DataLoader(dataset, 5, collate_fn=one_by_one)))[0]
        assert tt.equal(a, b)
    labels = datasets.SmallMNIST(False, plain, lambda label: label + 100)
    assert next(iter(DataLoader(labels, 2)))[1].min().item() >= 100
    images = datasets.SmallMNIST(False)
    with pytest.raises(TypeError, match="default_collate: batch must contain"):
        next(iter(DataLoader(images, 2)))


def test_programs_may_replace_data_and_targets() -> None:
    for change in (
        lambda d: setattr(d, "data", d.data[:20]),
        lambda d: setattr(d, "targets", d.targets.tolist()),
        lambda d: setattr(d, "targets", d.targets + 5),
        lambda d: setattr(d, "transform", transforms.ToTensor()),
    ):
        dataset = datasets.SmallMNIST(False, USUAL)
        change(dataset)
        fast = next(iter(DataLoader(dataset, 6)))
        slow = next(iter(DataLoader(dataset, 6, collate_fn=one_by_one)))
        assert tt.equal(fast[0], slow[0])
        assert tt.equal(fast[1], slow[1])


def test_vision_imports_neither_numpy_nor_pillow(tmp_path: pathlib.Path) -> None:
    code = (
        "import sys; from tinytorch.vision import datasets, transforms as T;"
        "from tinytorch.utils.data import DataLoader;"
        "d = datasets.SmallMNIST(True, T.Compose([T.ToTensor(),"
        "T.Normalize((0.1,), (0.3,))]));"
        "next(iter(DataLoader(d, 4, shuffle=True)));"
        "print([m for m in ('numpy', 'PIL', 'torch', 'tqdm') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(pathlib.Path(tt.__file__).parent.parent)},
    )
    assert done.stdout.strip() == "[]"
