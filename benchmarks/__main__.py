"""All benchmarks whose figures the README quotes, one after the other.

    python -m benchmarks [--threads N]
"""

import runpy

for name in ("ops", "training", "networks"):
    print(f"\n{name}\n")
    runpy.run_module(f"benchmarks.{name}", run_name="__main__", alter_sys=False)
