"""The library OpenBLAS, of the package scipy-openblas32.

It is found and loaded when a product or a decomposition first needs it, and has one
thread: the tasks of our pool call it.
"""

import os

cdef extern from "dlfcn.h" nogil:
    int RTLD_NOW, RTLD_LOCAL
    void* dlopen(const char* path, int flags)
    void* dlsym(void* library, const char* name)
    char* dlerror()

cdef extern from "stdlib.h" nogil:
    char* getenv(const char* name)
    int setenv(const char* name, const char* value, int overwrite)
    int unsetenv(const char* name)

__all__ = []

cdef void* library = NULL

PACKAGE = "scipy_openblas32"
REMEDY = "install it with `pip install scipy-openblas32`"


def _library_path():
    """The path of OpenBLAS's library, found without importing its package."""
    from importlib.util import find_spec  # costs milliseconds: not at import
    spec = find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        folder = os.path.join(folder, "lib")
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            if name.startswith("libscipy_openblas") and (
                    name.endswith((".so", ".dylib")) or ".so." in name):
                return os.path.join(folder, name)
    raise RuntimeError(
        f"tinytorch needs the BLAS library of the package {PACKAGE}: {REMEDY}")


cdef int load() except -1:
    global library
    if library != NULL:
        return 0
    cdef bytes path = os.fsencode(_library_path())
    # OpenBLAS reads this once, while it is loaded, and starts no thread for "1".
    cdef char* wish = getenv("OPENBLAS_NUM_THREADS")
    cdef bytes before = b"" if wish == NULL else <bytes>wish
    setenv("OPENBLAS_NUM_THREADS", "1", 1)
    cdef void* handle = dlopen(path, RTLD_NOW | RTLD_LOCAL)
    cdef char* error = dlerror() if handle == NULL else NULL
    if wish == NULL:
        unsetenv("OPENBLAS_NUM_THREADS")
    else:
        setenv("OPENBLAS_NUM_THREADS", before, 1)
    if handle == NULL:
        reason = error.decode(errors="replace")
        raise RuntimeError(f"tinytorch could not load BLAS ({reason}): {REMEDY}")
    library = handle
    try:
        (<void (*)(int) noexcept>blas_symbol("openblas_set_num_threads"))(1)
    except RuntimeError:
        library = NULL
        raise
    return 0


cdef void* blas_symbol(str name) except NULL:
    load()
    cdef bytes symbol = b"scipy_" + name.encode()
    cdef void* address = dlsym(library, symbol)
    if address == NULL:
        raise RuntimeError(f"the BLAS library of {PACKAGE} has no {name}: {REMEDY}")
    return address
