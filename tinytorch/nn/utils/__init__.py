"""Helpers for networks: packed sequences."""

from tinytorch.nn.utils import rnn

__all__ = ["rnn"]
