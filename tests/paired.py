"""The same module, tensor or error in both libraries, for tests against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import tinytorch as tt

torch = pytest.importorskip("torch")


def copied(x, requires_grad=False):
    """A tensor of PyTorch as one of ours."""
    y = tt.from_numpy(x.detach().numpy().copy())
    return y.requires_grad_(requires_grad)


def tensors(*shape):
    """The same float64 leaf twice: ours and PyTorch's."""
    z = torch.randn(*shape, dtype=torch.float64, requires_grad=True)
    return copied(z, True), z


def paired_modules(kind, *args, dtype=None, **kwargs):
    """Two modules of one class name with equal weights."""
    ours = getattr(tt.nn, kind)(*args, **kwargs, dtype=dtype and getattr(tt, dtype))
    theirs = getattr(torch.nn, kind)(
        *args, **kwargs, dtype=dtype and getattr(torch, dtype)
    )
    state = {name: copied(x) for name, x in theirs.state_dict().items()}
    ours.load_state_dict(state)
    return ours, theirs


def close(ours, theirs, tolerance=1e-10):
    """Assert equal shapes and nearly equal values."""
    assert tuple(ours.shape) == tuple(theirs.shape)
    np.testing.assert_allclose(
        ours.detach().numpy(),
        theirs.detach().numpy(),
        rtol=tolerance,
        atol=tolerance,
    )


def equal_errors(ours, theirs):
    """Assert that both calls raise the same type with the same words."""
    with pytest.raises(Exception) as expected:  # noqa: PT011
        theirs()
    with pytest.raises(type(expected.value)) as found:
        ours()
    assert str(found.value) == str(expected.value)
