"""The graph of a model as TensorBoard's GraphDef: ops, parameters, their edges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tinytorch._core.tensor import Tensor
from tinytorch.utils.tensorboard.messages import blob, integer, text

__all__ = ["graph_def"]


def _tensors(value: Any) -> Iterable[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)


def _shape(x: Tensor) -> bytes:
    """Return the attribute that TensorBoard prints on the edges."""
    sizes = b"".join(blob(2, integer(1, n)) for n in x.shape)
    listed = blob(1, blob(7, sizes))
    return blob(5, text(1, "_output_shapes") + blob(2, listed))


class _Graph:
    def __init__(self) -> None:
        self.nodes: list[bytes] = []
        self.names: dict[int, str] = {}
        self.alive: list[Any] = []  # so that no id is used twice
        self.used: dict[str, int] = {}

    def name(self, thing: Any, wanted: str) -> str:
        count = self.used.get(wanted, 0)
        self.used[wanted] = count + 1
        name = wanted if count == 0 else f"{wanted}_{count}"
        self.names[id(thing)] = name
        self.alive.append(thing)
        return name

    def add(self, name: str, op: str, inputs: Iterable[str], extra: bytes) -> None:
        sources = b"".join(text(3, source) for source in inputs)
        self.nodes.append(blob(1, text(1, name) + text(2, op) + sources + extra))

    def leaf(self, x: Tensor, name: str, op: str) -> None:
        self.add(self.name(x, name), op, (), _shape(x))


def graph_def(model: Any, inputs: Any) -> bytes:
    """Run the model and return the graph from its inputs and parameters to its results.

    Ops stand in the scope of the module that ran them.
    """
    import tinytorch

    arguments = inputs if isinstance(inputs, (tuple, list)) else (inputs,)
    graph = _Graph()
    leaves: list[Tensor] = []

    def watched(x: Any) -> Any:
        if not isinstance(x, Tensor) or not x.is_floating_point():
            return x
        leaf = x.detach().requires_grad_()
        leaves.append(leaf)
        return leaf

    handles = []
    names = {module: name for name, module in model.named_modules()}
    owners: dict[int, str] = {}  # id of a node: scope of the module that ran it

    def claim(module: Any, given: Any, result: Any) -> None:
        """Nodes behind the result that nobody owns yet were made in this module."""
        known = {id(x.grad_fn) for x in _tensors(given) if x.grad_fn is not None}
        pending = [x.grad_fn for x in _tensors(result) if x.grad_fn is not None]
        scope = names[module].replace(".", "/")
        while pending:
            node = pending.pop()
            if id(node) in owners or id(node) in known:
                continue
            if node.name().endswith("AccumulateGrad"):
                continue
            owners[id(node)] = scope
            graph.alive.append(node)
            pending += [n for n, _ in node.next_functions if n is not None]

    for module in names:
        handles.append(module.register_forward_hook(claim))
    try:
        with tinytorch.enable_grad():
            results = list(_tensors(model(*[watched(x) for x in arguments])))
    finally:
        for handle in handles:
            handle.remove()
    for i, x in enumerate(leaves):
        graph.leaf(x, f"input/{i}" if len(leaves) > 1 else "input", "Placeholder")
    for name, x in model.named_parameters():
        graph.leaf(x, name.replace(".", "/"), "Variable")
    _walk(graph, results, owners)
    for x in results:
        source = graph.names.get(id(x if x.grad_fn is None else x.grad_fn))
        graph.add(graph.name(x, "output"), "Identity", [source] if source else [],
                  _shape(x))
    return b"".join(graph.nodes) + blob(4, integer(1, 22))


def _walk(graph: _Graph, results: list[Tensor], owners: dict[int, str]) -> None:
    """Add the ops behind the results, and leaves that have no name yet."""
    pending = [x.grad_fn for x in results if x.grad_fn is not None]
    order: list[Any] = []
    seen: set[int] = set()
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        order.append(node)
        for source, _ in node.next_functions:
            if source is not None and not source.name().endswith("AccumulateGrad"):
                pending.append(source)
    for node in order:
        op = node.name().removesuffix("0").removesuffix("Backward")
        scope = owners.get(id(node), "")
        graph.name(node, f"{scope}/{op}" if scope else op)
    for node in order:
        sources = []
        for source, _ in node.next_functions:
            if source is None:
                continue
            if source.name().endswith("AccumulateGrad"):
                leaf = source.variable
                if id(leaf) not in graph.names:
                    graph.leaf(leaf, "constant", "Const")
                sources.append(graph.names[id(leaf)])
            else:
                sources.append(graph.names[id(source)])
        name = graph.names[id(node)]
        graph.add(name, name.rpartition("/")[2].rstrip("_0123456789"), sources, b"")
