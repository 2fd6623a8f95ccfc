from pathlib import Path

from tests.support.workplaces import workplace


def test_paths_start_from_the_run_directory(tmp_path: Path) -> None:
    place = workplace(tmp_path)
    assert place.locate("a/../b") == f"{tmp_path}/b"
    assert place.locate("/etc/passwd") == "/etc/passwd"


def test_output_is_cut_between_characters(tmp_path: Path) -> None:
    place = workplace(tmp_path, output_bytes=5)
    assert place.clip("12345") == ("12345", False)
    assert place.clip("1234ü") == ("1234", True)
    assert place.clip("\udcff") == ("\udcff", False)
