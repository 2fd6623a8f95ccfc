"""Where a task runs is found on its recipient's machine; what the sender calls the place decides nothing."""

import os
from pathlib import Path

from tests.support.neighbourhood import Neighbourhood, bash, make_repository


def test_the_only_project_is_taken_and_among_several_a_human_chooses(
    neighbourhood: Neighbourhood, place: Path
) -> None:
    bob = neighbourhood.bob
    granted, other = place / "granted", place / "docs"
    granted.mkdir()
    other.mkdir()
    outside = make_repository(place / "outside" / "payments", {"README": "not yours\n"})
    api = make_repository(granted / "payments-api", {"README": "yours\n"})
    neighbourhood.befriend(
        *("--tools", "Bash", "--approval", "auto", "--paths", f"{granted}:rw", "--paths", f"{other}:ro")
    )
    first = neighbourhood.send("Look", [bash("pwd")], "--project", str(outside))
    assert bob.do("accept", first, cwd=place / "outside")["cwd"] == str(api)
    assert bob.until(first, "completed", "failed")["status"] == "completed"

    web = make_repository(granted / "web", {"README": "yours too\n"})
    second = neighbourhood.send("Look", [bash("pwd")], "--project", "the Web")
    refused = bob.do("accept", second, code=2, cwd=place / "outside")["error"]
    assert refused["code"] == "cwd_needed"
    assert refused["candidates"] == [str(web), str(api), str(other), str(granted)]
    assert refused["hint"] == f"dispatch accept {second[:8]} --cwd {web}"
    denied = bob.do("accept", second, "--cwd", str(outside), code=3)["error"]
    assert denied["code"] == "outside_paths"
    (granted / "alias").symlink_to(outside)
    assert (
        bob.do("accept", second, "--cwd", str(granted / "alias"), code=3)["error"]["code"] == "outside_paths"
    )
    assert bob.do("accept", second, "--cwd", str(web))["cwd"] == os.path.realpath(web)


def test_a_granted_place_that_only_holds_projects_is_asked_about_from_the_first_task_on(
    neighbourhood: Neighbourhood, place: Path
) -> None:
    """The grant is a moment old, nothing was restarted, and nobody has looked there before."""
    bob, granted = neighbourhood.bob, place / "src"
    granted.mkdir()
    api = make_repository(granted / "api", {"README": "one\n"})
    neighbourhood.befriend("--tools", "Bash", "--approval", "auto", "--paths", f"{granted}:rw")
    first = neighbourhood.send("Look", [bash("pwd")])
    assert bob.do("accept", first)["cwd"] == str(api)
    web = make_repository(granted / "web", {"README": "two\n"})
    second = neighbourhood.send("Look", [bash("pwd")], "--project", "Web")
    refused = bob.do("accept", second, code=2)["error"]
    assert (refused["code"], refused["candidates"]) == ("cwd_needed", [str(web), str(api), str(granted)])
    assert bob.do("accept", second, cwd=api)["cwd"] == str(api)
