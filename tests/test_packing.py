"""Padded and packed sequences against PyTorch."""

from __future__ import annotations

import pickle

import pytest

import tinytorch as tt
from paired import close, copied, equal_errors, tensors
from tinytorch.nn.utils import rnn

torch = pytest.importorskip("torch")
other = torch.nn.utils.rnn


def same_packed(a, b):
    close(a.data, b.data, 0)
    for x, y in zip(a[1:], b[1:], strict=True):
        assert (x is None) == (y is None)
        if y is not None:
            assert x.tolist() == y.tolist()


@pytest.mark.parametrize("lengths", [[5, 3, 3, 1], [3, 1, 5, 3], [2, 2], [1]])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("tail", [(), (2,), (2, 3)])
def test_pack_and_pad(lengths, batch_first, tail):
    batch, steps = len(lengths), max(lengths)
    shape = (batch, steps) if batch_first else (steps, batch)
    x, u = tensors(*shape, *tail)
    ordered = lengths == sorted(lengths, reverse=True)
    a = rnn.pack_padded_sequence(x, lengths, batch_first, ordered)
    b = other.pack_padded_sequence(u, lengths, batch_first, ordered)
    same_packed(a, b)
    for options in (
        {},
        {"batch_first": True, "total_length": steps + 2, "padding_value": -1.5},
    ):
        (y, n), (z, m) = (
            rnn.pad_packed_sequence(a, **options),
            other.pad_packed_sequence(b, **options),
        )
        close(y, z, 0)
        assert n.tolist() == m.tolist() == lengths
    g = torch.randn_like(z)
    (y * copied(g)).sum().backward()
    (z * g).sum().backward()
    close(x.grad, u.grad)


@pytest.mark.parametrize("lengths", [[5, 3, 1], [3, 5, 2]])
@pytest.mark.parametrize("tail", [(), (2,)])
def test_sequences_of_tensors(lengths, tail):
    pairs = [tensors(n, *tail) for n in lengths]
    ours, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    for options in (
        {},
        {"batch_first": True, "padding_value": 2.0, "padding_side": "left"},
    ):
        y, z = rnn.pad_sequence(ours, **options), other.pad_sequence(theirs, **options)
        close(y, z, 0)
    g = torch.randn_like(z)
    (y * copied(g)).sum().backward()
    (z * g).sum().backward()
    for a, b in pairs:
        close(a.grad, b.grad)
    a, b = rnn.pack_sequence(ours, False), other.pack_sequence(theirs, False)
    same_packed(a, b)
    for back, x in zip(rnn.unpack_sequence(a), ours, strict=True):
        assert back.equal(x)
    padded = rnn.pad_sequence(ours)
    for back, x in zip(
        rnn.unpad_sequence(padded, tt.tensor(lengths)), ours, strict=True
    ):
        assert back.equal(x)


def test_padding_keeps_the_dtype():
    y = rnn.pad_sequence([tt.tensor([1, 2]), tt.tensor([3])], True, -1)
    assert y.dtype == tt.int64 and y.tolist() == [[1, 2], [3, -1]]
    y = rnn.pad_sequence(tt.ones(n, 0) for n in (2, 3))
    assert y.shape == (3, 2, 0)
    assert rnn.pad_sequence(tt.ones(2, 2)).tolist() == [[1, 1], [1, 1]]


def test_packed_sequence_object():
    a = rnn.pack_sequence([tt.randn(3, 2), tt.randn(5, 2)], enforce_sorted=False)
    assert a._fields == ("data", "batch_sizes", "sorted_indices", "unsorted_indices")
    assert isinstance(a, tuple) and len(a) == 4
    assert repr(a).startswith("PackedSequence(data=tensor(")
    assert a.to("cpu") is a and a.float() is a and a.cpu() is a
    assert a.to(tt.float64).data.dtype == a.double().data.dtype == tt.float64
    assert a.double().sorted_indices is a.sorted_indices
    for name, dtype in (
        ("half", tt.float16),
        ("long", tt.int64),
        ("int", tt.int32),
        ("short", tt.int16),
        ("char", tt.int8),
        ("byte", tt.uint8),
    ):
        assert getattr(a, name)().data.dtype == dtype
    assert not a.is_cuda and not a.is_pinned()
    twin = pickle.loads(pickle.dumps(a))
    assert type(twin) is rnn.PackedSequence and twin.data.equal(a.data)
    by_hand = rnn.PackedSequence(tt.ones(3), tt.tensor([2, 1]), tt.tensor([1, 0]))
    assert by_hand.unsorted_indices.tolist() == [1, 0]
    assert rnn.PackedSequence((tt.ones(3), tt.tensor([2, 1]))).sorted_indices is None
    assert rnn.invert_permutation(None) is None
    assert rnn.invert_permutation(tt.tensor([2, 0, 1])).tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    "call",
    [
        lambda t, r, x: r.pack_padded_sequence(x, [3, 5]),
        lambda t, r, x: r.pack_padded_sequence(x, [3, 0]),
        lambda t, r, x: r.pack_padded_sequence(x, [3]),
        lambda t, r, x: r.pack_padded_sequence(x, t.tensor([[5, 3]])),
        lambda t, r, x: r.pack_padded_sequence(x[:, :0], []),
        lambda t, r, x: r.pad_packed_sequence(
            r.pack_padded_sequence(x, [5, 2]), total_length=3
        ),
        lambda t, r, x: r.pad_sequence([]),
        lambda t, r, x: r.pad_sequence(3),
        lambda t, r, x: r.pad_sequence([x, x], padding_side="x"),
        lambda t, r, x: r.pack_sequence([x[:2], x]),
        lambda t, r, x: r.PackedSequence(x, None),
    ],
)
def test_errors(call):
    equal_errors(
        lambda: call(tt, rnn, tt.zeros(5, 2, 3)),
        lambda: call(torch, other, torch.zeros(5, 2, 3)),
    )


def test_a_length_beyond_the_input_is_refused():
    with pytest.raises(RuntimeError, match="longer than the 5 steps"):
        rnn.pack_padded_sequence(tt.zeros(5, 2, 3), [6, 3])
