#!/usr/bin/env bash
# Run tests under GCC's sanitizers: reading or writing beyond a tensor and using what was
# freed end the run; behaviour that C does not define is listed at its end.
#
#     pip install pytest-xdist
#     tests/sanitize.sh [ARGUMENT of pytest ...]
#
# The core is built in a copy of the tree.  It cuts work into the small parts of a debug
# build and gives each tensor a block of exactly its size, never used before.  PyTorch
# may be there.  All fast tests take half an hour on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
copy=$PWD/build/sanitize
mkdir -p "$copy"
git ls-files -z | tar --null -T - -c | tar -x -C "$copy"
cd "$copy"

# Copies of functions by processor are chosen before the sanitizer is ready.  Integers
# wrap (-fwrapv), and x86 reads words from any place.
kinds="-fsanitize=address,undefined -fno-sanitize=alignment,shift-base"
TINYTORCH_DEBUG=1 LDFLAGS="$kinds" \
    CFLAGS="$kinds -fno-omit-frame-pointer -DTT_NO_CLONES" \
    python setup.py build_ext --inplace

# The sanitizer comes first, then what throws C++ exceptions through it.
preload="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libstdc++.so.6)"
# Left out: forked workers, which may wait for a lock of the sanitizer for ever; a new
# Python without this environment; a polynomial that rounds otherwise in a debug build.
rm -f report.*
trap 'cat report.* 2>/dev/null || true' EXIT
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:log_path=$copy/report
export UBSAN_OPTIONS=log_path=$copy/report
LD_PRELOAD="$preload" PYTHONMALLOC=malloc PYTHONPATH="$copy" \
    python -m pytest -n "$(nproc)" -q -p no:cacheprovider \
    --ignore tests/test_data_workers.py \
    --deselect tests/test_vision.py::test_vision_imports_neither_numpy_nor_pillow \
    --deselect 'tests/test_opdb.py::test_opdb_samples[special.hermite_polynomial_he]' \
    "${@:-tests}"
