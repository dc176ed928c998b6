"""Indexing in every form that PyTorch takes: reading, writing, gradients, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinytorch as tt

EXAMPLES = settings(max_examples=200, deadline=None)
Index = tuple[Any, ...]


# ---- drawing indices ----


@st.composite
def slices(draw: st.DrawFn, size: int) -> slice:
    """A slice with a positive step, its ends anywhere, also outside."""
    end = st.none() | st.integers(-size - 2, size + 2)
    return slice(draw(end), draw(end), draw(st.none() | st.integers(1, 3)))


@st.composite
def basic(draw: st.DrawFn) -> tuple[tuple[int, ...], Index]:
    """A shape and an index of integers, slices, None and at most one Ellipsis."""
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=4)))
    index: list[Any] = []
    used = draw(st.integers(0, len(shape)))
    for size in shape[:used]:
        take_one = size > 0 and draw(st.booleans())
        index.append(
            draw(st.integers(-size, size - 1)) if take_one else draw(slices(size))
        )
    for _ in range(draw(st.integers(0, 2))):
        index.insert(draw(st.integers(0, len(index))), None)
    if used == len(shape) and draw(st.booleans()):
        index.insert(draw(st.integers(0, len(index))), Ellipsis)
    return shape, tuple(index)


@st.composite
def advanced(draw: st.DrawFn, integers: bool = False) -> tuple[tuple[int, ...], Index]:
    """A shape and an index with integer arrays, masks and slices mixed.

    With ``integers``, single integers too: there PyTorch and NumPy place the axes of
    the result differently.
    """
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    common = draw(st.sampled_from([(), (3,), (2, 3), (1,), (0,)]))
    index: list[Any] = []
    axis = 0
    while axis < len(shape):
        size = shape[axis]
        kinds = ["array", "slice", "column", "mask", "none"] + ["int"] * integers
        kind = draw(st.sampled_from(kinds))
        if kind == "array":
            shape_of = common or (2,)
            flat = st.lists(
                st.integers(-size, size - 1),
                min_size=int(np.prod(shape_of)),
                max_size=int(np.prod(shape_of)),
            )
            index.append(np.array(draw(flat), dtype=np.int64).reshape(shape_of))
        elif kind == "column" and common == (2, 3):
            rows = draw(st.lists(st.integers(0, size - 1), min_size=2, max_size=2))
            index.append(np.array(rows, dtype=np.int64).reshape(2, 1))
        elif kind == "mask" and not any(isinstance(i, np.ndarray) for i in index):
            bits = draw(st.lists(st.booleans(), min_size=size, max_size=size))
            return shape, (*index, np.array(bits))  # its length must broadcast
        elif kind == "int":
            index.append(draw(st.integers(-size, size - 1)))
        elif kind == "none" and len(index) < 6:
            index.append(None)
            continue  # no axis of x is used up
        else:
            index.append(draw(slices(size)))
        axis += 1
        if draw(st.integers(0, 3)) == 0:
            break
    return shape, tuple(index)


def to_library(index: Index, library: Any) -> Index:
    """Carry arrays inside an index over to a library's tensors."""
    return tuple(
        library.tensor(
            i.tolist(), dtype=library.bool if i.dtype == bool else library.int64
        ).reshape(i.shape)
        if isinstance(i, np.ndarray)
        else i
        for i in index
    )


def filled(shape: tuple[int, ...], library: Any = tt, dtype: str = "float64") -> Any:
    """Return 0, 1, 2, ... in a shape."""
    size = int(np.prod(shape))
    return library.arange(size, dtype=getattr(library, dtype)).reshape(shape)


def array(shape: tuple[int, ...]) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float64).reshape(shape)


# ---- against NumPy ----


@given(basic())
@EXAMPLES
def test_basic_index_reads_as_numpy(case: tuple[tuple[int, ...], Index]) -> None:
    shape, index = case
    expected = array(shape)[index]
    y = filled(shape)[index]
    assert tuple(y.shape) == expected.shape and y.tolist() == expected.tolist()


@given(basic())
@EXAMPLES
def test_basic_index_is_a_view(case: tuple[tuple[int, ...], Index]) -> None:
    shape, index = case
    x = filled(shape)
    y = x[index]
    expected = array(shape)
    expected[index] = -1
    y.fill_(-1)
    assert x.tolist() == expected.tolist()
    assert y.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()


@given(advanced())
@EXAMPLES
def test_advanced_index_reads_as_numpy(case: tuple[tuple[int, ...], Index]) -> None:
    shape, index = case
    expected = array(shape)[index]
    y = filled(shape)[to_library(index, tt)]
    assert tuple(y.shape) == expected.shape and y.tolist() == expected.tolist()


@given(advanced())
@EXAMPLES
def test_advanced_index_writes_as_numpy(case: tuple[tuple[int, ...], Index]) -> None:
    shape, index = case
    x, expected = filled(shape), array(shape)
    x[to_library(index, tt)] = -1.5
    expected[index] = -1.5
    assert x.tolist() == expected.tolist()


@given(st.one_of(basic(), advanced()))
@EXAMPLES
def test_gradient_of_reading_counts_the_uses(
    case: tuple[tuple[int, ...], Index],
) -> None:
    shape, index = case
    x = filled(shape).requires_grad_()
    y = x[to_library(index, tt)]
    weight = filled(tuple(y.shape)) + 1
    expected = np.zeros(shape)
    np.add.at(expected, index, array(tuple(y.shape)) + 1)
    (gx,) = tt.autograd.grad(y, x, weight)
    assert gx.tolist() == expected.tolist()


# ---- against PyTorch, which also mixes integers with arrays ----


@given(advanced(integers=True))
@EXAMPLES
def test_mixed_index_reads_and_writes_as_torch(
    case: tuple[tuple[int, ...], Index],
) -> None:
    torch = pytest.importorskip("torch")
    shape, index = case
    x, reference = filled(shape), filled(shape, torch)
    y, expected = x[to_library(index, tt)], reference[to_library(index, torch)]
    assert tuple(y.shape) == tuple(expected.shape)
    assert y.tolist() == expected.tolist()
    x[to_library(index, tt)] = y * 2
    reference[to_library(index, torch)] = expected * 2
    assert x.tolist() == reference.tolist()


@given(st.one_of(basic(), advanced(integers=True)))
@EXAMPLES
def test_gradient_of_writing_as_torch(case: tuple[tuple[int, ...], Index]) -> None:
    torch = pytest.importorskip("torch")
    shape, index = case

    def gradients(library: Any) -> list[Any]:
        x = filled(shape, library).requires_grad_()
        at = to_library(index, library)
        value = filled(tuple(x.detach()[at].shape), library).requires_grad_()
        y = x * 1
        y[at] = value
        weight = filled(shape, library) + 1
        found = library.autograd.grad(y, (x, value), weight, allow_unused=True)
        return [None if g is None else g.tolist() for g in found]

    index = tuple(  # PyTorch leaves open which of two writes to one place wins
        np.unique(i % shape[0]) if isinstance(i, np.ndarray) and i.dtype != bool else i
        for i in index
    )
    arrays = [i for i in index if isinstance(i, np.ndarray)]
    if len(arrays) > 1 or len(shape) != 1 and arrays:
        return
    assert gradients(tt) == gradients(torch)


FORMS = [
    "x[1]", "x[-1]", "x[True]", "x[False]", "x[None]", "x[...]", "x[()]", "x[1, 2]",
    "x[1:]", "x[::2]", "x[1:1]", "x[:, None, 1]", "x[..., 0]", "x[[0, 2]]",
    "x[[True, False, True]]", "x[[0, 1], [2, 3]]", "x[[[0, 1], [1, 0]]]",
    "x[:, [0, 2]]",
    "x[L.tensor([0, 2])]", "x[L.tensor(1)]", "x[L.tensor(1), L.tensor(2)]",
    "x[x > 5]", "x[x > 50]", "x[:, L.tensor([True, False, True, False])]",
    "x[L.tensor([0, 1]), 1:]", "x[1:, L.tensor([[0], [1]])]", "x[0, L.tensor([1, 2])]",
    "x[L.tensor([[0], [1]]), L.tensor([2, 3])]",
    "x[L.tensor([2], dtype=L.int32)]",
    "x[L.tensor([1, 0, 1], dtype=L.uint8)]", "x[range(2)]", "x[slice(0, 2), 3]",
    "x[L.tensor(True)]", "x[None, L.tensor([1])]",
    "x[..., L.tensor([1, 1]), None]",
    "x[L.tensor([], dtype=L.int64)]", "x[[]]", "x[np.array([0, 2])]", "x[np.int64(1)]",
    "x[np.array([True, False, True])]", "x[:, :, None].shape", "x[L.tensor([1]):]",
    "x[(0, 1)]", "x[[slice(0, 1), slice(1, 2)]]", "x[x.sum(1) > 10, 0]",
]  # fmt: skip
WRONG = [
    "x[3]", "x[-4]", "x[0, 0, 0]", "x[::-1]", "x[0:2:0]", "x[1.0]", "x['a']", "x[{}]",
    "x[L.tensor([3])]", "x[L.tensor([-4])]", "x[L.tensor([1.0])]",
    "x[L.tensor([True])]", "x[[True, False]]",
    "x[L.tensor([0, 1]), L.tensor([0, 1, 2])]",
    "x[L.ones(3, 5) > 0]", "x[0][0][0]", "x['a':]", "x[:, 4]", "x[object()]",
    "x.__setitem__(3, 1.0)", "x.__setitem__(0, L.ones(5))", "x.__setitem__('a', 1)",
    "x.__setitem__(L.tensor([3]), 1.0)", "x.__setitem__(0, 'a')",
    "x.__setitem__((x > 5), L.ones(2))", "x.__setitem__(slice(None), L.ones(2, 3, 4))",
]  # fmt: skip


def evaluate(code: str, library: Any) -> Any:
    """Evaluate an expression of ``x``, ``L`` (the library) and ``np``."""
    x = filled((3, 4), library, "float32")
    return eval(code, {"x": x, "L": library, "np": np})


@pytest.mark.filterwarnings("ignore:indexing with dtype torch.uint8")
@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence")
@pytest.mark.filterwarnings("ignore:indexing with dtype")
@pytest.mark.parametrize("code", FORMS)
def test_index_form_as_torch(code: str) -> None:
    torch = pytest.importorskip("torch")
    try:
        expected = evaluate(code, torch)
    except Exception as error:
        with pytest.raises(type(error)):
            evaluate(code, tt)
        return
    y = evaluate(code, tt)
    if isinstance(expected, torch.Size):
        assert tuple(y) == tuple(expected)
    else:
        assert tuple(y.shape) == tuple(expected.shape)
        assert y.tolist() == expected.tolist()


@pytest.mark.parametrize("code", WRONG)
def test_index_error_as_torch(code: str) -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(Exception) as expected:
        evaluate(code, torch)
    with pytest.raises(expected.type):
        evaluate(code, tt)


def test_out_of_range_write_leaves_the_tensor_alone() -> None:
    x = filled((3, 4))
    with pytest.raises(IndexError):
        x[tt.tensor([0, 1, 3])] = -1.0
    assert x.tolist() == array((3, 4)).tolist()


def test_advanced_index_copies() -> None:
    x = filled((3, 4))
    y = x[[0, 1]]
    y.fill_(-1)
    assert x.tolist() == array((3, 4)).tolist()


def test_write_from_an_overlapping_view() -> None:
    x = filled((6,))
    x[1:] = x[:-1].clone()
    assert x.tolist() == [0, 0, 1, 2, 3, 4]


def test_write_through_view_is_seen_by_base_and_siblings() -> None:
    x = filled((4, 4))
    row, column = x[1], x[:, 1]
    row[1] = -5.0
    assert x[1, 1].item() == column[1].item() == -5.0


@pytest.mark.parametrize(
    "dtype", "float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool".split()
)
def test_index_in_every_dtype(dtype: str) -> None:
    x = tt.tensor([[0, 1, 0], [1, 1, 0]], dtype=getattr(tt, dtype))
    y = x[tt.tensor([1, 0]), 1:]
    assert y.dtype == x.dtype
    assert y.to(tt.int64).tolist() == [[1, 0], [1, 0]]
    x[:, [0, 2]] = 1
    assert x.to(tt.int64).tolist() == [[1, 1, 1], [1, 1, 1]]
