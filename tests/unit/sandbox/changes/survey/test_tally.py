"""The bounds of a changeset, and the sentence that tells where the mass lies."""

import pytest

from sandbox.changes.survey.tally import MAX_BYTES, MAX_PATHS, ChangesetTooLargeError, Tally


def test_the_bounds_are_ten_thousand_paths_and_a_gibibyte() -> None:
    assert (MAX_PATHS, MAX_BYTES) == (10_000, 1024**3)


def test_exactly_at_the_bound_is_fine() -> None:
    tally = Tally(max_paths=2, max_bytes=10)
    tally.add("/g", 4)
    tally.add("/g", 6)
    tally.check()
    assert not tally.full


@pytest.mark.parametrize(("paths", "size_bytes"), [(3, 0), (1, 11)])
def test_beyond_it_is_not(paths: int, size_bytes: int) -> None:
    tally = Tally(max_paths=2, max_bytes=10)
    for _ in range(paths):
        tally.add("/g", size_bytes)
    assert tally.full
    with pytest.raises(ChangesetTooLargeError, match="changeset_too_large"):
        tally.check()


def test_the_largest_directories_are_named_first() -> None:
    tally = Tally(max_paths=1)
    for directory, count in (("/g/few", 1), ("/g/many", 5), ("/g/some", 3)):
        for _ in range(count):
            tally.add(directory, 1)
    with pytest.raises(ChangesetTooLargeError) as caught:
        tally.check()
    assert caught.value.by_directory == (("/g/many", 5), ("/g/some", 3), ("/g/few", 1))
    assert caught.value.remedy
