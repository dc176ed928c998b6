"""Run Python code in fresh interpreters that see the package this process sees."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile

import tinytorch

ROOT = str(pathlib.Path(tinytorch.__file__).parents[1])


def run_python(
    code: str, *flags: str, check: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run code in an empty folder; fail if it hangs or, with check, exits badly.

    The checkout is no place for it: `python -c` imports from the folder it runs in,
    and a checkout without compiled modules hides the installed package.
    """
    paths = [ROOT, *filter(None, [os.environ.get("PYTHONPATH")])]
    with tempfile.TemporaryDirectory() as elsewhere:
        return subprocess.run(
            [sys.executable, *flags, "-c", code],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment},
            cwd=elsewhere,
            timeout=60,
            check=check,
            capture_output=True,
            text=True,
        )
