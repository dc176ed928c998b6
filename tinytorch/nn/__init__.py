"""Building blocks of networks."""

from tinytorch.nn import functional
from tinytorch.nn.parameter import Buffer, Parameter

__all__ = ["Buffer", "Parameter", "functional"]
