"""Under inference_mode what ops make are inference tensors, where PyTorch's are."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

import opdb
import tinytorch as tt
from opdb_sample import arguments
from opdb_table import refusal
from oracle import Refused, seed, tensors, to_tiny, translate

pytestmark = pytest.mark.filterwarnings("ignore")


def kinds(library: Any, op: Any, args: Any, kwargs: Any) -> list[bool]:
    seed(5)
    with library.inference_mode():
        return [y.is_inference() for y in tensors(op(*args, **kwargs))]


# histogramdd copies the edges that it is given, PyTorch's returns them as they are.
DIFFERENT = {"histogramdd"}


@pytest.mark.parametrize("name", sorted(set(opdb.NAMES) - DIFFERENT))
def test_results_are_inference_tensors(name: str) -> None:
    for info in opdb.op_infos()[name]:
        if not info.supports_dtype(torch.float32, "cpu"):
            continue
        for _, sample in opdb._samples(info, torch.float32, False, 2):
            if refusal(sample.args, sample.kwargs):
                continue
            args, kwargs = arguments(sample)
            try:
                here = kinds(tt, translate(info.op), *to_tiny((args, kwargs)))
            except (Refused, NotImplementedError):
                continue
            assert here == kinds(torch, info.op, args, kwargs), sample.summary()
