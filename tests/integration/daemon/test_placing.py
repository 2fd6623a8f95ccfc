"""Where nothing is granted the human is asked, with what was found a moment ago, and never with their whole home.

Among many projects the likeliest stand first, and it is said that there are more than are listed.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from dispatch_daemon.adapters.projects import ProjectIndex
from dispatch_daemon.app.services.placing import look_around, place_of
from dispatch_daemon.core.errors import ServiceError
from dispatch_protocol.paths import PathGrant, PathMode
from dispatch_protocol.scopes import Scopes
from tests.support.desk import received
from tests.support.documents import task

NO_PATHS = Scopes(tools=("Read",))


@pytest.mark.parametrize("standing", ["home", "elsewhere"])
async def test_a_project_of_this_minute_is_offered_and_the_home_never(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, standing: str
) -> None:
    home, other = tmp_path / "home", tmp_path / "elsewhere"
    new = home / "src" / "rocket-api"
    (new / ".git").mkdir(parents=True)
    other.mkdir()
    monkeypatch.setenv("HOME", str(home))
    index = ProjectIndex(tmp_path, lambda: [str(home / "src")])
    stands = str(home if standing == "home" else other)
    await look_around(NO_PATHS, index, cwd=None, caller_cwd=stands)
    record = received(task=replace(task(), project="rocket"))
    with pytest.raises(ServiceError) as raised:
        place_of(record, NO_PATHS, index, cwd=None, caller_cwd=stands)
    offered = [str(new)] if standing == "home" else [str(other), str(new)]
    assert (raised.value.code, list(raised.value.candidates)) == ("cwd_needed", offered)
    assert place_of(record, NO_PATHS, index, cwd=str(home), caller_cwd=stands).cwd == str(home)


@pytest.mark.parametrize("granted", [True, False])
async def test_of_25_projects_the_one_that_the_task_names_stands_first_and_the_rest_is_counted(
    tmp_path: Path, granted: bool
) -> None:
    src = tmp_path / "src"
    for name in ("zebra-crossing", *(f"a{number:02}" for number in range(24))):
        (src / name / ".git").mkdir(parents=True)
    scopes = Scopes(tools=("Read",), paths=(PathGrant(str(src), PathMode.RO),) if granted else ())
    index = ProjectIndex(tmp_path, lambda: [str(src)])
    await look_around(scopes, index, cwd=None, caller_cwd=None)
    record = received(task=replace(task(), task="Mend the zebra crossing", project=None))
    with pytest.raises(ServiceError) as raised:
        place_of(record, scopes, index, cwd=None, caller_cwd=None)
    candidates = list(raised.value.candidates)
    listed = [str(src / "zebra-crossing"), *(str(src / f"a{number:02}") for number in range(19))]
    assert candidates == [*listed, str(src)] if granted else listed
    assert raised.value.detail.endswith(" (and 5 more: name one with --cwd)")
    assert ("with 25 projects; say which (" in raised.value.detail) is granted
    assert raised.value.hint == f"dispatch accept {record.dispatch_id[:8]} --cwd {candidates[0]}"
