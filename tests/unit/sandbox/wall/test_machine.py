import os
import subprocess
from pathlib import Path

from sandbox.wall import machine


def test_this_machine_has_what_a_wall_needs() -> None:
    host = machine.survey_host()
    assert os.access(host.bubblewrap, os.X_OK)
    assert host.architecture.numbers
    assert any(os.geteuid() in each for each in host.uids)


def test_the_interpreter_is_outside_any_virtual_environment() -> None:
    said = subprocess.run(
        [machine.base_python(), "-I", "-S", "-c", "import sys; print(sys.prefix == sys.base_prefix)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "True\n"


def test_the_view_shows_no_private_part_of_etc() -> None:
    layout = machine.layout()
    assert not {"/etc", "/etc/ssl", "/etc/shadow", "/etc/ssh", "/etc/ssl/private"} & set(layout.etc)
    assert all(os.path.isdir(name) for name in layout.directories)
    assert layout.python.startswith(("/usr/", "/run/dispatch/python/"))


def test_homes_are_canonical_and_none_is_the_root() -> None:
    found = machine.homes()
    assert os.path.realpath(os.path.expanduser("~")) in found or os.path.expanduser("~") == "/"
    assert "/" not in found


def test_of_an_interpreter_in_a_home_only_its_program_and_libraries_are_shown(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    python, parts = machine.python_inside(f"{tmp_path}/bin/python3.11", str(tmp_path))
    assert python == "/run/dispatch/python/bin/python3.11"
    assert parts == (
        (f"{tmp_path}/bin/python3.11", python),
        (f"{tmp_path}/lib", "/run/dispatch/python/lib"),
    )


def test_an_interpreter_in_usr_is_shown_with_it() -> None:
    assert machine.python_inside("/usr/local/bin/python3.12", "/usr/local") == (
        "/usr/local/bin/python3.12",
        (),
    )
