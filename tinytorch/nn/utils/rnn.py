"""Sequences of several lengths in one tensor: padded, or packed step by step.

Packed, the first rows are the first steps of all sequences, longest first, then come
their second steps, and so on: a recurrent layer takes every step of a batch at once and
touches no padding.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tinytorch._core.ops.compare import ge, gt
from tinytorch._core.ops.creation import full
from tinytorch._core.ops.data import as_tensor
from tinytorch._core.ops.join import cat
from tinytorch._core.ops.ranges import arange
from tinytorch._core.ops.sort import argsort, sort
from tinytorch._core.ops.views import transpose, unsqueeze
from tinytorch._core.tensor import Tensor
from tinytorch._core.types import int64

if TYPE_CHECKING:
    from typing import NamedTuple

    class PackedSequence_(NamedTuple):
        data: Tensor
        batch_sizes: Tensor
        sorted_indices: Tensor | None
        unsorted_indices: Tensor | None

else:
    PackedSequence_ = namedtuple(
        "PackedSequence_",
        ("data", "batch_sizes", "sorted_indices", "unsorted_indices"),
        defaults=(None, None),
    )

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpad_sequence",
    "pack_sequence",
    "unpack_sequence",
]


class PackedSequence(PackedSequence_):
    """Rows of sequences in the order of their steps; made by the functions below.

    Args:
        data: (rows, ...).
        batch_sizes: how many sequences have a first, second, ... step; on the CPU.
        sorted_indices: which sequence is the longest, the second, ...; None: in order.
        unsorted_indices: the inverse of that permutation.
    """

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        if batch_sizes is None:
            if not isinstance(data, (list, tuple)) or len(data) != 2:
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        elif batch_sizes.device.type != "cpu":
            raise ValueError(
                "batch_sizes should always be on CPU. Instances of PackedSequence "
                "should never be created manually. They should be instantiated by "
                "functions like pack_sequence and pack_padded_sequences in "
                "nn.utils.rnn. https://pytorch.org/docs/stable/nn.html"
                "#torch.nn.utils.rnn.pack_sequence"
            )
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def pin_memory(self) -> PackedSequence:
        """Return it with all tensors in page-locked memory."""
        return self._with(
            self.data.pin_memory(),
            *(None if i is None else i.pin_memory() for i in self[2:]),
        )

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Return it with its data cast or moved; the arguments are `Tensor.to`'s."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        moves = {k: kwargs[k] for k in ("non_blocking", "copy") if k in kwargs}
        return self._with(
            data,
            *(None if i is None else i.to(data.device, **moves) for i in self[2:]),
        )

    def _with(
        self, data: Tensor, order: Tensor | None, inverse: Tensor | None
    ) -> PackedSequence:
        return type(self)(data, self.batch_sizes, order, inverse)

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Return it on a CUDA device."""
        if not args and "device" not in kwargs:
            kwargs["device"] = "cuda"
        return self.to(*args, **kwargs)

    def cpu(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Return it on the CPU."""
        return self.to(*args, device="cpu", **kwargs)

    def _cast(self, name: str) -> PackedSequence:
        data = getattr(self.data, name)()
        return self if data is self.data else self._with(data, *self[2:])

    def double(self) -> PackedSequence:
        """Return it with data of float64."""
        return self._cast("double")

    def float(self) -> PackedSequence:
        """Return it with data of float32."""
        return self._cast("float")

    def half(self) -> PackedSequence:
        """Return it with data of float16."""
        return self._cast("half")

    def long(self) -> PackedSequence:
        """Return it with data of int64."""
        return self._cast("long")

    def int(self) -> PackedSequence:
        """Return it with data of int32."""
        return self._cast("int")

    def short(self) -> PackedSequence:
        """Return it with data of int16."""
        return self._cast("short")

    def char(self) -> PackedSequence:
        """Return it with data of int8."""
        return self._cast("char")

    def byte(self) -> PackedSequence:
        """Return it with data of uint8."""
        return self._cast("byte")

    @property
    def is_cuda(self) -> bool:
        """Whether the data are on a CUDA device."""
        return bool(self.data.is_cuda)

    def is_pinned(self) -> bool:
        """Return whether the data are in page-locked memory."""
        return bool(self.data.is_pinned())


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """Return the permutation that undoes another."""
    if permutation is None:
        return None
    return argsort(permutation)


def _steps_of(lengths: Tensor, steps: int) -> Tensor:
    """Return (steps, batch), true where a sequence has that step."""
    lengths = lengths.to("cpu", int64)
    return gt(unsqueeze(lengths, 0), unsqueeze(arange(steps), 1))


def pack_padded_sequence(
    input: Tensor,
    lengths: Any,
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """Pack sequences that are padded to one length.

    Args:
        input: (steps, batch, ...), or (batch, steps, ...) if `batch_first`.
        lengths: how many steps each sequence has, at least one.
        enforce_sorted: refuse sequences that do not come longest first; otherwise they
            are sorted here, and back by whoever unpacks them.
    """
    lengths = as_tensor(lengths, dtype=int64, device="cpu")
    order = None
    if not enforce_sorted:
        lengths, order = sort(lengths, descending=True)
        order = order.to(input.device)
        input = input.index_select(0 if batch_first else 1, order)
    if batch_first:
        input = transpose(input, 0, 1)
    if input.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    if lengths.dim() != 1:
        raise RuntimeError(
            "'lengths' argument should be a 1D CPU int64 tensor, but got "
            f"{lengths.dim()}D cpu Long tensor"
        )
    batch = input.size(1)
    if lengths.numel() != batch:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got "
            f"{lengths.numel()} (batch_size={batch})"
        )
    numbers = lengths.tolist()
    if numbers[-1] <= 0 or min(numbers) <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in "
            "'lengths' that is <= 0"
        )
    if any(a < b for a, b in zip(numbers, numbers[1:], strict=False)):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` "
            "is True. You can pass `enforce_sorted=False` to pack_padded_sequence "
            "and/or pack_sequence to sidestep this requirement if you do not need ONNX "
            "exportability."
        )
    longest = numbers[0]
    if longest > input.size(0):
        raise RuntimeError(
            f"Expected no sequence to be longer than the {input.size(0)} steps of the "
            f"input, but got a length of {longest}"
        )
    present = _steps_of(lengths, longest)
    data = input[:longest][present.to(input.device)]  # row after row: step after step
    return PackedSequence(data, present.sum(1), order)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Return packed sequences padded to one length, and their lengths.

    Args:
        sequence: packed.
        batch_first: return (batch, steps, ...) instead of (steps, batch, ...).
        padding_value: what comes after the end of a sequence.
        total_length: steps of the result; those of the longest sequence unless given.
    """
    data, batch_sizes, order, inverse = sequence
    longest, batch = batch_sizes.numel(), int(batch_sizes[0])
    steps = longest if total_length is None else total_length
    if steps < longest:
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence "
            f"in input, but got total_length={steps} and max sequence length being "
            f"{longest}"
        )
    # A sequence has as many steps as there are steps with more rows than its place.
    lengths = gt(unsqueeze(batch_sizes, 1), unsqueeze(arange(batch), 0)).sum(0)
    y = full(
        (steps, batch, *data.shape[1:]),
        padding_value,
        dtype=data.dtype,
        device=data.device,
    )
    y[_steps_of(lengths, steps).to(data.device)] = data
    if batch_first:
        y = transpose(y, 0, 1)
    if inverse is not None:
        y = y.index_select(0 if batch_first else 1, inverse)
        lengths = lengths[inverse.cpu()]
    return y, lengths


def pad_sequence(
    sequences: Tensor | Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Return sequences of several lengths stacked, the shorter ones padded.

    Args:
        sequences: of shapes (steps, ...), where only the steps differ.
        batch_first: return (batch, steps, ...) instead of (steps, batch, ...).
        padding_value: what fills up.
        padding_side: "right" (after the end) or "left".
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            "pad_sequence: Expected iterable for input sequences, but got arg of type: "
            f"{type(sequences)}"
        )
    sequences = list(sequences)
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(
            f"Expected padding_side to be one of left or right, but got {padding_side}."
        )
    first = sequences[0]
    lengths = unsqueeze(as_tensor([len(x) for x in sequences]), 1)
    longest = max(len(x) for x in sequences)
    sizes = (len(sequences), longest, *first.shape[1:])
    y = full(sizes, padding_value, dtype=first.dtype, device=first.device)
    places = unsqueeze(arange(longest), 0)
    if padding_side == "left":
        present = ge(places, longest - lengths)
    else:
        present = gt(lengths, places)
    y[present.to(first.device)] = cat(sequences)
    return y if batch_first else transpose(y, 0, 1)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False
) -> list[Tensor]:
    """Return the sequences, without their padding.

    Args:
        padded_sequences: (steps, batch, ...), or (batch, steps, ...) if `batch_first`.
        lengths: how many steps each has.
    """
    if not batch_first:
        padded_sequences = transpose(padded_sequences, 0, 1)
    ends = lengths.tolist()
    return [x[:end] for x, end in zip(padded_sequences, ends, strict=True)]


def pack_sequence(
    sequences: list[Tensor], enforce_sorted: bool = True
) -> PackedSequence:
    """Pack sequences of shapes (steps, ...), where only the steps differ."""
    lengths = as_tensor([x.size(0) for x in sequences])
    return pack_padded_sequence(
        pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted
    )


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Return the sequences that were packed, in their first order."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
