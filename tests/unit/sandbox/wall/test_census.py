from sandbox.wall.census import machine_bytes, share_bytes


def test_the_share_of_a_process_is_its_pss() -> None:
    rollup = b"00-ff ---p 00000000 00:00 0 [rollup]\nRss:   1356 kB\nPss:    234 kB\nPss_Dirty:  9 kB\n"
    assert share_bytes(rollup) == 234 * 1024


def test_a_process_that_went_has_no_share() -> None:
    assert share_bytes(b"") == 0


def test_what_the_machine_has_left() -> None:
    meminfo = b"MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:   400 kB\nHugePages_Total: 0\n"
    assert machine_bytes(meminfo) == (1000 * 1024, 400 * 1024)
