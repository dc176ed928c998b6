"""Downloads from a server of our own, archives, grids, image files."""

from __future__ import annotations

import builtins
import gzip
import hashlib
import http.server
import io
import pathlib
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

import tinytorch as tt
from tinytorch.vision import datasets, utils
from tinytorch.vision import io as vision_io
from tinytorch.vision.datasets import utils as files

CONTENT = bytes(range(256)) * 4000  # about 1 MB
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """A server of ``files``; it can break off and refuse ranges."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.break_after: list[int] = []
        self.ranges = True
        self.asked: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name = self.path.removeprefix("/")
        wanted = self.headers.get("Range")
        self.server.asked.append((name, wanted))
        content = self.server.files.get(name)
        if content is None:
            self.send_error(404)
            return
        start = 0
        if wanted and self.server.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        rest = content[start:]
        if self.server.break_after:
            rest = rest[: self.server.break_after.pop(0)]
        self.wfile.write(rest)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    made.files["x.bin"] = CONTENT
    thread = threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


# ---- downloads ----


@pytest.mark.parametrize("with_tqdm", [True, False])
def test_download(
    server: Server,
    tmp_path: pathlib.Path,
    with_tqdm: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if not with_tqdm:
        original = builtins.__import__

        def without(name: str, *args: Any, **kwargs: Any) -> Any:
            if name.startswith("tqdm"):
                raise ImportError(name)
            return original(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", without)
    files.download_url(server.url + "x.bin", tmp_path / "deep" / "folder", md5=MD5)
    assert (tmp_path / "deep/folder/x.bin").read_bytes() == CONTENT
    assert [p.name for p in (tmp_path / "deep/folder").iterdir()] == ["x.bin"]
    shown = capsys.readouterr().err
    assert "x.bin" in shown
    if not with_tqdm:
        assert "100 % 1.0 MB\n" in shown
    files.download_url(server.url + "x.bin", tmp_path / "deep" / "folder", md5=MD5)
    assert len(server.asked) == 1  # it was there


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_is_taken_up_again(
    server: Server, tmp_path: pathlib.Path, ranges: bool
) -> None:
    server.ranges = ranges
    server.break_after = [600_000, 100_000]
    files.download_url(server.url + "x.bin", tmp_path, md5=MD5)
    assert (tmp_path / "x.bin").read_bytes() == CONTENT
    assert server.asked[0] == ("x.bin", None)
    assert server.asked[1] == ("x.bin", "bytes=600000-")
    assert len(server.asked) == 3


def test_what_a_broken_run_has_left_is_used(
    server: Server, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "x.bin.part").write_bytes(CONTENT[:1000])
    files.download_url(server.url + "x.bin", tmp_path, md5=MD5)
    assert server.asked == [("x.bin", "bytes=1000-")]
    (tmp_path / "y.bin.part").write_bytes(CONTENT)  # only the last step is missing
    files.download_url(server.url + "x.bin", tmp_path, "y.bin", MD5)
    assert (tmp_path / "y.bin").read_bytes() == CONTENT


def test_a_damaged_file_never_gets_its_name(
    server: Server, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(RuntimeError, match="damaged: its MD5 sum is not"):
        files.download_url(server.url + "x.bin", tmp_path, md5="0" * 32)
    assert list(tmp_path.iterdir()) == []
    # What is left of another file is found out by the sum and fetched anew.
    (tmp_path / "x.bin.part").write_bytes(b"something else")
    files.download_url(server.url + "x.bin", tmp_path, md5=MD5)
    assert (tmp_path / "x.bin").read_bytes() == CONTENT


def test_mirrors(server: Server, tmp_path: pathlib.Path) -> None:
    closed = "http://127.0.0.1:9/"
    wrong = server.url + "nowhere/"
    files.download_from_mirrors([closed, wrong, server.url], "x.bin", tmp_path, MD5)
    assert (tmp_path / "x.bin").read_bytes() == CONTENT
    with pytest.raises(RuntimeError) as error:
        files.download_from_mirrors([closed, wrong], "y.bin", tmp_path)
    text = str(error.value)
    assert "Error downloading y.bin" in text
    assert "404" in text
    assert "network connection" in text
    assert str(tmp_path) in text


def test_mnist_downloads_itself(
    server: Server, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = pathlib.Path(datasets.SmallMNIST(True).root)
    resources = []
    for path in shipped.iterdir():
        server.files[path.name] = path.read_bytes()
        resources.append((path.name, files.calculate_md5(path)))
    monkeypatch.setattr(datasets.MNIST, "mirrors", [server.url + "gone/", server.url])
    monkeypatch.setattr(datasets.MNIST, "resources", sorted(resources))
    made = datasets.MNIST(tmp_path, download=True)
    assert len(made) == 6000
    assert (tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte").is_file()
    count = len(server.asked)
    datasets.MNIST(tmp_path, train=False, download=True)
    assert len(server.asked) == count


# ---- archives ----


def test_archives(tmp_path: pathlib.Path) -> None:
    inner = tmp_path / "inner.txt"
    inner.write_text("inside")
    for name, mode in (("a.tar", "w"), ("b.tar.gz", "w:gz"), ("c.tgz", "w:gz")):
        with tarfile.open(tmp_path / name, mode) as archive:  # type: ignore[call-overload]
            archive.add(inner, "folder/inner.txt")
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as packed:
        packed.write(inner, "folder/inner.txt")
    for name in ("a.tar", "b.tar.gz", "c.tgz", "d.zip"):
        target = tmp_path / f"out of {name}"
        files.extract_archive(tmp_path / name, target, remove_finished=True)
        assert (target / "folder" / "inner.txt").read_text() == "inside"
        assert not (tmp_path / name).exists()
    (tmp_path / "e.txt.gz").write_bytes(gzip.compress(b"inside"))
    made = files.extract_archive(tmp_path / "e.txt.gz")
    assert pathlib.Path(made).read_text() == "inside"
    with pytest.raises(RuntimeError, match="do not know how to unpack"):
        files.extract_archive(inner)


@pytest.mark.parametrize("kind", ["tar", "zip", "link"])
def test_archives_cannot_leave_their_folder(tmp_path: pathlib.Path, kind: str) -> None:
    path = tmp_path / "bad"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("../outside.txt", "x")
    else:
        with tarfile.open(path, "w") as archive:
            member = tarfile.TarInfo("../outside.txt" if kind == "tar" else "link")
            if kind == "link":
                member.type, member.linkname = tarfile.SYMTYPE, "/etc"
            archive.addfile(member, io.BytesIO(b""))
    with pytest.raises(RuntimeError, match="leads out|is no file"):
        files.extract_archive(path, tmp_path / "target")
    assert not (tmp_path / "outside.txt").exists()


# ---- grids ----


def test_make_grid_places_the_images() -> None:
    x = tt.arange(5.0).view(5, 1, 1, 1).expand(5, 3, 4, 6)
    grid = utils.make_grid(x, nrow=3, padding=2, pad_value=9.0)
    assert grid.shape == (3, 2 * (4 + 2) + 2, 3 * (6 + 2) + 2)
    for k in range(5):
        top, left = 2 + (k // 3) * 6, 2 + (k % 3) * 8
        assert (grid[:, top : top + 4, left : left + 6] == k).all()
    assert (grid == 9).sum() == 3 * (14 * 26 - 5 * 24)
    assert (grid[:, 8:12, 18:24] == 9).all()  # there is no sixth image


def test_make_grid_takes_what_programs_give_it() -> None:
    gray = tt.rand(4, 1, 5, 5)
    assert utils.make_grid(gray).shape == (3, 9, 30)
    assert tt.equal(utils.make_grid(list(gray)), utils.make_grid(gray))
    assert utils.make_grid(gray[0, 0]).shape == (3, 5, 5)
    assert utils.make_grid(gray[0]).shape == (3, 5, 5)
    assert tt.equal(utils.make_grid(gray[:1])[0], gray[0, 0])
    whole = utils.make_grid(gray * 8 - 4, padding=0, normalize=True)
    assert whole.min() == 0
    assert whole.max() == pytest.approx(1)
    each = utils.make_grid(gray * 8, padding=0, normalize=True, scale_each=True)
    for k in range(4):
        assert each[:, :, 5 * k : 5 * k + 5].max() == pytest.approx(1)
    ranged = utils.make_grid(gray * 4 - 2, normalize=True, value_range=(-1, 1))
    assert ranged.max() <= 1
    x = tt.rand(2, 3, 4, 4, requires_grad=True)
    before = x.detach().clone()
    assert not utils.make_grid(x, normalize=True).requires_grad
    assert tt.equal(x.detach(), before)
    with pytest.raises(TypeError, match="tensor or list of tensors expected"):
        utils.make_grid("x")


# ---- image files ----


def test_save_image_and_read_image(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("PIL")
    pixels = tt.arange(2 * 3 * 8 * 8).remainder(256).view(2, 3, 8, 8)
    x = pixels.float() / 255
    utils.save_image(x[0], tmp_path / "one.png")
    assert tt.equal(vision_io.read_image(tmp_path / "one.png").long(), pixels[0])
    utils.save_image(x.requires_grad_(), str(tmp_path / "two.png"), nrow=2, padding=0)
    read = vision_io.read_image(str(tmp_path / "two.png"))
    assert tt.equal(read.long(), tt.cat([pixels[0], pixels[1]], 2))
    stream = io.BytesIO()
    utils.save_image(x[0] * 2 - 0.5, stream, format="png")  # values are clamped
    assert stream.getvalue().startswith(b"\x89PNG")


def test_image_files_of_all_modes(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("PIL")
    rgb = tt.randint(256, (3, 7, 9), dtype=tt.uint8)
    vision_io.write_png(rgb, tmp_path / "rgb.png")
    vision_io.write_png(rgb[:1], tmp_path / "gray.png")
    assert tt.equal(vision_io.read_image(tmp_path / "rgb.png"), rgb)
    assert tt.equal(vision_io.read_image(tmp_path / "gray.png"), rgb[:1])
    mode = vision_io.ImageReadMode
    for path in ("rgb.png", "gray.png"):
        for wanted, channels in ((mode.GRAY, 1), ("rgb", 3), (mode.RGB_ALPHA, 4)):
            read = vision_io.read_image(tmp_path / path, wanted)
            assert read.shape == (channels, 7, 9)
    content = vision_io.read_file(tmp_path / "rgb.png")
    assert tt.equal(vision_io.decode_image(content), rgb)
    assert tt.equal(vision_io.decode_png(vision_io.encode_png(rgb)), rgb)
    smooth = tt.full((3, 16, 16), 90, dtype=tt.uint8)
    vision_io.write_jpeg(smooth, tmp_path / "x.jpg", quality=95)
    near = vision_io.read_image(tmp_path / "x.jpg").int() - 90
    assert near.abs().max() <= 2
    with pytest.raises(RuntimeError, match="should be uint8"):
        vision_io.encode_png(rgb.float())
    with pytest.raises(RuntimeError, match="number of channels should be 1 or 3"):
        vision_io.encode_jpeg(rgb[:2])


def test_the_message_without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    from tinytorch.vision import _image

    monkeypatch.setattr(_image, "pillow", lambda: None)
    for call in (
        lambda: vision_io.read_image("x.png"),
        lambda: vision_io.encode_png(tt.zeros(3, 2, 2, dtype=tt.uint8)),
        lambda: utils.save_image(tt.zeros(3, 2, 2), sys.stdout),  # type: ignore[arg-type]
    ):
        with pytest.raises(ImportError, match=r"needs Pillow.*tinytorch\[vision\]"):
            call()
