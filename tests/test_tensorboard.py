"""TensorBoard's files, read back by a reader that shares no code with the writer."""

from __future__ import annotations

import io
import pathlib
import struct
import wave
import zlib
from typing import Any

import numpy as np
import pytest
from tinytorch._core.checksum import crc32c

import tinytorch as tt
from tinytorch.utils.tensorboard import SummaryWriter

# ---- a reader of records and of protocol buffers ----


def crc32c_bitwise(data: bytes) -> int:
    c = 0xFFFFFFFF
    for byte in data:
        c ^= byte
        for _ in range(8):
            c = c >> 1 ^ (0x82F63B78 if c & 1 else 0)
    return c ^ 0xFFFFFFFF


def masked(data: bytes) -> int:
    c = crc32c_bitwise(data)
    return ((c >> 15 | c << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(path: pathlib.Path) -> list[bytes]:
    raw, at, found = path.read_bytes(), 0, []
    while at < len(raw):
        (n,) = struct.unpack_from("<Q", raw, at)
        assert struct.unpack_from("<I", raw, at + 8)[0] == masked(raw[at : at + 8])
        data = raw[at + 12 : at + 12 + n]
        assert len(data) == n
        assert struct.unpack_from("<I", raw, at + 12 + n)[0] == masked(data)
        found.append(data)
        at += 16 + n
    return found


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def fields(data: bytes) -> dict[int, list[Any]]:
    """Return {number: values} of a message; messages within it stay bytes."""
    found: dict[int, list[Any]] = {}
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        value: Any
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 1:
            (value,), at = struct.unpack_from("<d", data, at), at + 8
        elif key & 7 == 5:
            (value,), at = struct.unpack_from("<f", data, at), at + 4
        else:
            assert key & 7 == 2
            n, at = varint(data, at)
            value, at = data[at : at + n], at + n
        found.setdefault(key >> 3, []).append(value)
    return found


def events(folder: pathlib.Path) -> list[dict[int, list[Any]]]:
    (path,) = sorted(folder.glob("events.out.tfevents.*"))
    first, *rest = [fields(r) for r in records(path)]
    assert first[3] == [b"brain.Event:2"]
    return rest


def values(folder: pathlib.Path) -> list[tuple[str, int | None, dict[int, Any]]]:
    """Return (tag, step, fields of the value) of all summaries."""
    found = []
    for event in events(folder):
        for summary in event.get(5, []):
            for value in fields(summary)[1]:
                inner = {k: v[0] for k, v in fields(value).items()}
                step = event.get(2, [None])[0]
                found.append((inner[1].decode(), step, inner))
    return found


def doubles(data: bytes) -> list[float]:
    return list(struct.unpack(f"<{len(data) // 8}d", data))


def plugin(value: dict[int, Any]) -> tuple[str, bytes]:
    data = fields(fields(value[9])[1][0])
    return data[1][0].decode(), data.get(2, [b""])[0]


def unpng(data: bytes) -> np.ndarray:
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, body, header = 8, b"", b""
    while at < len(data):
        (n,) = struct.unpack_from(">I", data, at)
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + n]
        assert struct.unpack_from(">I", data, at + 8 + n)[0] == zlib.crc32(
            kind + content
        )
        header = content if kind == b"IHDR" else header
        body += content if kind == b"IDAT" else b""
        at += 12 + n
    w, h, depth, color = struct.unpack_from(">IIBB", header)
    channels = {0: 1, 2: 3, 6: 4}[color]
    assert depth == 8
    rows = np.frombuffer(zlib.decompress(body), np.uint8).reshape(h, 1 + w * channels)
    assert (rows[:, 0] == 0).all()
    return rows[:, 1:].reshape(h, w, channels)


# ---- tests ----


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 1000])
def test_checksum_is_crc32c(n: int, rng: np.random.Generator) -> None:
    data = rng.bytes(n)
    assert crc32c(data) == crc32c_bitwise(data)
    assert crc32c(b"123456789") == 0xE3069283


def test_scalars(tmp_path: pathlib.Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalar("loss", 0.5, 0)
        writer.add_scalar("loss", tt.tensor(0.25), 300, walltime=12.5)
        writer.add_scalar("lr", np.float64(1e-3))
        writer.add_scalar("big", 1e300, -1)
        writer.add_scalar("new", 0.1, 1, new_style=True, double_precision=True)
        assert writer.get_logdir() == str(tmp_path)
    found = values(tmp_path)
    assert [(tag, step) for tag, step, _ in found] == [
        ("loss", 0), ("loss", 300), ("lr", None), ("big", 2**64 - 1), ("new", 1),
    ]
    assert [v[2] for _, _, v in found[:3]] == [0.5, 0.25, pytest.approx(1e-3)]
    assert found[3][2][2] == float("inf")
    assert events(tmp_path)[1][1] == [12.5]
    name, _ = plugin(found[4][2])
    assert name == "scalars" and doubles(fields(found[4][2][8])[6][0]) == [0.1]
    with pytest.raises((TypeError, ValueError, RuntimeError)):
        SummaryWriter(tmp_path / "x").add_scalar("loss", tt.ones(3))


def test_several_scalars_go_to_runs_of_their_own(tmp_path: pathlib.Path) -> None:
    writer = SummaryWriter(tmp_path)
    writer.add_scalars("a/loss", {"train": 1.0, "test": 2.0}, 3)
    writer.close()
    assert [(t, s, v[2]) for t, s, v in values(tmp_path / "a_loss_test")] == [
        ("a/loss", 3, 2.0)
    ]
    writer.add_scalar("after", 1.0)  # a closed writer opens a new file
    writer.close()
    assert len(list(tmp_path.glob("events.*"))) == 2


def test_default_directory(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    writer = SummaryWriter(comment="_first", filename_suffix=".mine")
    writer.close()
    assert pathlib.Path(writer.log_dir).parent.name == "runs"
    assert writer.log_dir.endswith("_first")
    assert list(pathlib.Path(writer.log_dir).glob("*.mine"))


def test_events_wait_until_flushed(tmp_path: pathlib.Path) -> None:
    writer = SummaryWriter(tmp_path, max_queue=3, flush_secs=1000)
    for i in range(3):
        writer.add_scalar("x", i, i)
    assert events(tmp_path) == []
    writer.add_scalar("x", 3, 3)
    assert len(events(tmp_path)) == 4
    writer.add_scalar("x", 4, 4)
    writer.flush()
    assert len(events(tmp_path)) == 5
    writer.close()


@pytest.mark.parametrize("bins", ["tensorflow", 7, [-1.0, 0.0, 0.5, 4.0], "auto"])
def test_histogram(bins: Any, tmp_path: pathlib.Path, rng: np.random.Generator) -> None:
    x = np.concatenate([rng.normal(size=500), [0.0, 1.0, -1.0]])
    with SummaryWriter(tmp_path) as writer:
        writer.add_histogram("w", tt.tensor(x.tolist(), dtype=tt.float64), 1, bins=bins)
    ((tag, step, value),) = values(tmp_path)
    assert (tag, step) == ("w", 1)
    histogram = fields(value[5])
    low, high, n, total, squares = (histogram[i][0] for i in range(1, 6))
    assert (low, high, n) == (x.min(), x.max(), x.size)
    assert total == pytest.approx(x.sum()) and squares == pytest.approx((x**2).sum())
    limits, counts = doubles(histogram[6][0]), doubles(histogram[7][0])
    assert len(limits) == len(counts)
    assert counts[0] == 0 and counts[1] > 0 and counts[-1] > 0
    assert counts[1:] == np.histogram(x, limits)[0].tolist()
    if not isinstance(bins, list):
        assert sum(counts) == x.size


def test_forgotten_writer_loses_nothing(tmp_path: pathlib.Path) -> None:
    writer = SummaryWriter(tmp_path)
    writer.add_scalar("x", 1.0, 1)
    del writer
    assert [tag for tag, _, _ in values(tmp_path)] == ["x"]


def test_histogram_refuses_what_it_cannot_count(tmp_path: pathlib.Path) -> None:
    writer = SummaryWriter(tmp_path)
    for bad in (tt.empty(0), tt.tensor([1.0, float("nan")])):
        with pytest.raises(ValueError, match="no element|finite"):
            writer.add_histogram("w", bad)
    writer.add_histogram("w", tt.full((5,), 2.0))
    writer.add_histogram_raw("r", 0, 1, 2, 1, 1, [0.5, 1.0], [1, 1], 4)
    with pytest.raises(ValueError, match="bucket_limits"):
        writer.add_histogram_raw("r", 0, 1, 2, 1, 1, [0.5], [1, 1])
    writer.close()
    raw = fields(values(tmp_path)[1][2][5])
    assert doubles(raw[6][0]) == [0.5, 1.0]


def image_of(value: dict[int, Any]) -> np.ndarray:
    image = fields(value[4])
    pixels = unpng(image[4][0])
    assert pixels.shape == (image[1][0], image[2][0], image[3][0])
    return pixels


def test_images(tmp_path: pathlib.Path, rng: np.random.Generator) -> None:
    chw = rng.random((3, 4, 5), dtype=np.float32)
    batch = rng.integers(0, 256, (3, 1, 2, 2), dtype=np.uint8)
    with SummaryWriter(tmp_path) as writer:
        writer.add_image("float", tt.tensor(chw.tolist()))
        writer.add_image("array", np.ascontiguousarray(chw.transpose(1, 2, 0)),
                         dataformats="HWC")
        writer.add_image("gray", tt.tensor(chw[0].tolist()), dataformats="HW")
        writer.add_images("grid", tt.tensor(batch.tolist(), dtype=tt.uint8), 2)
        writer.add_image_with_boxes("boxes", tt.zeros(3, 6, 6), [[1, 1, 4, 3]])
        with pytest.raises(AssertionError, match="format are different"):
            writer.add_image("bad", tt.zeros(4, 5))
        with pytest.raises(ValueError, match="channels"):
            writer.add_image("bad", tt.zeros(5, 4, 4))
    found = [image_of(v) for _, _, v in values(tmp_path)]
    expected = (chw.transpose(1, 2, 0) * 255).astype(np.uint8)
    assert (found[0] == expected).all() and (found[1] == expected).all()
    assert (found[2][..., 0] == expected[..., 0]).all()
    assert found[3].shape == (2, 6, 1)
    assert (found[3][:, 2:4, 0] == batch[1, 0]).all()
    assert (found[4][1, 1:5] == [255, 0, 0]).all() and (found[4][2, 2] == 0).all()


def test_figure(tmp_path: pathlib.Path) -> None:
    figure_module = pytest.importorskip("matplotlib.figure")
    figure = figure_module.Figure(figsize=(1, 1), dpi=30)
    figure.add_subplot().plot([1, 2])
    with SummaryWriter(tmp_path) as writer:
        writer.add_figure("f", figure, close=False)
    assert image_of(values(tmp_path)[0][2]).shape == (30, 30, 4)


def test_text_and_sound(tmp_path: pathlib.Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_text("note", "**bold** ä", 1)
        writer.add_audio("beep", tt.tensor([0.0, 0.5, -1.0]), 2, sample_rate=8000)
    (tag, _, value), (_, _, sound) = values(tmp_path)
    assert tag == "note/text_summary" and plugin(value)[0] == "text"
    tensor = fields(value[8])
    assert tensor[8] == ["**bold** ä".encode()] and tensor[1] == [7]
    content = fields(sound[6])
    assert content[1] == [8000.0] and content[3] == [3]
    with wave.open(io.BytesIO(content[4][0])) as file:
        assert file.getframerate() == 8000
        samples = np.frombuffer(file.readframes(3), "<i2")
    assert samples.tolist() == [0, 16383, -32767]


def test_hyperparameters(tmp_path: pathlib.Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_hparams(
            {"lr": 0.1, "model": "mlp", "bias": True, "none": None},
            {"accuracy": 0.9},
            {"model": ["mlp", "cnn"]},
            run_name="run1",
            global_step=5,
        )
        with pytest.raises(TypeError):
            writer.add_hparams({}, {}, {"unknown": [1]})
        with pytest.raises(ValueError, match="value should be one of"):
            writer.add_hparams({"x": object()}, {})
    experiment, start, end, metric = values(tmp_path / "run1")
    assert [v[0] for v in (experiment, start, end, metric)] == [
        "_hparams_/experiment", "_hparams_/session_start_info",
        "_hparams_/session_end_info", "accuracy",
    ]
    assert metric[1] == 5
    name, content = plugin(experiment[2])
    assert name == "hparams"
    columns = [fields(c) for c in fields(fields(content)[2][0])[4]]
    assert [(c[1][0], c[4][0]) for c in columns] == [
        (b"lr", 3), (b"model", 1), (b"bias", 2)
    ]
    assert [fields(v)[3][0] for v in fields(columns[1][5][0])[1]] == [b"mlp", b"cnn"]
    session = fields(fields(plugin(start[2])[1])[3][0])
    given = {fields(e)[1][0]: fields(fields(e)[2][0]) for e in session[1]}
    assert given == {b"lr": {2: [0.1]}, b"model": {3: [b"mlp"]}, b"bias": {4: [1]}}


def test_precision_and_recall(tmp_path: pathlib.Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_pr_curve("pr", [0, 1, 1, 0], [0.1, 0.9, 0.6, 0.7], num_thresholds=11)
    ((_, _, value),) = values(tmp_path)
    tensor = fields(value[8])
    table = np.frombuffer(tensor[4][0], np.float32).reshape(6, 11)
    assert table[:4, 0].tolist() == [2, 2, 0, 0]  # at 0 all are taken for positive
    assert table[:4, 8].tolist() == [1, 0, 2, 1]  # at 0.8
    assert table[4:, 8].tolist() == [1.0, 0.5]


def test_purge_step_and_refusals(tmp_path: pathlib.Path) -> None:
    with SummaryWriter(tmp_path, purge_step=9) as writer:
        for refused in (writer.add_video, writer.add_embedding):
            with pytest.raises(NotImplementedError):
                refused()
    (event,) = events(tmp_path)
    assert event[2] == [9] and fields(event[7][0]) == {1: [1]}
