#!/usr/bin/env bash
# Compile for aarch64 and run tests there, on an x86-64 Debian: a cross compiler, Python
# for arm64 in a directory, an emulator of the instructions.  Nothing is installed.
#
#     apt-get install debootstrap qemu-user gcc-aarch64-linux-gnu
#     tests/aarch64.sh [TEST ...]
#
# The tests that compare with PyTorch are skipped; those that start Python again cannot
# run.  The core is compiled in 10 minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$PWD/build/aarch64
root=$build/root site=$build/site python=3.11
tests=("$@")
[ $# -gt 0 ] || tests=(tests/test_ops.py tests/test_convolution.py tests/test_rng.py)

if [ ! -e "$root/usr/bin/python$python" ]; then
    debootstrap --arch=arm64 --foreign --variant=minbase \
        --include="python$python,libpython$python-dev" bookworm "$root"
    for package in "$root"/var/cache/apt/archives/*.deb; do
        dpkg -x "$package" "$root"
    done
fi
[ -e "$site" ] || pip install --target "$site" --python-version "$python" \
    --platform manylinux2014_aarch64 --platform manylinux_2_28_aarch64 \
    --only-binary=:all: \
    numpy scipy-openblas32 cython setuptools \
    pytest hypothesis expecttest pillow safetensors

# An ordinary processor: the newest one's matrix unit is emulated with wrong products.
export QEMU_CPU=cortex-a72
export QEMU_LD_PREFIX=$root PYTHONPATH=$site:$PWD
export CC=aarch64-linux-gnu-gcc LDSHARED="aarch64-linux-gnu-gcc -shared"
export CFLAGS="-I$root/usr/include/python$python -idirafter $root/usr/include"
emulated=(qemu-aarch64 "$root/usr/bin/python$python")
"${emulated[@]}" setup.py build_ext --inplace
"${emulated[@]}" -m pytest -q "${tests[@]}"
