"""Trees of Python containers: flatten, map over the leaves, put together again.

A container type is known by a pair of functions: one gives its children and a context,
the other builds it from them. Everything of no known type is a leaf.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping

from tinytorch._typing import Any, TypeVar

__all__ = [
    "LeafSpec",
    "PyTree",
    "TreeSpec",
    "keystr",
    "register_pytree_node",
    "tree_all",
    "tree_all_only",
    "tree_any",
    "tree_any_only",
    "tree_flatten",
    "tree_flatten_with_path",
    "tree_is_leaf",
    "tree_iter",
    "tree_leaves",
    "tree_map",
    "tree_map_",
    "tree_map_only",
    "tree_map_only_",
    "tree_map_with_path",
    "tree_structure",
    "tree_unflatten",
]

PyTree = Any
Context = Any
IsLeaf = Callable[[PyTree], bool]
T = TypeVar("T")


# ---- container types ----


# flatten: (tree) -> (children, context); unflatten: its inverse; keys: (tree) -> steps
_Kind = namedtuple("_Kind", ("flatten", "unflatten", "keys"))


class SequenceKey(namedtuple("SequenceKey", ("idx",))):
    """A step into a list or tuple."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"[{self.idx!r}]"


class MappingKey(namedtuple("MappingKey", ("key",))):
    """A step into a dictionary."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"[{self.key!r}]"


class GetAttrKey(namedtuple("GetAttrKey", ("name",))):
    """A step to an attribute."""

    __slots__ = ()

    def __str__(self) -> str:
        return f".{self.name}"


def _positions(x: Any) -> list[Any]:
    return [SequenceKey(i) for i in range(len(x))]


def _keys(x: Mapping[Any, Any]) -> list[Any]:
    return [MappingKey(k) for k in x]


_kinds: dict[Any, _Kind] = {
    tuple: _Kind(lambda x: (list(x), None), lambda xs, _: tuple(xs), _positions),
    list: _Kind(lambda x: (list(x), None), lambda xs, _: list(xs), _positions),
    dict: _Kind(
        lambda x: (list(x.values()), list(x)),
        lambda xs, keys: dict(zip(keys, xs, strict=True)),
        _keys,
    ),
    OrderedDict: _Kind(
        lambda x: (list(x.values()), list(x)),
        lambda xs, keys: OrderedDict(zip(keys, xs, strict=True)),
        _keys,
    ),
    defaultdict: _Kind(
        lambda x: (list(x.values()), [x.default_factory, list(x)]),
        lambda xs, c: defaultdict(c[0], zip(c[1], xs, strict=True)),
        _keys,
    ),
    deque: _Kind(
        lambda x: (list(x), x.maxlen),
        lambda xs, maxlen: deque(xs, maxlen=maxlen),
        _positions,
    ),
    namedtuple: _Kind(  # stands for every class made by namedtuple
        lambda x: (list(x), type(x)),
        lambda xs, kind: kind(*xs),
        lambda x: [GetAttrKey(name) for name in x._fields],
    ),
}


def register_pytree_node(
    cls: type,
    flatten_fn: Callable[[Any], tuple[list[Any], Context]],
    unflatten_fn: Callable[[Iterable[Any], Context], Any],
    *,
    serialized_type_name: str | None = None,
    flatten_with_keys_fn: Callable[[Any], tuple[list[tuple[Any, Any]], Context]]
    | None = None,
) -> None:
    """Make ``cls`` a container.

    Args:
        cls: The class.
        flatten_fn: Takes an object, returns its children and a context.
        unflatten_fn: Takes children and context, returns the object.
        serialized_type_name: Accepted; trees are not serialised here.
        flatten_with_keys_fn: Takes an object, returns pairs (key, child) and a context.
    """
    if cls in _kinds:
        raise ValueError(f"{cls} is already registered as pytree node.")
    with_keys = flatten_with_keys_fn
    keys = None if with_keys is None else lambda x: [k for k, _ in with_keys(x)[0]]
    _kinds[cls] = _Kind(flatten_fn, unflatten_fn, keys)


def _is_namedtuple(cls: type) -> bool:
    return issubclass(cls, tuple) and hasattr(cls, "_fields")


def _kind_of(x: Any) -> Any:
    """The key of ``x`` in the table of containers, None for a leaf."""
    cls = type(x)
    if cls in _kinds:
        return cls
    return namedtuple if _is_namedtuple(cls) else None


# ---- specs ----


class TreeSpec:
    """The shape of a tree, without its leaves."""

    __slots__ = ("_children", "context", "num_leaves", "num_nodes", "type")

    num_leaves: int
    num_nodes: int

    def __init__(
        self, type: Any, context: Context, children_specs: Iterable[TreeSpec] = ()
    ) -> None:
        self.type = type
        self.context = context
        self._children = list(children_specs)
        leaf = type is None
        self.num_leaves = 1 if leaf else sum(c.num_leaves for c in self._children)
        self.num_nodes = 1 + sum(c.num_nodes for c in self._children)

    @property
    def num_children(self) -> int:
        return len(self._children)

    def children(self) -> list[TreeSpec]:
        """The specs of the children."""
        return list(self._children)

    def child(self, index: int) -> TreeSpec:
        """The spec of one child."""
        return self._children[index]

    def is_leaf(self) -> bool:
        """Whether this is a single leaf."""
        return self.type is None

    def unflatten(self, leaves: Iterable[Any]) -> PyTree:
        """Build the tree from its leaves."""
        leaves = list(leaves)
        if len(leaves) != self.num_leaves:
            raise ValueError(
                f"treespec.unflatten(leaves): `leaves` has length {len(leaves)} but "
                f"the spec refers to a pytree that holds {self.num_leaves} items "
                f"({self})."
            )
        return self._build(iter(leaves))

    def _build(self, leaves: Iterator[Any]) -> PyTree:
        if self.type is None:
            return next(leaves)
        children = [child._build(leaves) for child in self._children]
        return _kinds[self.type].unflatten(children, self.context)

    def flatten_up_to(self, tree: PyTree) -> list[PyTree]:
        """The subtrees of ``tree`` where this spec has leaves."""
        if self.type is None:
            return [tree]
        if _kind_of(tree) is not self.type:
            raise ValueError(
                f"Type mismatch; expected {self.type!r}, but got {type(tree)!r}."
            )
        children, context = _kinds[self.type].flatten(tree)
        if self.type in (dict, OrderedDict):
            if set(context) != set(self.context):
                raise ValueError(
                    f"Node keys mismatch; expected {self.context!r}, but got "
                    f"{context!r}."
                )
            children = [tree[key] for key in self.context]
        elif len(children) != self.num_children:
            raise ValueError(
                f"Node arity mismatch; expected {self.num_children}, but got "
                f"{len(children)}."
            )
        found: list[PyTree] = []
        for child, spec in zip(children, self._children, strict=True):
            found.extend(spec.flatten_up_to(child))
        return found

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TreeSpec):
            return NotImplemented
        return (
            self.type is other.type
            and bool(self.context == other.context)
            and self._children == other._children
        )

    def __hash__(self) -> int:
        return hash((self.type, self.num_leaves, self.num_nodes))

    def __repr__(self) -> str:
        if self.type is None:
            return "*"
        inner = ", ".join(map(repr, self._children))
        return f"TreeSpec({self.type.__name__}, {self.context}, [{inner}])"


class LeafSpec(TreeSpec):
    """The spec of a single leaf."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(None, None)


_LEAF = LeafSpec()


# ---- functions ----


def tree_is_leaf(tree: PyTree, is_leaf: IsLeaf | None = None) -> bool:
    """Return whether ``tree`` is a leaf."""
    return (is_leaf is not None and is_leaf(tree)) or _kind_of(tree) is None


def _flatten(tree: PyTree, leaves: list[Any], is_leaf: IsLeaf | None) -> TreeSpec:
    kind = _kind_of(tree)
    if kind is None or (is_leaf is not None and is_leaf(tree)):
        leaves.append(tree)
        return _LEAF
    children, context = _kinds[kind].flatten(tree)
    return TreeSpec(kind, context, [_flatten(c, leaves, is_leaf) for c in children])


def tree_flatten(
    tree: PyTree, is_leaf: IsLeaf | None = None
) -> tuple[list[Any], TreeSpec]:
    """Return the leaves and the shape of a tree.

    Example:
        >>> tree_flatten({"a": 1, "b": (2, 3)})[0]
        [1, 2, 3]
    """
    leaves: list[Any] = []
    spec = _flatten(tree, leaves, is_leaf)
    return leaves, spec


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> PyTree:
    """Build a tree from its leaves and its shape."""
    if not isinstance(treespec, TreeSpec):
        raise TypeError(
            "tree_unflatten(leaves, treespec): Expected `treespec` to be instance of "
            f"TreeSpec but got item of type {type(treespec)}."
        )
    return treespec.unflatten(leaves)


def tree_iter(tree: PyTree, is_leaf: IsLeaf | None = None) -> Iterator[Any]:
    """Iterate over the leaves."""
    yield from tree_flatten(tree, is_leaf)[0]


def tree_leaves(tree: PyTree, is_leaf: IsLeaf | None = None) -> list[Any]:
    """Return the leaves."""
    return tree_flatten(tree, is_leaf)[0]


def tree_structure(tree: PyTree, is_leaf: IsLeaf | None = None) -> TreeSpec:
    """Return the shape of a tree."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(
    func: Callable[..., Any],
    tree: PyTree,
    *rests: PyTree,
    is_leaf: IsLeaf | None = None,
) -> PyTree:
    """Return the tree with ``func`` applied to each leaf (and to those of ``rests``).

    Example:
        >>> tree_map(lambda x: x + 1, {"a": [1, 2]})
        {'a': [2, 3]}
    """
    leaves, spec = tree_flatten(tree, is_leaf)
    others = [spec.flatten_up_to(rest) for rest in rests]
    return spec.unflatten(map(func, leaves, *others))


def tree_map_(
    func: Callable[..., Any],
    tree: PyTree,
    *rests: PyTree,
    is_leaf: IsLeaf | None = None,
) -> PyTree:
    """Call ``func`` on each leaf for its effect; return the tree itself."""
    leaves, spec = tree_flatten(tree, is_leaf)
    for args in zip(leaves, *(spec.flatten_up_to(r) for r in rests), strict=True):
        func(*args)
    return tree


def _only(
    kind: Any, func: Callable[[Any], Any], otherwise: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    """``func`` for leaves of a type (or for which ``kind`` returns True)."""
    if isinstance(kind, (type, tuple)) or not callable(kind):
        return lambda x: func(x) if isinstance(x, kind) else otherwise(x)
    return lambda x: func(x) if kind(x) else otherwise(x)


def tree_map_only(
    type_or_types_or_pred: Any,
    func: Callable[[Any], Any],
    tree: PyTree,
    is_leaf: IsLeaf | None = None,
) -> PyTree:
    """``tree_map`` that changes only leaves of some types."""
    change = _only(type_or_types_or_pred, func, lambda x: x)
    return tree_map(change, tree, is_leaf=is_leaf)


def tree_map_only_(
    type_or_types_or_pred: Any,
    func: Callable[[Any], Any],
    tree: PyTree,
    is_leaf: IsLeaf | None = None,
) -> PyTree:
    """``tree_map_`` that looks only at leaves of some types."""
    visit = _only(type_or_types_or_pred, func, lambda x: x)
    return tree_map_(visit, tree, is_leaf=is_leaf)


def tree_all(
    pred: Callable[[Any], bool], tree: PyTree, is_leaf: IsLeaf | None = None
) -> bool:
    """Return whether ``pred`` holds for all leaves."""
    return all(map(pred, tree_iter(tree, is_leaf)))


def tree_any(
    pred: Callable[[Any], bool], tree: PyTree, is_leaf: IsLeaf | None = None
) -> bool:
    """Return whether ``pred`` holds for any leaf."""
    return any(map(pred, tree_iter(tree, is_leaf)))


def tree_all_only(
    kind: Any,
    pred: Callable[[Any], bool],
    tree: PyTree,
    is_leaf: IsLeaf | None = None,
) -> bool:
    """Return whether ``pred`` holds for all leaves of some types."""
    return all(map(_only(kind, pred, lambda _: True), tree_iter(tree, is_leaf)))


def tree_any_only(
    kind: Any,
    pred: Callable[[Any], bool],
    tree: PyTree,
    is_leaf: IsLeaf | None = None,
) -> bool:
    """Return whether ``pred`` holds for any leaf of some types."""
    return any(map(_only(kind, pred, lambda _: False), tree_iter(tree, is_leaf)))


# ---- paths ----


def _walk(
    tree: PyTree, path: tuple[Any, ...], is_leaf: IsLeaf | None
) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if tree_is_leaf(tree, is_leaf):
        yield path, tree
        return
    kind = _kinds[_kind_of(tree)]
    if kind.keys is None:
        raise ValueError(f"{type(tree)} was registered without flatten_with_keys_fn")
    children, _ = kind.flatten(tree)
    for key, child in zip(kind.keys(tree), children, strict=True):
        yield from _walk(child, (*path, key), is_leaf)


def tree_flatten_with_path(
    tree: PyTree, is_leaf: IsLeaf | None = None
) -> tuple[list[tuple[tuple[Any, ...], Any]], TreeSpec]:
    """Return pairs (path, leaf) and the shape of a tree."""
    return list(_walk(tree, (), is_leaf)), tree_structure(tree, is_leaf)


def tree_map_with_path(
    func: Callable[..., Any],
    tree: PyTree,
    *rests: PyTree,
    is_leaf: IsLeaf | None = None,
) -> PyTree:
    """``tree_map`` whose function also gets the path of the leaf, first."""
    pairs, spec = tree_flatten_with_path(tree, is_leaf)
    others = [spec.flatten_up_to(rest) for rest in rests]
    return spec.unflatten(
        func(path, leaf, *more)
        for (path, leaf), *more in zip(pairs, *others, strict=True)
    )


def keystr(path: tuple[Any, ...]) -> str:
    """Return a path as text, as in ``['a'][0].x``."""
    return "".join(map(str, path))
