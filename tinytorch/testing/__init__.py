"""Tools for tests: comparison within tolerances, random tensors."""

from tinytorch.testing.comparison import assert_allclose, assert_close
from tinytorch.testing.creation import make_tensor

__all__ = ["assert_allclose", "assert_close", "make_tensor"]
