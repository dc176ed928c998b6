"""Pictures of the graph that backward walks, as DOT text for graphviz.

A box is a tensor with its label, value and gradient, an ellipse an op.  Leaves are
always known; a result in the middle is, if it was given a label (``x.label = "x"``) or
is named in the call, and still alive.  Drawing needs the program ``dot``, the text
(``str(make_dot(y))``) needs nothing.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable, Mapping

from tinytorch._core.tensor import Tensor
from tinytorch._typing import Any

__all__ = ["Dot", "label", "make_dot", "render"]

LABELS = "labels"  # in a node's metadata: {number of the output: (label, weakref)}
LEAF, KNOWN, RESULT = "#cfe8cf", "#e8e8e8", "#f6d9a8"


# ---- labels ----


def label(x: Tensor, name: str | None) -> Tensor:
    """Give a tensor a name for pictures and return it: ``h = label(x @ w, "h")``."""
    x._label = name
    node = x.grad_fn
    if node is not None:  # results are found from their nodes
        node.metadata.setdefault(LABELS, {})[x.output_nr] = name, weakref.ref(x)
    return x


def label_of(x: Tensor) -> str | None:
    """Return the name that `label` gave, or None."""
    return getattr(x, "_label", None)


# ---- text ----


class Dot:
    """DOT text of a graph.  In a notebook it shows as a drawing."""

    def __init__(self, source: str) -> None:
        self.source = source

    def __str__(self) -> str:
        return self.source

    def save(self, path: str | os.PathLike[str]) -> str:
        """Write the text to a file and return the file's name."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.source)
        return os.fspath(path)

    def pipe(self, format: str = "svg") -> bytes:
        """Return the drawing that graphviz makes, as ``svg``, ``png``, ``pdf``, ..."""
        import shutil
        import subprocess

        program = shutil.which("dot")
        if program is None:
            raise RuntimeError(
                "drawing needs graphviz, whose program `dot` was not found; "
                "str(...) is the DOT text, which any DOT viewer draws"
            )
        command = [program, f"-T{format}"]
        run = subprocess.run(command, input=self.source.encode(), capture_output=True)
        if run.returncode != 0:
            raise RuntimeError(f"dot: {run.stderr.decode().strip()}")
        return run.stdout

    def render(
        self, filename: str | os.PathLike[str] = "graph", format: str = "svg"
    ) -> str:
        """Write the drawing to ``filename.format`` and return that name."""
        drawing = self.pipe(format)
        path = f"{os.fspath(filename)}.{format}"
        with open(path, "wb") as file:
            file.write(drawing)
        return path

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        try:
            return {"image/svg+xml": self.pipe("svg").decode()}
        except RuntimeError:
            return {"text/plain": self.source}


def _quoted(lines: Iterable[str]) -> str:
    text = "\n".join(lines).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + text.replace("\n", "\\n") + '"'


def _values(x: Tensor, most: int) -> str:
    """Return the numbers if they are few, else dtype and shape."""
    if x.numel() > most or x.is_meta:
        sizes = ", ".join(str(n) for n in x.shape)
        return f"{str(x.dtype).removeprefix('torch.')} [{sizes}]"

    def text(value: Any) -> str:
        if isinstance(value, list):
            return "[" + ", ".join(text(v) for v in value) + "]"
        return f"{value:.4g}" if isinstance(value, float) else str(value)

    return text(x.detach().tolist())


# ---- the walk ----


class _Walk:
    """Collects the lines of one picture."""

    def __init__(self, names: dict[int, str], most: int, saved: bool) -> None:
        self.names = names  # id of a tensor that the caller named: its name
        self.known: dict[tuple[int, int], Tensor] = {}  # (id of node, output): result
        self.most = most
        self.saved = saved
        self.lines: list[str] = []
        self.ids: dict[int, str] = {}  # id of a node or of a leaf: id in the text
        self.alive: list[Any] = []  # so that no id is used twice

    def tensor_lines(self, x: Tensor, name: str | None) -> list[str]:
        lines = [] if name is None else [name]
        lines.append(f"data {_values(x, self.most)}")
        if (x.is_leaf or x.retains_grad) and x.grad is not None:
            lines.append(f"grad {_values(x.grad, self.most)}")
        return lines

    def draw(self, identity: int, shape: str, color: str, lines: list[str]) -> None:
        self.lines.append(
            f"  {self.ids[identity]} [shape={shape}, style=filled, "
            f'fillcolor="{color}", label={_quoted(lines)}]'
        )

    def enter(self, thing: Any) -> bool:
        """Give a thing its id in the text; False if it has one."""
        if id(thing) in self.ids:
            return False
        self.ids[id(thing)] = f"n{len(self.ids)}"
        self.alive.append(thing)
        return True

    def leaf(self, x: Tensor) -> str:
        if self.enter(x):
            name = self.names.get(id(x), label_of(x))
            self.draw(id(x), "box", LEAF, self.tensor_lines(x, name))
        return self.ids[id(x)]

    def outputs(self, node: Any) -> dict[int, tuple[str | None, Tensor]]:
        """Return the results of a node that are known: {number: (name, tensor)}."""
        found = {}
        for number, (name, ref) in node.metadata.get(LABELS, {}).items():
            x = ref()
            if x is not None:
                found[number] = name, x
        for (identity, number), x in self.known.items():
            if identity == id(node):
                name = self.names.get(id(x), label_of(x))
                found[number] = name, x
        return found

    def node(self, node: Any) -> list[Any]:
        """Draw an op and its known results; return the nodes it leads to."""
        op = node.name().removesuffix("0").removesuffix("Backward")
        lines = [op]
        if self.saved:
            lines += [f"saved {_values(x, self.most)}" for x in node.saved_tensors]
        results = self.outputs(node)
        self.draw(id(node), "ellipse", KNOWN, lines)
        for number, (name, x) in sorted(results.items()):
            identity = f"{self.ids[id(node)]}r{number}"
            label = _quoted(self.tensor_lines(x, name))
            self.lines.append(
                f'  {identity} [shape=box, style=filled, fillcolor="{RESULT}", '
                f"label={label}]"
            )
            self.lines.append(f"  {self.ids[id(node)]} -> {identity}")
        further = []
        for source, number in node.next_functions:
            if source is None:
                continue
            if source.name().endswith("AccumulateGrad"):
                start = self.leaf(source.variable)
            else:
                if self.enter(source):
                    further.append(source)
                start = self.ids[id(source)]
                if number in self.outputs(source):
                    start += f"r{number}"
            self.lines.append(f"  {start} -> {self.ids[id(node)]}")
        return further

    def run(self, roots: list[Tensor]) -> str:
        pending = []
        for x in roots:
            if x.grad_fn is None:
                self.leaf(x)
            elif self.enter(x.grad_fn):
                pending.append(x.grad_fn)
        while pending:  # not recursive: graphs are deep
            pending += self.node(pending.pop())
        head = 'digraph {\n  rankdir=LR\n  node [fontname="monospace", fontsize=10]\n'
        return head + "\n".join(self.lines) + "\n}\n"


def make_dot(
    var: Tensor | Iterable[Tensor],
    params: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]] | None = None,
    *,
    show_saved: bool = False,
    max_elements: int = 6,
) -> Dot:
    """Return the picture of the graph that ends in `var`.

    Args:
        var: The tensor, or the tensors, that the graph computes.
        params: Names for tensors of it: a dict, or ``model.named_parameters()``.
        show_saved: Whether ops show what they saved for backward.
        max_elements: Tensors of more elements are shown as dtype and shape.

    Example:
        >>> x = tensor(3.0, requires_grad=True)
        >>> "Mul" in str(make_dot(x * x, {"x": x}))
        True
    """
    roots = [var] if isinstance(var, Tensor) else list(var)
    pairs = params.items() if isinstance(params, Mapping) else params or ()
    named = [(name, x) for name, x in pairs]
    walk = _Walk({id(x): name for name, x in named}, max_elements, show_saved)
    walk.alive += [x for _, x in named]
    for x in [x for _, x in named] + roots:
        node = x.grad_fn
        if node is not None:
            walk.known[id(node), x.output_nr] = x
            walk.alive.append(node)
    return Dot(walk.run(roots))


def render(
    self: Tensor, filename: str | None = None, format: str = "svg", **options: Any
) -> Dot:
    """Return the picture of the graph that ends here; draw it if given a file's name.

    The options are those of `make_dot`.
    """
    dot = make_dot(self, **options)
    if filename is not None:
        dot.render(filename, format)
    return dot
