"""What the door answers over real sockets: every route, in its described shape, through one call of the service."""

import inspect
import json
import logging

import pytest
from pydantic import BaseModel

from dispatch_daemon.adapters.loopback.answers import ANSWERS
from dispatch_daemon.adapters.loopback.openapi import describe
from dispatch_daemon.adapters.loopback.reading import body_arguments, query_arguments
from dispatch_daemon.adapters.loopback.route import Kind, Route
from dispatch_daemon.adapters.loopback.routes import ROUTES
from dispatch_daemon.ports import DoorService, ScopeChoice, SendRequest, ServiceError
from dispatch_protocol import loopback
from dispatch_protocol.budget import Budget
from dispatch_protocol.errors import LocalError, MalformedError, RefusalCode, RefusedError
from tests.support.door_client import DoorClient
from tests.support.door_requests import BODIES, assert_problem, target
from tests.support.scripted_answers import DISPATCH, OTHER
from tests.support.scripted_service import ScriptedService

_ELSEWHERE = {Kind.STREAM, Kind.DOWNLOAD, Kind.LINK, Kind.SESSION}  # links and sessions: test_door_pages.py
SERVED = [route for route in ROUTES if route.kind not in _ELSEWHERE]


@pytest.mark.parametrize("unix", [False, True])
@pytest.mark.parametrize("route", SERVED, ids=lambda route: route.operation)
async def test_every_route_answers_in_its_described_shape(
    client: DoorClient, route: Route, unix: bool
) -> None:
    body = b"bytes of a file" if route.kind is Kind.UPLOAD else BODIES.get(route.operation)
    kind = "application/octet-stream" if route.kind is Kind.UPLOAD else "application/json"
    reply = await client.ask(
        route.method, target(route), body, unix=unix, **({} if body is None else {"Content_Type": kind})
    )
    assert reply.status == route.status, reply.body
    assert reply.headers["content-type"].startswith("application/json")
    model: type[BaseModel] = ANSWERS[route.answer]
    model.model_validate_json(reply.body)


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.kind is Kind.CALL or route.kind is Kind.STREAM]
)
def test_every_route_names_the_arguments_of_its_method(route: Route) -> None:
    given_names = set(route.parameters)
    if route.body is not None:
        given_names |= set(body_arguments(route.body, json.dumps(BODIES.get(route.operation, {})).encode()))
    if route.query is not None:
        given_names |= set(query_arguments(route.query, ""))
    if route.keyed:
        given_names.add("idempotency_key")
    method = inspect.signature(getattr(DoorService, route.operation))
    assert given_names == set(method.parameters) - {"self"}


async def test_answers_are_of_no_use_to_a_foreign_page(client: DoorClient) -> None:
    for path in ("/health", "/nowhere"):
        headers = (await client.ask("GET", path)).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["server"] == "dispatch"
        assert "set-cookie" not in headers
        assert not [name for name in headers if name.startswith("access-control")]


async def test_a_dispatch_is_sent_with_everything_it_carries(
    client: DoorClient, service: ScriptedService
) -> None:
    body = {
        "recipient": "bob@example.org",
        "task": "Schau nach: ⟨grün⟩ 🦊\nund schreib es auf",
        "steps": [{"tool": "Read", "input": {"file_path": "a", "limit": 3}, "allow_failure": True}],
        "background": "since Monday",
        "link": ["https://example.org/a"],
        "deliverable": "a list",
        "project": "api",
        "meta": {"ticket": "17"},
        "expires": 600,
        "timeout": 60,
    }
    reply = await client.ask("POST", "/v1/dispatches", body, Idempotency_Key="k-1")
    assert reply.status == 201
    assert service.calls == [
        (
            "send",
            {
                "request": SendRequest(
                    recipient="bob@example.org",
                    task=str(body["task"]),
                    steps=[{"tool": "Read", "input": {"file_path": "a", "limit": 3}, "allow_failure": True}],
                    background="since Monday",
                    links=["https://example.org/a"],
                    deliverable="a list",
                    project="api",
                    meta={"ticket": "17"},
                    expires_s=600,
                    timeout_s=60,
                ),
                "idempotency_key": "k-1",
            },
        )
    ]


async def test_scopes_are_passed_on_as_the_human_chose_them(
    client: DoorClient, service: ScriptedService
) -> None:
    body = {
        "token": "dispatch1:x#y",
        "tools": ["Read", "Grep"],
        "paths": [{"path": "/srv/api", "mode": "rw"}, {"path": "/srv/docs"}],
        "mcp_servers": [],
        "network": ["example.org"],
        "approval": "review",
        "returns": "trace",
        "max_per_day": 3,
        "expires_at": "2026-01-02T03:04:05.678Z",
        "budget": {"turns": 20, "cost_microusd": 500_000},
    }
    assert (await client.ask("POST", "/v1/invitations/accept", body)).status == 200
    assert service.calls[0][1]["choice"] == ScopeChoice(
        tools=["Read", "Grep"],
        profile=None,
        paths=(("/srv/api", "rw"), ("/srv/docs", "ro")),
        mcp_servers=[],
        network=["example.org"],
        approval="review",
        returns="trace",
        max_per_day=3,
        expires_at_ms=1_767_323_045_678,
        budget=Budget(turns=20, cost_microusd=500_000),
    )


async def test_an_end_that_is_lifted_is_not_one_that_was_not_mentioned(
    client: DoorClient, service: ScriptedService
) -> None:
    for said, meant in (("never", 0), ("1970-01-01T00:00:00Z", 1), ("0001-01-01T00:00:00Z", 1)):
        assert (
            await client.ask("POST", "/v1/contacts/edit", {"peer": "alice", "expires_at": said})
        ).status == 200
        assert service.calls[-1][1]["choice"].expires_at_ms == meant
    for wrong in ("Never", "", 0):
        reply = await client.ask("POST", "/v1/contacts/edit", {"peer": "alice", "expires_at": wrong})
        assert reply.status == 422


async def test_what_was_not_mentioned_is_not_invented(client: DoorClient, service: ScriptedService) -> None:
    reply = await client.ask("POST", "/v1/invitations/accept", {"token": "x"})
    assert (reply.status, reply.code) == (422, "scope_choice_required")
    assert service.calls[0][1]["choice"] == ScopeChoice()


async def test_a_page_of_a_list_is_asked_for_in_the_query(
    client: DoorClient, service: ScriptedService
) -> None:
    await client.ask("GET", "/v1/dispatches")
    await client.ask("GET", "/v1/dispatches?box=sent&cursor=abc%20d&limit=7")
    assert [arguments for _, arguments in service.calls] == [
        {"box": "inbox", "cursor": None, "limit": 50},
        {"box": "sent", "cursor": "abc d", "limit": 7},
    ]


async def test_an_ambiguous_id_lists_the_candidates(client: DoorClient) -> None:
    reply = await client.ask("GET", "/v1/dispatches/4f2a")
    assert_problem(reply)
    assert (reply.code, reply.value["candidates"]) == ("ambiguous", [DISPATCH, OTHER])


async def test_a_refusal_carries_its_own_hint_or_the_tables(
    client: DoorClient, service: ScriptedService
) -> None:
    service.fail_with = ServiceError(
        "no_edge", "Bob has not allowed it.", hint="dispatch invite bob@example.org"
    )
    reply = await client.ask("POST", "/v1/dispatches", BODIES["send"])
    assert_problem(reply)
    assert reply.value == {
        "type": "urn:dispatch:problem:no_edge",
        "title": "Forbidden",
        "status": 403,
        "detail": "Bob has not allowed it.",
        "code": "no_edge",
        "hint": "dispatch invite bob@example.org",
    }
    service.fail_with = ServiceError("no_edge", "Bob has not allowed it.")
    assert (await client.ask("POST", "/v1/dispatches", BODIES["send"])).value["hint"] == loopback.hint(
        "no_edge"
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LocalError("outside_paths", "not in there"), "outside_paths"),
        (LocalError("never_heard_of", "?"), "bad_request"),
        (MalformedError("no token"), "malformed"),
        (RefusedError(RefusalCode.MAC_BAD, "wrong secret"), "mac_bad"),
    ],
)
async def test_a_refusal_of_the_protocol_is_a_refusal_of_the_door(
    client: DoorClient, service: ScriptedService, error: Exception, code: str
) -> None:
    service.fail_with = error
    reply = await client.ask("POST", "/v1/invitations/accept", BODIES["accept_invitation"])
    assert_problem(reply)
    assert reply.code == code


async def test_what_nobody_foresaw_is_logged_and_shows_nothing(
    client: DoorClient, service: ScriptedService, caplog: pytest.LogCaptureFixture
) -> None:
    service.fail_with = KeyError("secret detail")
    with caplog.at_level(logging.ERROR):
        reply = await client.ask("GET", "/v1/whoami")
    assert (reply.status, reply.code) == (500, "internal")
    assert b"secret" not in reply.body
    incident = reply.value["detail"].rsplit(" ", 1)[1].rstrip(".")
    (record,) = [record for record in caplog.records if incident in record.getMessage()]
    assert record.exc_info is not None
    assert (await client.ask("GET", "/health")).status == 200


async def test_text_without_a_utf8_form_costs_only_itself(
    client: DoorClient, service: ScriptedService
) -> None:
    service.fail_with = ServiceError("not_found", "no file \udcff here")
    reply = await client.ask("GET", "/v1/whoami")
    assert reply.value["detail"] == "no file ? here"


def test_the_description_covers_every_route_and_refers_to_nothing_missing() -> None:
    document = describe()
    assert document["openapi"].startswith("3.1")
    described = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert described == {(route.path, route.method.lower()) for route in ROUTES}
    operations = [one["operationId"] for methods in document["paths"].values() for one in methods.values()]
    assert len(operations) == len(set(operations))
    schemas = document["components"]["schemas"]
    text = json.dumps(document)
    for reference in {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}:
        assert reference in schemas
    for route in ROUTES:
        for model in (route.body, route.query):
            if model is not None and model in schemas:
                assert schemas[model]["additionalProperties"] is False


async def test_the_description_is_served(client: DoorClient) -> None:
    reply = await client.ask("GET", "/v1/openapi.json")
    assert reply.value == json.loads(json.dumps(describe()))
    assert reply.value["paths"]["/v1/dispatches"]["post"]["requestBody"]["required"] is True
    assert (
        reply.value["paths"]["/v1/dispatches/{dispatch_id}/accept"]["post"]["requestBody"]["required"]
        is False
    )


class TestFilesAtTheDoor:
    """Bytes come as they are, are never held as a whole, and are refused before the service hears of them."""

    async def test_reaches_the_service_piece_by_piece(
        self, client: DoorClient, service: ScriptedService
    ) -> None:
        data = bytes(range(256)) * 4_000
        reply = await client.ask("POST", "/v1/files", data, Content_Type="application/octet-stream")
        assert (reply.status, reply.value["size_bytes"]) == (201, len(data))
        assert service.calls[-1] == ("keep_file", {"data": data})

    async def test_an_empty_file_is_a_file(self, client: DoorClient) -> None:
        reply = await client.ask("POST", "/v1/files", b"", Content_Type="application/octet-stream")
        assert (reply.status, reply.value["size_bytes"]) == (201, 0)

    @pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data"])
    async def test_what_a_form_of_a_page_could_send_is_refused(self, client: DoorClient, kind: str) -> None:
        reply = await client.ask("POST", "/v1/files", b"x", Content_Type=kind)
        assert_problem(reply)
        assert reply.code == "unsupported_media_type"


class TestDownloads:
    """The address of a file is the secret: no header is needed, and no page can use the answer."""

    async def test_a_file_comes_to_be_saved_and_never_to_be_shown(
        self, client: DoorClient, service: ScriptedService
    ) -> None:
        reply = await client.ask("GET", "/v1/downloads/once", Authorization=None)
        assert reply.status == 200
        assert reply.headers["content-type"] == "application/octet-stream"
        assert reply.headers["content-disposition"] == "attachment; filename*=UTF-8''a%20name%20%E2%80%AE.txt"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["cross-origin-resource-policy"] == "same-origin"
        assert b"A small real daemon" in reply.body
        assert service.calls[-1] == ("download", {"key": "once"})

    async def test_a_used_address_says_no_and_the_other_guards_stand(
        self, client: DoorClient, service: ScriptedService
    ) -> None:
        service.fail_with = ServiceError("not_found", "used")
        reply = await client.ask("GET", "/v1/downloads/once", Authorization=None)
        assert reply.status == 404
        for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
            reply = await client.ask("GET", "/v1/downloads/once", Authorization=None, **headers)
            assert reply.status == 403
        for method, path in (("POST", "/v1/downloads/once"), ("GET", "/v1/whoami"), ("GET", "/v1/downloads")):
            assert (await client.ask(method, path, Authorization=None)).status == 401
