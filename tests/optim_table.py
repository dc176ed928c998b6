"""Where optimizers differ from PyTorch's, and why; test_optim_db.py reads it.

Tolerances are relative to 1 + |value|, after 20 steps.
"""

from __future__ import annotations

TOLERANCE = {"float32": 2e-6, "float64": 1e-13}

# (optimizer, dtype): tolerance and reason
LOOSE = {
    ("Muon", "float32"): (2e-3, "directions are calculated in bfloat16"),
    ("Muon", "float64"): (2e-3, "directions are calculated in bfloat16"),
    ("LBFGS", "float32"): (2e-3, "quotients of small differences amplify rounding"),
    ("LBFGS", "float64"): (1e-9, "quotients of small differences amplify rounding"),
    ("RMSprop", "float32"): (1e-4, "centered: v - m^2 cancels, and the root amplifies"),
}

# Steps to compare: one of LBFGS is up to twenty, and rounding grows with each.
STEPS = {"LBFGS": 2}

# Only parameters and losses are compared: H_diag is a quotient of near-rounding terms.
WITHOUT_STATE = {("LBFGS", "float32")}

# optimizer: why none of its inputs is run
REFUSED = {"SparseAdam": "there are no sparse gradients"}

# what an error input needs that does not exist here: part of its description
MISSING = {
    "complex": "there are no complex dtypes",
    "dense params required": "there are no sparse layouts",
}
