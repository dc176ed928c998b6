"""``tinytorch info``: versions, and what the machine gives."""

from __future__ import annotations

import argparse
import os
import platform
from importlib import metadata
from typing import Any

import tinytorch

__all__ = ["add_command", "facts"]


def add_command(commands: Any) -> None:
    """Add ``info`` to the program."""
    command: argparse.ArgumentParser = commands.add_parser(
        "info", help="say which versions, which CPU and which GPU are used")
    command.set_defaults(command=_main)


def _main(options: argparse.Namespace) -> int:
    found = facts()
    width = max(map(len, found))
    for name, value in found.items():
        print(f"{name:<{width}}  {value}")
    return 0


def facts() -> dict[str, str]:
    """Return what the program prints, by name."""
    threads = tinytorch.get_num_threads()
    return {
        "tinytorch": f"{tinytorch.__version__} in "
                     f"{os.path.dirname(tinytorch.__file__)}",
        "Python": f"{platform.python_version()} ({platform.python_implementation()}, "
                  f"{platform.system()} {platform.machine()})",
        "NumPy": _version("numpy"),
        "BLAS": _blas(),
        "CPU": _processor(),
        "instructions": _instructions(),
        "threads": f"{threads} of {os.cpu_count()} processors; set_num_threads or "
                   "OMP_NUM_THREADS changes it",
        "CUDA": _cuda(),
        "Pillow": _version("pillow"),
        "matplotlib": _version("matplotlib"),
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _blas() -> str:
    """What the library that was loaded says of itself."""
    from ctypes import CDLL, c_char_p
    from importlib import import_module

    library = import_module("tinytorch._core.openblas")
    path = library._library_path()
    version = _version("scipy-openblas32")
    try:
        about = CDLL(path).scipy_openblas_get_config
    except (OSError, AttributeError, TypeError):
        return f"{library.PACKAGE} {version}"
    about.restype = c_char_p
    return f"{about().decode().strip()} (package {library.PACKAGE} {version})"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


_LEVELS = (
    ("AVX-512 (x86-64-v4)",
     {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}),
    ("AVX2 with FMA (x86-64-v3)", {"avx2", "fma", "bmi1", "bmi2", "f16c", "movbe"}),
)


def _instructions() -> str:
    """Which copy of the kernels the loader chose: it goes by the same flags."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return f"those of {platform.machine()}: one copy of each kernel"
    flags: set[str] = set()
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("flags"):
                    flags = set(line.split())
                    break
    except OSError:
        return "unknown"
    for name, needed in _LEVELS:
        if needed <= flags:
            return name
    return "SSE2 (x86-64)"


def _cuda() -> str:
    cuda = tinytorch.cuda
    if not cuda.is_available():
        return f"no: {cuda.why_not_available()}"
    return ", ".join(cuda.get_device_name(i) for i in range(cuda.device_count()))
