"""Build of the compiled core: every .pyx below tinytorch/_core, in one shared library.

One library for a hundred modules: it is opened and relocated once, which an import
feels, and what the kernels share is compiled and stored once.  tinytorch/_core/__init__
finds the modules in it.

Portable by construction: no -march flag, instruction sets are chosen at run time
(include/kernel.h).  TINYTORCH_DEBUG=1 turns Cython's checks on and optimisation down,
and kernels cut work into small parts, as tests are small (TT_PART in kernel.h);
TINYTORCH_SYMBOLS=1 keeps the names that a profiler shows.
"""

import os
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError


def switched_on(name):
    return os.environ.get(name, "0") not in ("", "0")


DEBUG = switched_on("TINYTORCH_DEBUG")
STRIP = not (DEBUG or switched_on("TINYTORCH_SYMBOLS"))
JOBS = int(os.environ.get("TINYTORCH_BUILD_JOBS", os.cpu_count() or 1))
CORE = Path("tinytorch/_core")
SHARED = "tinytorch._core.shared"
BUILD = Path("build/debug" if DEBUG else "build/release")
# Each Python has its own: they are compiled with its headers, and one checkout may
# serve several.  What Cython writes is the same for all.
OBJECTS = BUILD / "objects" / sysconfig.get_config_var("SOABI")

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
    # What newer compilers refuse is refused by older ones, too.
    "-Werror=implicit-function-declaration",
    "-Werror=incompatible-pointer-types",
    "-Werror=int-conversion",
] + (["-g", "-UNDEBUG"] if DEBUG else ["-g0", "-DNDEBUG"])
# Used where the compiler knows them.
OPTIONAL_C_FLAGS = [
    # GCC clears a small struct on x86 by `rep stos`, which takes 30 cycles to start;
    # every new tensor is cleared (8 % of a small op).
    "-mmemset-strategy=vector_loop:512:noalign,libcall:-1:noalign",
    "-Wno-pass-failed",  # Clang says of each loop that it cannot vectorise it
]
if STRIP:  # what only a debugger or a profiler reads
    OPTIONAL_C_FLAGS += ["-fno-asynchronous-unwind-tables"]
LINK_FLAGS = ["-pthread", *(["-Wl,-s"] if STRIP else [])]


def is_stale(made):
    """Whether an object file is older than what the compiler read to make it: the list
    that -MMD left beside it, and the flags in this file."""
    listed = Path(made).with_suffix(".d")
    if not (listed.exists() and os.path.exists(made)):
        return True
    read = listed.read_text().replace("\\\n", " ").split(":", 1)[1].split()
    return not all(os.path.exists(path) for path in read) or is_older(made, read)


def is_older(made, sources=()):
    """Whether a file is older than one of its sources or than this file."""
    made_at = os.path.getmtime(made)
    return any(os.path.getmtime(path) > made_at for path in [__file__, *sources])


class LibraryBuild(build_ext):
    """build_ext that compiles several files at a time, and only what has changed."""

    def build_extension(self, extension):
        known = [flag for flag in OPTIONAL_C_FLAGS if self.accepts(flag)]
        folder = str(OBJECTS)
        sources = translated(extension.sources, self.force)
        objects = self.compiler.object_filenames(sources, output_dir=folder)

        def compile_one(source, made):
            if self.force or is_stale(made):
                self.compiler.compile(
                    [source],
                    output_dir=folder,
                    include_dirs=extension.include_dirs,
                    extra_postargs=[*C_FLAGS, *known, "-MMD"],
                )

        # The largest first: none of them is left to run alone at the end.
        order = sorted(
            zip(sources, objects, strict=True),
            key=lambda pair: -os.path.getsize(pair[0]),
        )
        with ThreadPoolExecutor(JOBS) as pool:
            for _ in pool.map(lambda pair: compile_one(*pair), order):
                pass
        self.compiler.link_shared_object(
            objects,
            self.get_ext_fullpath(extension.name),
            extra_postargs=LINK_FLAGS,
            build_temp=folder,
        )

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


def translated(sources, force):
    """Translate what is Cython; return C files only, among them the module that holds
    what Cython would repeat in each (its function type: a sixth of the library)."""
    folder = BUILD / "cython"
    modules = [
        Extension(".".join(Path(source).with_suffix("").parts), [source])
        for source in sources
        if source.endswith(".pyx")
    ]
    made = cythonize(
        [Extension(SHARED, []), *modules],
        compiler_directives=DIRECTIVES,
        shared_utility_qualified_name=SHARED,
        build_dir=str(folder),
        force=force or any(is_older(path) for path in folder.rglob("*.c")),
        nthreads=JOBS,
    )
    plain = [source for source in sources if source.endswith(".c")]
    return [source for module in made for source in module.sources] + plain


def library():
    """Return the one extension."""
    return Extension(
        "tinytorch._core.library",
        sorted(str(path) for path in [*CORE.rglob("*.pyx"), *CORE.glob("include/*.c")]),
        include_dirs=[str(CORE / "include")],
    )


def packages():
    """Return the packages; the folder gpu/ is tinytorch.gpu
    (pyproject.toml maps it)."""
    inner = [f"tinytorch.gpu.{name}" for name in find_packages("gpu")]
    return [*find_packages(include=["tinytorch*"]), "tinytorch.gpu", *inner]


setup(
    packages=packages(),
    ext_modules=[library()],
    options={"build": {"build_base": str(BUILD)}},
    cmdclass={"build_ext": LibraryBuild},
)
