"""The thread pool: each chunk runs exactly once, whatever the threads do."""

import array
import os
import threading

import pytest

from interpreters import run_python
from tinytorch._core import threads


@pytest.fixture
def pool_of():
    """A function that sets the number of threads; undone afterwards."""
    before = threads.get_num_threads()
    yield threads.set_num_threads
    threads.set_num_threads(before)


def counts(n):
    return array.array("q", bytes(8 * n))


@pytest.mark.parametrize("number", [1, 2, 5])
@pytest.mark.parametrize(
    "n, grain", [(1, 1), (7, 7), (7, 8), (100, 7), (64, 8), (999, 1)]
)
def test_parallel_for_runs_each_chunk_once(pool_of, number, n, grain):
    pool_of(number)
    c = counts(n)
    threads._increment(c, grain, work=20, repeats=50)
    assert set(c) == {50}


def test_parallel_for_of_nothing(pool_of):
    pool_of(2)
    threads._increment(counts(0), 4)


def test_parallel_for_nested_runs_inline(pool_of):
    pool_of(3)
    c = counts(200)
    threads._increment(c, 10, nested=True, repeats=100)
    assert set(c) == {100}


def test_parallel_for_from_several_python_threads(pool_of):
    pool_of(3)
    results = [counts(300) for _ in range(6)]
    callers = [
        threading.Thread(target=threads._increment, args=(c, 9, 10, False, 2000))
        for c in results
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=60)
        assert not caller.is_alive()
    assert all(set(c) == {2000} for c in results)


def test_changing_the_number_between_jobs(pool_of):
    c = counts(64)
    for turn in range(200):
        pool_of(1 + turn % 7)
        threads._increment(c, 4, work=10)
    assert set(c) == {200}


def test_set_num_threads_is_read_back(pool_of):
    pool_of(3)
    assert threads.get_num_threads() == 3


@pytest.mark.parametrize("number", [0, -1, 1 << 31])
def test_set_num_threads_rejects_values(number):
    with pytest.raises(RuntimeError, match="expects a positive integer"):
        threads.set_num_threads(number)


@pytest.mark.parametrize("number", [2.0, "2", True, None])
def test_set_num_threads_rejects_types(number):
    with pytest.raises(RuntimeError, match="expects an int, but got"):
        threads.set_num_threads(number)


# ---- processes ----


IN_PARALLEL = """
import array, os, sys
from tinytorch._core import threads
def run():
    c = array.array("q", bytes(8 * 100))
    threads._increment(c, 3, work=1000, repeats=20)
    return set(c) == {20}
"""


def test_import_starts_no_thread():
    out = run_python(IN_PARALLEL + "print(threads._workers_started())").stdout
    assert out == "0\n"


def test_one_thread_starts_no_worker():
    code = IN_PARALLEL + "print(run(), threads._workers_started())"
    assert run_python(code, TINYTORCH_NUM_THREADS="1").stdout == "True 0\n"


def test_exit_with_threads_alive():
    code = IN_PARALLEL + "print(run(), threads._workers_started())"
    assert run_python(code, TINYTORCH_NUM_THREADS="4").stdout == "True 3\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_starts_afresh():
    code = (
        IN_PARALLEL
        + """
assert run() and threads._workers_started() == 3
child = os.fork()
if child == 0:
    none_yet = threads._workers_started() == 0
    os._exit(0 if none_yet and run() and threads._workers_started() == 3 else 1)
assert run()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    )
    assert run_python(code, TINYTORCH_NUM_THREADS="4").stdout == "0\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_while_another_thread_uses_the_pool():
    code = (
        IN_PARALLEL
        + """
import threading
stop = False
def keep_busy():
    while not stop:
        run()
busy = threading.Thread(target=keep_busy)
busy.start()
codes = []
for _ in range(20):
    child = os.fork()
    if child == 0:
        os._exit(0 if run() else 1)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
stop = True
busy.join()
print(set(codes))
"""
    )
    out = run_python(code, TINYTORCH_NUM_THREADS="4", PYTHONWARNINGS="ignore").stdout
    assert out == "{0}\n"


# ---- the default number of threads ----


@pytest.mark.parametrize(
    "environment, cpus, quota, expected",
    [
        ({}, 8, float("inf"), 8),
        ({}, 8, 2.0, 2),
        ({}, 8, 1.5, 2),
        ({}, 8, 0.1, 1),
        ({}, 2, 6.0, 2),
        ({"OMP_NUM_THREADS": "3"}, 8, 2.0, 3),
        ({"OMP_NUM_THREADS": "4,2"}, 8, 8.0, 4),
        ({"TINYTORCH_NUM_THREADS": "5", "OMP_NUM_THREADS": "3"}, 8, 8.0, 5),
        ({"TINYTORCH_NUM_THREADS": "0", "OMP_NUM_THREADS": "nonsense"}, 8, 8.0, 8),
    ],
)
def test_default_threads(environment, cpus, quota, expected):
    assert threads._default_threads(environment, cpus, quota) == expected


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_quota_version_2_takes_the_strictest_parent(tmp_path):
    write(tmp_path / "cgroup", "0::/outer/inner\n")
    write(tmp_path / "outer" / "cpu.max", "150000 100000\n")
    write(tmp_path / "outer" / "inner" / "cpu.max", "max 100000\n")
    assert threads._cgroup_quota(str(tmp_path / "cgroup"), str(tmp_path)) == 1.5


def test_quota_version_1(tmp_path):
    write(tmp_path / "cgroup", "3:memory:/box\n2:cpu,cpuacct:/box\n")
    box = tmp_path / "cpu,cpuacct" / "box"
    write(box / "cpu.cfs_quota_us", "-1\n")
    write(box / "cpu.cfs_period_us", "100000\n")
    write(box.parent / "cpu.cfs_quota_us", "300000\n")
    write(box.parent / "cpu.cfs_period_us", "100000\n")
    assert threads._cgroup_quota(str(tmp_path / "cgroup"), str(tmp_path)) == 3.0


def test_quota_unknown_is_no_limit(tmp_path):
    assert threads._cgroup_quota(str(tmp_path / "none"), str(tmp_path)) == float("inf")
