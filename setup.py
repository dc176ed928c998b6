"""Build of the compiled core: every .pyx below tinytorch/_core becomes one extension.

Portable by construction: no -march flag, instruction sets are chosen at run time
(include/kernel.h).  TINYTORCH_DEBUG=1 turns Cython's checks on and optimisation down.
"""

import os
import tempfile
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

DEBUG = os.environ.get("TINYTORCH_DEBUG", "0") not in ("", "0")
JOBS = int(os.environ.get("TINYTORCH_BUILD_JOBS", os.cpu_count() or 1))
CORE = Path("tinytorch/_core")
BUILD = Path("build/debug" if DEBUG else "build/release")

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
# Used where the compiler knows them.  GCC clears a small struct on x86 by `rep stos`,
# which takes 30 cycles to start; every new tensor is cleared (8 % of a small op).
OPTIONAL_C_FLAGS = ["-mmemset-strategy=vector_loop:512:noalign,libcall:-1:noalign"]
LINK_FLAGS = ["-pthread", *([] if DEBUG else ["-Wl,-s"])]


class ParallelBuild(build_ext):
    """build_ext that compiles as many extensions at a time as there are cores."""

    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or JOBS

    def build_extensions(self):
        known = [flag for flag in OPTIONAL_C_FLAGS if self.accepts(flag)]
        for extension in self.extensions:
            extension.extra_compile_args = C_FLAGS + known
        super().build_extensions()

    def accepts(self, flag):
        """Compile one line with the flag; -Werror, since clang only warns."""
        with tempfile.TemporaryDirectory() as folder:
            trial = Path(folder, "trial.c")
            trial.write_text("int trial(void) { return 0; }\n")
            try:
                self.compiler.compile(
                    [str(trial)], output_dir=folder, extra_postargs=["-Werror", flag]
                )
            except CompileError:
                return False
        return True


def extensions():
    headers = sorted(str(path) for path in CORE.glob("include/*.h"))
    return [
        Extension(
            ".".join(path.with_suffix("").parts),
            [str(path)],
            include_dirs=[str(CORE / "include")],
            depends=headers,
            extra_link_args=LINK_FLAGS,
        )
        for path in sorted(CORE.rglob("*.pyx"))
    ]


def packages():
    """Return the packages; the folder gpu/ is tinytorch.gpu
    (pyproject.toml maps it)."""
    inner = [f"tinytorch.gpu.{name}" for name in find_packages("gpu")]
    return [*find_packages(include=["tinytorch*"]), "tinytorch.gpu", *inner]


setup(
    packages=packages(),
    ext_modules=cythonize(
        extensions(),
        compiler_directives=DIRECTIVES,
        build_dir=str(BUILD / "cython"),
        nthreads=JOBS,
    ),
    options={"build": {"build_base": str(BUILD)}},
    cmdclass={"build_ext": ParallelBuild},
)
