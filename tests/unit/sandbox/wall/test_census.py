import os
import threading

import pytest

from sandbox.wall.census import Census, Share, machine_bytes, read_share, scratch_bytes


def test_the_share_of_a_process_is_its_pss() -> None:
    rollup = b"00-ff ---p 00000000 00:00 0 [rollup]\nRss:   1356 kB\nPss:    234 kB\nPss_Dirty:  9 kB\nPss_Shmem: 4 kB\n"
    assert read_share(rollup) == Share(230 * 1024, 4 * 1024)


def test_a_process_that_went_has_no_share() -> None:
    assert read_share(b"") == Share(0, 0)


def test_names_on_scratch_take_memory_though_their_files_are_empty() -> None:
    found = os.statvfs_result((4096, 4096, 100, 90, 90, 1000, 800, 800, 0, 255))
    assert scratch_bytes(found) == 10 * 4096 + 200 * 1024


def test_nameless_files_and_threads_of_a_process_are_counted() -> None:
    """This very process is the one that is counted: its /proc shows the whole machine, which can only be more."""
    census = Census(os.getpid(), ())
    stop = threading.Event()
    threads = [threading.Thread(target=stop.wait) for _ in range(7)]
    file = os.memfd_create("large")
    try:
        number = str(os.getpid())
        before, one = census._nameless_bytes([number]), census._threads(number)
        os.write(file, bytes(3 << 20))
        twice = os.dup(file)
        for thread in threads:
            thread.start()
        assert census._nameless_bytes([number, number]) == before + (3 << 20)
        assert census._threads(number) == one + 7
        os.close(twice)
    finally:
        stop.set()
        os.close(file)
        census.close()


def test_a_door_that_opens_halfway_leaves_nothing_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        Census(os.getpid(), ("/nowhere-at-all",))
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_the_machine_has_left() -> None:
    meminfo = b"MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:   400 kB\nHugePages_Total: 0\n"
    assert machine_bytes(meminfo) == (1000 * 1024, 400 * 1024)
