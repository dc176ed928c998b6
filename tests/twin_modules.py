"""The same modules defined over both libraries, and programs that both run."""

import pytest

import tinytorch as tt
from outcomes import outcome, renamed

torch = pytest.importorskip("torch")

__all__ = ["Layer", "Net", "alike", "both", "define"]


def define(t):
    """Return a linear layer and a network of two, over the library `t`."""
    nn = t.nn

    class Layer(nn.Module):
        def __init__(self, n, m):
            super().__init__()
            self.n, self.m = n, m
            values = t.arange(n * m).reshape(m, n)
            self.weight = nn.Parameter(values.float() / 7 - 0.5)
            self.bias = nn.Parameter(t.ones(m))
            self.register_buffer("steps", t.zeros(2))
            self.register_buffer("hidden", t.ones(1), persistent=False)
            self.register_parameter("absent", None)

        def forward(self, x, scale=1.0):
            return nn.functional.linear(x, self.weight, self.bias) * scale

        def extra_repr(self):
            return f"{self.n}, {self.m}"

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = Layer(2, 3)
            self.rest = nn.Sequential(Layer(3, 3), nn.ModuleList([Layer(3, 2)]))
            self.again = self.a

        def forward(self, x):
            return self.rest[1][0](self.rest[0](self.a(x)))

    return Layer, Net


Layer, Net = define(tt)


def both(program):
    """Run a program over both libraries; return what each did."""
    return tuple(renamed(outcome(program, t, *define(t))) for t in (torch, tt))


def alike(program):
    expected, got = both(program)
    assert got == expected
