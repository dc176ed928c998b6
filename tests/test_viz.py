"""Pictures of graphs, tables of layers, progress lines, reports to wandb."""

from __future__ import annotations

import io
import pathlib
import re
import stat
import sys
import types
from typing import Any

import pytest

import tinytorch as tt
from tinytorch import nn
from tinytorch.utils.progress import progress
from tinytorch.utils.reporting import Reporters, WandbReporter
from tinytorch.utils.tensorboard import SummaryWriter
from tinytorch.viz import label, make_dot

# ---- make_dot ----


def nodes(text: str) -> dict[str, str]:
    """Return {id: label} of DOT text."""
    found = re.findall(r'^  (\w+) \[.*label="((?:[^"\\]|\\.)*)"\]$', text, re.M)
    return dict(found)


def edges(text: str) -> set[tuple[str, str]]:
    """Return the edges as pairs of the first lines of the labels."""
    names = {k: v.split(r"\n")[0] for k, v in nodes(text).items()}
    pairs = re.findall(r"^  (\w+) -> (\w+)$", text, re.M)
    return {(names[a], names[b]) for a, b in pairs}


def test_picture_has_ops_leaves_labels_data_and_gradients() -> None:
    a = tt.tensor(2.0, requires_grad=True, label="a")
    b = tt.tensor([1.0, 2.0], requires_grad=True)
    b.label = "b"
    c = label(a * b, "c")
    c.retain_grad()
    y = c.exp().sum()
    y.backward()
    text = str(make_dot(y, {"y": y}))
    assert edges(text) == {
        ("a", "Mul"), ("b", "Mul"), ("Mul", "c"), ("c", "Exp"), ("Exp", "Sum"),
        ("Sum", "y"),
    }
    boxes = {v.split(r"\n")[0]: v for v in nodes(text).values()}
    assert boxes["a"] == r"a\ndata 2\ngrad 116.6"
    assert boxes["c"] == r"c\ndata [2, 4]\ngrad [7.389, 54.6]"
    assert boxes["y"].startswith(r"y\ndata 61.99")
    assert a.label == "a" and c.label == "c" and y.label is None


def test_picture_of_leaves_constants_and_shared_nodes() -> None:
    x = tt.ones(3, 4, requires_grad=True)
    assert list(nodes(str(make_dot(x))).values()) == [r"data float32 [3, 4]"]
    y = x * 2
    z = y + y
    text = str(make_dot([z.sum(), y.sum()]))
    assert sorted(nodes(text).values()) == [
        "Add", "Mul", "Sum", "Sum", "data 24", "data 48", "data float32 [3, 4]"
    ]
    assert "data [[1" in str(make_dot(x, max_elements=12))


def test_picture_shows_what_is_saved_and_quotes_labels() -> None:
    x = tt.tensor([3.0], requires_grad=True)
    x.label = 'a "quoted" \\ label\nin two lines'
    text = str(make_dot(x.exp(), show_saved=True))
    assert r"Exp\nsaved [20.09]" in nodes(text).values()
    assert r'label="a \"quoted\" \\ label\nin two lines\ndata [3]"' in text


def test_picture_of_a_model_and_of_a_deep_graph() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    text = str(make_dot(model(tt.ones(1, 2)), model.named_parameters()))
    firsts = [v.split(r"\n")[0] for v in nodes(text).values()]
    assert {"0.weight", "0.bias", "2.weight", "2.bias", "Tanh"} <= set(firsts)
    x = tt.ones(1, requires_grad=True)
    y = x
    for _ in range(5000):
        y = y * 1.0
    assert len(nodes(str(make_dot(y)))) == 5002  # ops, leaf, result


def test_labels_do_not_keep_results_alive() -> None:
    x = tt.ones(2, requires_grad=True)
    y = label(x * 2, "y").sum()
    assert "y" not in [v.split(r"\n")[0] for v in nodes(str(make_dot(y))).values()]


def test_drawing_needs_graphviz(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = tt.tensor(1.0, requires_grad=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    dot = x.render()
    assert dot.source.startswith("digraph {")
    with pytest.raises(RuntimeError, match="graphviz"):
        x.render(str(tmp_path / "picture"))
    assert dot._repr_mimebundle_() == {"text/plain": dot.source}
    assert pathlib.Path(dot.save(tmp_path / "g.dot")).read_text() == dot.source


def test_drawing_by_graphviz(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a program in its place that returns its arguments and its input."""
    fake = tmp_path / "dot"
    fake.write_text('#!/bin/sh\necho "$1"\nwhile read -r line; do echo "$line"; done\n')
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    x = tt.tensor(1.0, requires_grad=True)
    x.render(str(tmp_path / "picture"), format="png")
    drawn = (tmp_path / "picture.png").read_text()
    assert drawn.startswith("-Tpng\ndigraph {")
    assert "image/svg+xml" in x.render()._repr_mimebundle_()
    fake.write_text("#!/bin/sh\necho wrong >&2\nexit 3\n")
    with pytest.raises(RuntimeError, match="dot: wrong"):
        x.render().pipe()


# ---- summary ----


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(4 * 6 * 6, 10))
        self.head[1].bias.requires_grad_(False)

    def forward(self, x: tt.Tensor) -> dict[str, tt.Tensor]:
        return {"logits": self.head(self.drop(self.conv(x).relu()))}


def test_summary_counts_shapes_parameters_and_flops() -> None:
    model = Net()
    model.conv.eval()
    state = tt.get_rng_state().tolist()
    table = tt.summary(model, tt.zeros(2, 1, 8, 8))
    assert tt.get_rng_state().tolist() == state
    assert model.training and model.drop.training and not model.conv.training
    layers = {layer.name: layer for layer in table.layers}
    assert layers["conv"].output_shape == (2, 4, 6, 6)
    assert layers["conv"].flops == 2 * 2 * 4 * 36 * 9
    assert layers["head.1"].flops == pytest.approx(2 * 2 * 144 * 10, rel=0.02)
    assert layers["head.1"].input_shape == (2, 144)
    assert layers[""].output_shape == (2, 10)
    assert table.total_parameters == 40 + 1450
    assert table.trainable_parameters == 40 + 1440
    assert table.total_flops == layers[""].flops > layers["conv"].flops
    text = str(table)
    assert "Conv2d (conv)" in text and "1,490 (1,480 trainable, 10 frozen)" in text
    assert "Linear (1)" not in str(tt.summary(model, tt.zeros(2, 1, 8, 8), depth=1))


def test_summary_of_sizes_several_inputs_and_errors() -> None:
    two = nn.Bilinear(2, 3, 4)
    table = tt.summary(two, input_size=[(5, 2), (5, 3)])
    assert table.layers[0].output_shape == (5, 4)
    assert tt.summary(nn.Linear(2, 3), input_size=(5, 2)).layers[0].calls == 1
    embedding = nn.Embedding(4, 2)
    ids = tt.summary(embedding, input_size=(3,), dtype=tt.int64)
    assert ids.layers[0].output_shape == (3, 2)
    with pytest.raises(TypeError, match="input"):
        tt.summary(two)
    with pytest.raises(RuntimeError):
        tt.summary(nn.Linear(2, 3), tt.ones(1, 7))
    assert not nn.Linear(2, 3)._forward_hooks  # and the profile ended:
    tt.summary(nn.Linear(2, 3), tt.ones(1, 2))


# ---- progress ----


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_counts_and_reports() -> None:
    out = io.StringIO()
    bar = progress([1, 2, 3], "epoch 1", file=out, plain=True)
    assert len(bar) == 3
    for x in bar:
        bar.show(images=10, loss=tt.tensor(0.5 * x), note="ok")
    text = out.getvalue()
    assert re.fullmatch(
        r"epoch 1: 100% 3/3 \[00:00<00:00, [\de.+]+ steps/s, [\d,]+ images/s, "
        r"loss 1\.5, note ok\]\n", text
    )


def test_progress_draws_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinytorch.utils.progress.EVERY", 0.0)
    out = Terminal()
    for _ in progress(iter("ab"), file=out, plain=True, total=None):
        pass
    assert out.getvalue().count("\r") == 3 and out.getvalue().endswith("\n")
    with pytest.raises(TypeError):
        len(progress(iter("ab")))


def test_progress_ends_its_line_when_the_loop_breaks() -> None:
    out = io.StringIO()
    for _ in progress(range(10), file=out, plain=True):
        break
    assert out.getvalue().endswith("\n")
    quiet = io.StringIO()
    assert list(progress(range(3), file=quiet, disable=True)) == [0, 1, 2]
    assert quiet.getvalue() == ""


def test_progress_uses_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    class Bar:
        def __init__(self, **options: Any) -> None:
            calls.append(options["total"])

        def update(self) -> None:
            calls.append("update")

        def set_postfix_str(self, text: str, refresh: bool = True) -> None:
            calls.append(text)

        def close(self) -> None:
            calls.append("close")

    fake = types.ModuleType("tqdm.auto")
    fake.tqdm = Bar  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", fake)
    bar = progress(range(2), "x")
    for _ in bar:
        bar.show(loss=0.25)
    assert calls == [2, "update", "update", "loss 0.25", "close"]


# ---- Weights & Biases ----


class FakeRun:
    def __init__(self, **options: Any) -> None:
        self.options = options
        self.logged: list[Any] = []
        self.config: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}
        self.finished = False

    def log(self, data: dict[str, Any], step: Any = None, commit: bool = True) -> None:
        self.logged.append((data, step))

    def finish(self) -> None:
        self.finished = True


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    fake = types.ModuleType("wandb")
    fake.init = FakeRun  # type: ignore[attr-defined]
    fake.Histogram = lambda a: ("histogram", a.tolist())  # type: ignore[attr-defined]
    fake.Image = lambda a: ("image", a.shape)  # type: ignore[attr-defined]
    fake.Table = lambda columns, data: ("table", data)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return fake


def test_wandb_gets_what_is_logged(wandb: types.ModuleType) -> None:
    with WandbReporter("project", {"lr": 0.1}, mode="offline") as reporter:
        run = reporter.run
        reporter.log({"loss": tt.tensor(0.5)}, 3)
        reporter.add_scalar("x", 1.0, 4)
        reporter.add_scalars("m", {"a": 1, "b": tt.tensor(2)}, 5)
        reporter.add_histogram("h", tt.ones(2, requires_grad=True))
        reporter.add_image("i", tt.zeros(1, 4, 5), 6)
        reporter.add_images("g", tt.zeros(3, 3, 2, 2))
        reporter.add_text("t", "words")
        reporter.add_hparams({"lr": 0.1}, {"accuracy": 0.9})
        reporter.flush()
    assert run.options == {
        "project": "project", "config": {"lr": 0.1}, "mode": "offline"
    }
    assert run.logged == [
        ({"loss": 0.5}, 3), ({"x": 1.0}, 4), ({"m/a": 1, "m/b": 2}, 5),
        ({"h": ("histogram", [1.0, 1.0])}, None), ({"i": ("image", (4, 5))}, 6),
        ({"g": ("image", (2, 6, 3))}, None), ({"t": ("table", [["words"]])}, None),
    ]
    assert run.config == {"lr": 0.1} and run.summary == {"accuracy": 0.9}
    assert run.finished


def test_wandb_watches_gradients(wandb: types.ModuleType) -> None:
    run = FakeRun()
    reporter = WandbReporter(run=run)
    model = nn.Linear(1, 1, bias=False)
    reporter.watch(model, every=2)
    for _ in range(3):
        model.zero_grad()
        model(tt.full((1, 1), 3.0)).sum().backward()
    assert run.logged == [({"gradients/weight": 3.0}, None)] * 2
    reporter.close()
    model(tt.ones(1, 1)).sum().backward()
    assert len(run.logged) == 2 and not run.finished  # it is not ours to finish


def test_wandb_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ImportError, match="pip install wandb"):
        WandbReporter("project")


def test_reporters_log_to_all(wandb: types.ModuleType, tmp_path: pathlib.Path) -> None:
    run = FakeRun()
    with Reporters(SummaryWriter(tmp_path), WandbReporter(run=run)) as both:
        both.add_scalar("loss", 0.5, 1)
        both.add_histogram("w", tt.ones(3), 1)
        with pytest.raises(AttributeError):
            both.nonsense()
    assert [list(data) for data, _ in run.logged] == [["loss"], ["w"]]
    assert len(list(tmp_path.glob("events.*"))) == 1


# ---- the graph for TensorBoard ----


def test_graph_of_a_model_for_tensorboard(tmp_path: pathlib.Path) -> None:
    from test_tensorboard import events, fields

    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    with SummaryWriter(tmp_path) as writer:
        writer.add_graph(model, tt.ones(4, 2))
    (event,) = events(tmp_path)
    graph = {}
    for node in fields(event[4][0])[1]:
        node = fields(node)
        inputs = [s.decode() for s in node.get(3, [])]
        graph[node[1][0].decode()] = node[2][0].decode(), inputs
    assert {"input", "0/weight", "0/bias", "2/weight", "output"} <= set(graph)
    for _, inputs in graph.values():
        assert all(source in graph for source in inputs)
    relu = next(name for name in graph if name.startswith("1/"))
    assert graph[relu][0] == "Relu" and graph[relu][1][0].startswith("0/")
    assert graph["output"][0] == "Identity"
    assert not model[0]._forward_hooks
