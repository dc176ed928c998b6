"""Build of the compiled core: every .pyx below tinytorch/_core becomes one extension.

Portable by construction: no -march flag, instruction sets are chosen at run time
(include/kernel.h).  TINYTORCH_DEBUG=1 turns Cython's checks on and optimisation down.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

DEBUG = os.environ.get("TINYTORCH_DEBUG", "0") not in ("", "0")
JOBS = int(os.environ.get("TINYTORCH_BUILD_JOBS", os.cpu_count() or 1))
CORE = Path("tinytorch/_core")

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "nonecheck": DEBUG,
    "cdivision": True,
    "embedsignature": True,
    "binding": True,
    # One C function serves both operand orders of a binary operator: no second lookup.
    "c_api_binop_methods": True,
}

C_FLAGS = [
    "-O1" if DEBUG else "-O3",
    "-fopenmp-simd",  # the simd pragma alone: no OpenMP runtime is linked
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fvisibility=hidden",
    "-pthread",
    "-Wno-unused-function",
    "-Wno-parentheses",
] + (["-g", "-UNDEBUG"] if DEBUG else ["-g0", "-DNDEBUG"])
LINK_FLAGS = ["-pthread", *([] if DEBUG else ["-Wl,-s"])]


class ParallelBuild(build_ext):
    """build_ext that compiles as many extensions at a time as there are cores."""

    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or JOBS


def extensions():
    headers = sorted(str(path) for path in CORE.glob("include/*.h"))
    return [
        Extension(
            ".".join(path.with_suffix("").parts),
            [str(path)],
            include_dirs=[str(CORE / "include")],
            depends=headers,
            extra_compile_args=C_FLAGS,
            extra_link_args=LINK_FLAGS,
        )
        for path in sorted(CORE.rglob("*.pyx"))
    ]


setup(
    ext_modules=cythonize(
        extensions(),
        compiler_directives=DIRECTIVES,
        build_dir="build/cython-debug" if DEBUG else "build/cython",
        nthreads=JOBS,
    ),
    cmdclass={"build_ext": ParallelBuild},
)
