"""The thread pool: `parallel_for`, and how many threads it may use.

The pool itself is `include/pool.h`.  Its threads start with the first job that can use
them; importing this module starts none.
"""

import os

from cpython.buffer cimport PyBUF_WRITABLE, PyObject_GetBuffer, PyBuffer_Release
from libc.stdint cimport int64_t, uint32_t

__all__ = ["get_num_threads", "set_num_threads"]

cdef extern from "pool.h" nogil:
    void tt_parallel_for(Body body, void* context, int64_t n, int64_t grain)
    int tt_pool_init(uint32_t threads)
    void tt_set_threads(uint32_t threads)
    uint32_t tt_get_threads()
    uint32_t tt_started()


cdef void parallel_for(
        Body body, void* context, int64_t n, int64_t grain) noexcept nogil:
    tt_parallel_for(body, context, n, grain)


cdef int num_threads() noexcept nogil:
    return <int>tt_get_threads()


def get_num_threads() -> int:
    """Return the number of threads that operators on the CPU may use."""
    return tt_get_threads()


def set_num_threads(n: object) -> None:
    """Set the number of threads that operators on the CPU may use.

    Results do not depend on it, bit for bit.

    Example:
        >>> before = get_num_threads()
        >>> set_num_threads(1)
        >>> get_num_threads()
        1
        >>> set_num_threads(before)
    """
    if not isinstance(n, int) or isinstance(n, bool):
        raise RuntimeError(
            f"set_num_threads expects an int, but got {type(n).__name__}")
    if not 0 < n < 1 << 31:
        raise RuntimeError("set_num_threads expects a positive integer")
    tt_set_threads(n)


# ---- the default number of threads ----

def _first_line(path):
    try:
        with open(path) as file:
            return file.readline().strip()
    except OSError:
        return ""


def _quota_of(folder):
    """CPUs that the control group in `folder` may use, or infinity."""
    quota, _, period = _first_line(f"{folder}/cpu.max").partition(" ")  # version 2
    if not quota:
        quota = _first_line(f"{folder}/cpu.cfs_quota_us")  # version 1
        period = _first_line(f"{folder}/cpu.cfs_period_us")
    try:
        share = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):  # "max", or no such file
        return float("inf")
    return share if share > 0 else float("inf")  # version 1 says -1 for "no limit"


def _cgroup_quota(cgroup_file="/proc/self/cgroup", root="/sys/fs/cgroup"):
    """The least quota among this process's control groups and their parents."""
    try:
        with open(cgroup_file) as file:
            lines = file.read().splitlines()
    except OSError:
        return float("inf")
    quota = float("inf")
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            mount = root
        elif "cpu" in controllers.split(","):
            mount = f"{root}/{controllers}"
        else:
            continue
        parts = [part for part in path.split("/") if part]
        for depth in range(len(parts) + 1):
            quota = min(quota, _quota_of("/".join([mount, *parts[:depth]])))
    return quota


def _default_threads(environment, cpus, quota):
    """Threads to start with: the environment's wish, else the CPUs we are granted."""
    for name in ("TINYTORCH_NUM_THREADS", "OMP_NUM_THREADS"):
        # OMP_NUM_THREADS may list one number per level of nesting: "4,2"
        wish = environment.get(name, "").partition(",")[0].strip()
        if wish.isdecimal() and 0 < int(wish) < 1 << 31:
            return int(wish)
    return max(1, cpus if quota >= cpus else -int(-quota // 1))


def _granted_cpus():
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # not on macOS
        return os.cpu_count() or 1


if tt_pool_init(_default_threads(os.environ, _granted_cpus(), _cgroup_quota())) != 0:
    raise MemoryError("threads: could not register the fork handler")


# ---- for the tests ----

cdef struct Increment:
    int64_t* counts
    int64_t grain
    int64_t work   # turns of an empty loop per element
    int nested


cdef void increment(void* context, int64_t begin, int64_t end) noexcept nogil:
    cdef Increment* job = <Increment*>context
    cdef Increment inner
    cdef int64_t i
    cdef volatile int64_t turns
    if job.nested:
        inner.counts = job.counts + begin
        inner.work, inner.grain, inner.nested = job.work, 1, 0
        parallel_for(increment, &inner, end - begin, 1)
        return
    if begin % job.grain or end - begin > job.grain:
        return  # not a chunk: leaves its elements unchanged for the test to find
    for i in range(begin, end):
        turns = job.work
        while turns > 0:
            turns -= 1
        job.counts[i] += 1


def _increment(counts not None, grain: int, work: int = 0, nested: bool = False,
               repeats: int = 1):
    """Add one to each element of a writable int64 buffer, `repeats` times."""
    cdef Py_buffer view
    cdef Increment job
    cdef int64_t n, _turn, times = repeats
    PyObject_GetBuffer(counts, &view, PyBUF_WRITABLE)
    try:
        job.counts, job.grain = <int64_t*>view.buf, grain
        job.work, job.nested = work, nested
        n = view.len // sizeof(int64_t)
        with nogil:
            for _turn in range(times):
                parallel_for(increment, &job, n, job.grain)
    finally:
        PyBuffer_Release(&view)


def _workers_started():
    return tt_started()
