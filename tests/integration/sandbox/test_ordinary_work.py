"""The tools work on one tree, in a copy of it; what people do all day is among the cases of `tests/hostile/escapes`."""

from tests.support.grounds import Ground


def test_writes_stay_in_the_copy_and_the_owners_tree_is_untouched(ground: Ground) -> None:
    told = ground.drive(
        ("Bash", {"command": "echo more >> src.txt && rm -r .git && mkdir made && ln -s src.txt link"}),
        ("Read", {"file_path": "src.txt"}),
    )
    assert told["results"][1][1] == "     1\thello\n     2\tmore"
    assert (ground.work / "src.txt").read_text() == "hello\n"
    assert (ground.work / ".git").is_dir()
    assert told["upper"] == [".git", "link", "made", "src.txt"]


def test_the_six_tools_work_on_the_same_tree(ground: Ground) -> None:
    told = ground.drive(
        ("Write", {"file_path": "a.py", "content": "x = 1\n"}),
        ("Edit", {"file_path": "a.py", "old_string": "1", "new_string": "2"}),
        ("Grep", {"pattern": "x = 2"}),
        ("Glob", {"pattern": "*.py"}),
        ("Read", {"file_path": str(ground.work / "a.py")}),
        ("Bash", {"command": "python3 a.py && cat a.py"}),
    )
    assert [result[0] for result in told["results"]] == [True] * 6
    assert told["results"][2][1] == told["results"][3][1] == str(ground.work / "a.py")
    assert told["results"][5][1] == "x = 2\n"
