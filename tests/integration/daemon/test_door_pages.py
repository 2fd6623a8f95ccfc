"""The page at the door: its files, the way in, and what a page may ask."""

import hashlib
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from dispatch_daemon.adapters.loopback.pages import FILES
from dispatch_daemon.adapters.loopback.route import Kind, Route
from dispatch_daemon.adapters.loopback.routes import ROUTES
from dispatch_daemon.adapters.loopback.server import Door
from tests.support.door_client import DoorClient, Reply
from tests.support.door_requests import BODIES, target
from tests.support.scripted_service import ScriptedService

ROOT = Path(__file__).parents[3]
WEB = ROOT / "dispatch_daemon/adapters/web"
# What a page may never ask: to end the daemon, to sign in, to be shown a key, to spend on a model, to open another page.
PROGRAMS_ONLY = {
    "health",
    "openapi",
    "stop",
    "login",
    "logout",
    "begin_login",
    "finish_login",
    "recovery_key",
    "rename_device",
    "revoke_device",
    "set_device",
    "pairing",
    "open_pairing",
    "join",
    "recover",
    "pause_machine",
    "panic_machine",
    "confirm_pairing",
    "test_agent",
    "agent_key",
    "test_tool_server",
    "verify_contact",
    "alias_contact",
    "audit",
    "export_trust",
    "import_trust",
    "page_link",
    "page_session",
}


async def opened(client: DoorClient) -> str:
    """Open a page as a browser does, and return its token."""
    link = (await client.ask("POST", "/v1/page/links", {}, unix=True)).value
    code = link["url"].partition("/#code=")[2]
    reply = await client.ask("POST", "/v1/page/sessions", {"code": code}, Authorization=None)
    assert reply.status == 201
    return str(reply.value["token"])


def bare(reply: Reply) -> None:
    """Nothing that a door of 127.0.0.1 says may be a cookie: every port would get it."""
    assert "set-cookie" not in reply.headers


class TestItsFiles:
    @pytest.mark.parametrize("path", FILES)
    async def test_are_served_to_whoever_may_reach_the_door(
        self, client: DoorClient, service: ScriptedService, path: str
    ) -> None:
        reply = await client.ask("GET", path, Authorization=None)
        name, media_type = FILES[path]
        assert (reply.status, reply.body) == (200, (WEB / name).read_bytes())
        assert reply.headers["content-type"] == f"{media_type}; charset=utf-8"
        bare(reply)
        policy = reply.headers["content-security-policy"]
        for rule in (
            "default-src 'none'",
            "frame-ancestors 'none'",
            "form-action 'none'",
            "base-uri 'none'",
            "require-trusted-types-for 'script'",
        ):
            assert rule in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert reply.headers["cross-origin-opener-policy"] == "same-origin"
        assert reply.headers["x-frame-options"] == "DENY"
        assert service.calls == []

    def test_are_all_there_and_no_other(self) -> None:
        kept = {path.name for path in WEB.iterdir() if path.suffix not in {".py", ".pyc"} and path.is_file()}
        assert kept == {name for name, _ in FILES.values()}

    def test_hold_no_script_in_the_page_and_nothing_from_elsewhere(self) -> None:
        for name, _ in FILES.values():
            text = (WEB / name).read_text()
            assert not re.search(r"https?://(?!www\.w3\.org/)", text), name
            if name.endswith(".html"):
                assert not re.search(r"<script(?![^>]*\bsrc=)", text)
                assert not re.search(r"\son\w+\s*=|<style|style=", text)
            if name.endswith(".js"):
                assert not re.search(
                    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", text
                ), name

    @pytest.mark.parametrize(
        "path",
        [
            "/index.html",
            "/../etc/passwd",
            "/%2e%2e/keys.json",
            "//app.js",
            "/app.js/",
            "/style.css%00",
            "/./app.js",
        ],
    )
    async def test_no_other_name_leads_to_a_file(self, client: DoorClient, path: str) -> None:
        assert (await client.ask("GET", path, Authorization=None)).status == 401
        assert (await client.ask("GET", path)).code == "no_route"

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
    async def test_are_only_read(self, client: DoorClient, method: str) -> None:
        reply = await client.ask(method, "/app.js")
        assert (reply.status, reply.headers["allow"]) == (405, "GET")
        assert (await client.ask(method, "/app.js", Authorization=None)).status == 401

    @pytest.mark.parametrize("path", FILES)
    async def test_another_page_gets_none_of_them(self, client: DoorClient, door: Door, path: str) -> None:
        for headers in (
            {"Origin": "https://evil.example"},
            {"Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "same-site"},
            {"Host": f"evil.example:{door.port}"},
        ):
            reply = await client.ask("GET", path, **headers, Authorization=None)
            assert (reply.status, reply.code) in {(403, "wrong_origin"), (403, "wrong_host")}

    def test_are_in_the_wheel(self, tmp_path: Path) -> None:
        subprocess.run(
            [
                str(ROOT / ".venv/bin/python"),
                "-m",
                "pip",
                "wheel",
                "-q",
                "--no-deps",
                "--no-build-isolation",
                "-w",
                str(tmp_path),
                str(ROOT),
            ],
            check=True,
            capture_output=True,
        )
        (wheel,) = tmp_path.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = set(archive.namelist())
        assert {f"dispatch_daemon/adapters/web/{name}" for name, _ in FILES.values()} <= names


class TestTheWayIn:
    async def test_a_link_is_made_on_the_socket_alone(self, client: DoorClient, door: Door) -> None:
        over_tcp = await client.ask("POST", "/v1/page/links", {})
        assert (over_tcp.status, over_tcp.code) == (403, "socket_only")
        reply = await client.ask("POST", "/v1/page/links", {}, unix=True, Authorization=None)
        assert reply.status == 201
        assert re.fullmatch(rf"http://127\.0\.0\.1:{door.port}/#code=[A-Za-z0-9_-]{{22}}", reply.value["url"])

    async def test_its_code_opens_a_page_once(self, client: DoorClient) -> None:
        link = (await client.ask("POST", "/v1/page/links", {}, unix=True)).value["url"]
        code = link.partition("=")[2]
        first = await client.ask("POST", "/v1/page/sessions", {"code": code}, Authorization=None)
        token = first.value["token"]
        assert first.status == 201
        bare(first)
        assert (await client.ask("GET", "/v1/whoami", Authorization=f"Bearer {token}")).status == 200
        again = await client.ask("POST", "/v1/page/sessions", {"code": code}, Authorization=None)
        assert (again.status, again.code) == (401, "link_over")
        # Two have seen the code, and one of them is not this user: neither keeps what it opened.
        ended = await client.ask("GET", "/v1/whoami", Authorization=f"Bearer {token}")
        assert (ended.status, ended.code, ended.value["hint"]) == (401, "token_wrong", "dispatch ui")

    @pytest.mark.parametrize(
        "body", [{"code": "guess"}, {}, {"code": ""}, {"code": 1}, b"{", {"code": "x" * 65}]
    )
    async def test_nothing_else_does(self, client: DoorClient, body: object) -> None:
        reply = await client.ask("POST", "/v1/page/sessions", body, Authorization=None)  # type: ignore[arg-type]  # bad bodies on purpose
        assert 400 <= reply.status < 500
        assert "token" not in reply.value

    @pytest.mark.parametrize(
        "headers",
        [{"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}, {"Host": "evil.example:80"}],
    )
    async def test_another_page_cannot_use_a_code(self, client: DoorClient, headers: dict[str, str]) -> None:
        link = (await client.ask("POST", "/v1/page/links", {}, unix=True)).value["url"]
        code = {"code": link.partition("=")[2]}
        stolen = await client.ask("POST", "/v1/page/sessions", code, Authorization=None, **headers)
        assert stolen.status == 403
        assert (await client.ask("POST", "/v1/page/sessions", code, Authorization=None)).status == 201

    async def test_every_page_ends_when_its_owner_says_so(self, client: DoorClient) -> None:
        tokens = [await opened(client) for _ in range(3)]
        reply = await client.ask("DELETE", "/v1/page/sessions", unix=True)
        assert reply.value == {"closed": 3}
        for token in tokens:
            assert (await client.ask("GET", "/v1/whoami", Authorization=f"Bearer {token}")).status == 401

    async def test_nothing_of_it_is_logged(
        self, client: DoorClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(0)
        token = await opened(client)
        assert token not in caplog.text
        assert "code" not in caplog.text


class TestWhatAPageMayAsk:
    def test_is_everything_but_what_only_programs_may(self) -> None:
        refused = {route.operation for route in ROUTES if not route.page} - {"download"}
        assert refused == PROGRAMS_ONLY

    @pytest.mark.parametrize(
        "route",
        [route for route in ROUTES if not route.page and route.kind is not Kind.DOWNLOAD],
        ids=lambda route: route.operation,
    )
    async def test_it_is_refused_what_only_programs_may(
        self, client: DoorClient, service: ScriptedService, route: Route
    ) -> None:
        token = await opened(client)
        body = BODIES.get(route.operation, {}) if route.body else None
        for unix in (False, True):
            reply = await client.ask(
                route.method, target(route), body, unix=unix, Authorization=f"Bearer {token}"
            )
            assert (reply.status, reply.code) == (403, "page_refused")
        assert service.calls == []

    @pytest.mark.parametrize(
        "route",
        [route for route in ROUTES if route.page and route.kind in {Kind.CALL, Kind.UPLOAD}],
        ids=lambda route: route.operation,
    )
    async def test_it_is_answered_what_it_may(
        self, client: DoorClient, service: ScriptedService, route: Route
    ) -> None:
        token = await opened(client)
        body = b"bytes" if route.kind is Kind.UPLOAD else BODIES.get(route.operation)
        kind = "application/octet-stream" if route.kind is Kind.UPLOAD else "application/json"
        reply = await client.ask(
            route.method,
            target(route),
            body,
            Authorization=f"Bearer {token}",
            Sec_Fetch_Site="same-origin",
            **({} if body is None else {"Content_Type": kind}),
        )
        assert reply.status == route.status, reply.body
        assert [name for name, _ in service.calls] == [route.operation]
        bare(reply)

    async def test_its_token_is_no_other_ones(self, client: DoorClient) -> None:
        token = await opened(client)
        for wrong in (token[:-1], token + "x", hashlib.sha256(token.encode()).hexdigest(), token.upper()):
            assert (await client.ask("GET", "/v1/whoami", Authorization=f"Bearer {wrong}")).status == 401
        assert (await client.ask("GET", "/v1/whoami", Authorization=f"Basic {token}")).status == 401
