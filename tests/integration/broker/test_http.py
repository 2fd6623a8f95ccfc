"""Plain HTTP: public documents, the development login, and a no that is always a problem document."""

import asyncio
import base64
import hashlib
import html
import re

import aiohttp
import pytest

from dispatch_broker.adapters.http import BODY_BYTES
from dispatch_broker.core.accounts import Signup, SignupMode
from dispatch_broker.core.quota import Quotas, Rate
from dispatch_broker.core.refusal import STATUS
from dispatch_protocol.loopback import CODES
from dispatch_protocol.signing import Document
from dispatch_protocol.timestamps import parse_time
from tests.support.device import now_ms
from tests.support.relay import broker_here

LOGIN = {"email": "alice@example.org", "device": "a" * 64, "genesis": "b" * 64}


@pytest.fixture
async def client():
    async with aiohttp.ClientSession() as session:
        yield session


async def said_no(response):
    """Return the code of a problem document, having checked that it is one."""
    body = await response.json(content_type="application/problem+json")
    assert body["status"] == response.status
    assert set(body) == {"type", "title", "status", "code", "detail"}
    return response.status, body["code"]


@pytest.fixture
async def invited(url, alice, bob):
    """An invitation that Alice has left for Bob: its id and document."""
    async with alice.signed_in(url) as a:
        document = alice.invitation(bob.address, url)
        left = await a.call("invite", document=document.to_json(), to_email=bob.address, emailed=False)
    return left["invitation_id"], document


class TestLogin:
    async def test_a_login_gives_a_short_token(self, url, client):
        async with client.post(f"{url}/v1/login/dev", json=LOGIN) as response:
            body = await response.json()
        assert response.status == 200
        assert set(body) == {"token", "expires_at"}
        assert 9 * 60_000 < parse_time(body["expires_at"]) - now_ms() <= 10 * 60_000

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"null",
            b"[]",
            b"{",
            b'{"email":"a@b","email":"a@b"}',
            b"NaN",
            b"\xff\xfe",
            b'"' + b"[" * 5_000,
            b"[" * 5_000,
        ],
    )
    async def test_what_is_no_json_is_malformed(self, url, client, body):
        headers = {"Content-Type": "application/json"}
        async with client.post(f"{url}/v1/login/dev", data=body, headers=headers) as response:
            assert await said_no(response) == (400, "malformed")

    @pytest.mark.parametrize(
        "change",
        [
            {"email": "nobody"},
            {"email": "<b>@example.org"},
            {"email": 5},
            {"email": "ü@example.org"},
            {"device": "A" * 64},
            {"device": "a" * 63},
            {"genesis": None},
            {"extra": "field"},
        ],
    )
    async def test_fields_are_checked_strictly(self, url, client, change):
        async with client.post(f"{url}/v1/login/dev", json={**LOGIN, **change}) as response:
            assert await said_no(response) == (400, "malformed")

    async def test_a_large_body_is_refused(self, url, client):
        headers = {"Content-Type": "application/json"}
        body = b" " * (BODY_BYTES + 1)
        async with client.post(f"{url}/v1/login/dev", data=body, headers=headers) as response:
            assert await said_no(response) == (413, "too_large")

    async def test_only_json_signs_in(self, url, client):
        async with client.post(f"{url}/v1/login/dev", data=LOGIN) as response:
            assert await said_no(response) == (415, "media_type")

    async def test_a_page_does_not_sign_in(self, url, client):
        headers = {"Origin": "http://evil.example.org"}
        async with client.post(f"{url}/v1/login/dev", json=LOGIN, headers=headers) as response:
            assert await said_no(response) == (403, "browser_refused")

    async def test_logins_of_one_address_are_counted(self, tmp_path, client):
        quotas = Quotas(logins=Rate(2, 60_000))
        async with broker_here(tmp_path / "broker", quotas=quotas) as broker:
            statuses = []
            for address in ("a@example.org", "A@example.org", "a@example.org", "b@example.org"):
                asked = {**LOGIN, "email": address}
                async with client.post(f"{broker.url}/v1/login/dev", json=asked) as response:
                    statuses.append(response.status)
        assert statuses == [200, 200, 429, 200]

    async def test_without_dev_there_is_no_such_login(self, tmp_path, client):
        signup = Signup(SignupMode.OPEN)
        async with broker_here(tmp_path / "broker", dev=False, signup=signup) as broker:
            async with client.post(f"{broker.url}/v1/login/dev", json=LOGIN) as response:
                assert await said_no(response) == (404, "not_found")
            async with client.get(f"{broker.url}/v1/openapi.json") as response:
                assert "/v1/login/dev" not in (await response.json())["paths"]


class TestDevelopmentStaysHome:
    @pytest.mark.parametrize(
        "headers",
        [
            {"Forwarded": "for=203.0.113.5"},
            {"X-Forwarded-For": "203.0.113.5"},
            {"x-forwarded-host": "dispatch.example.org"},
            {"X-Forwarded-Proto": "https"},
            {"X-Forwarded-Port": "443"},
            {"X-Real-IP": "203.0.113.5"},
            {"Via": "1.1 proxy"},
            {"Host": "dispatch.example.org"},
            {"Host": "127.0.0.1.example.org"},
            {"Host": "["},
        ],
    )
    @pytest.mark.parametrize("path", ["/health", "/v1/login/dev", "/v1/session"])
    async def test_nothing_that_may_come_from_elsewhere_is_served(self, url, client, path, headers):
        request = client.post if "login" in path else client.get
        async with request(f"{url}{path}", headers=headers) as response:
            assert await said_no(response) == (403, "dev_only_direct")

    async def test_a_broker_in_earnest_sits_behind_a_proxy(self, tmp_path, client):
        async with broker_here(tmp_path / "broker", dev=False) as broker:
            headers = {"X-Forwarded-For": "203.0.113.5", "Host": "dispatch.example.org"}
            async with client.get(f"{broker.url}/health", headers=headers) as response:
                assert response.status == 200


class TestPublicDocuments:
    async def test_health(self, url, client):
        async with client.get(f"{url}/health") as response:
            assert (await response.json())["status"] == "ok"

    async def test_an_invitation_is_the_signed_document_itself(self, url, client, invited):
        invitation_id, document = invited
        async with client.get(f"{url}/v1/invitations/{invitation_id}") as response:
            assert Document.decode(await response.read()) == document

    async def test_a_chain_is_public(self, url, client, alice, invited):
        async with client.get(f"{url}/v1/chains/{alice.genesis.hex}") as response:
            body = await response.json()
        assert body == {"links": [link.to_json() for link in alice.chain.links]}

    @pytest.mark.parametrize(
        "path",
        [
            "/v1/invitations/none",
            "/v1/invitations/00000000-0000-8000-8000-000000000000",
            f"/v1/chains/{'0' * 64}",
            "/v1/chains/x",
            "/v1/nothing",
            "/",
            "/%00",
        ],
    )
    async def test_what_is_not_there(self, url, client, path):
        async with client.get(url + path) as response:
            assert await said_no(response) == (404, "not_found")

    async def test_a_wrong_method(self, url, client):
        async with client.post(f"{url}/health") as response:
            assert await said_no(response) == (405, "method_not_allowed")
            assert response.headers["Allow"] == "GET,HEAD"

    async def test_a_session_asks_for_an_upgrade(self, url, client):
        async with client.get(f"{url}/v1/session") as response:
            assert await said_no(response) == (426, "upgrade_needed")
            assert response.headers["Upgrade"] == "websocket"

    async def test_requests_have_a_rate(self, tmp_path, client):
        async with broker_here(tmp_path / "broker", quotas=Quotas(requests=Rate(3, 60_000))) as broker:
            statuses = []
            for _ in range(4):
                async with client.get(f"{broker.url}/health") as response:
                    statuses.append(response.status)
            assert statuses == [200, 200, 200, 429]
            assert response.headers["Retry-After"]

    async def test_every_answer_is_closed_to_pages(self, url, client):
        async with client.get(f"{url}/health") as response:
            headers = response.headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert headers["Server"] == "dispatch-broker"
        assert not [name for name in headers if name.lower().startswith("access-control")]


class TestLandingPage:
    async def test_it_says_who_invites_whom_and_what_to_type(self, url, client, invited, alice, bob):
        invitation_id, _ = invited
        async with client.get(f"{url}/i/{invitation_id}") as response:
            page = html.unescape(await response.text())
        for expected in (
            f"{alice.address} invites {bob.address}",
            f"Install Dispatch, from where {alice.address} or whoever runs {url} tells you to.",
            f"dispatch login --broker {url} --email {bob.address} --dev",
            "dispatch accept-invitation TOKEN",
            f"dispatch decline-invitation {invitation_id}",
        ):
            assert expected in page
        assert "pip" not in page, "no name is told that anybody may have taken"

    async def test_it_has_no_script_and_a_policy_that_allows_none(self, url, client, invited):
        async with client.get(f"{url}/i/{invited[0]}") as response:
            page, policy = await response.text(), response.headers["Content-Security-Policy"]
        assert "<script" not in page
        assert not re.search(r"\b(on\w+|src|href|action)=", page)
        (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
        assert response.headers["Referrer-Policy"] == "no-referrer"

    async def test_looking_changes_nothing(self, url, client, invited, bob):
        for _ in range(3):
            for request in (client.get, client.head):
                async with request(f"{url}/i/{invited[0]}") as response:
                    assert response.status == 200
        async with bob.signed_in(url) as b:
            (received,) = (await b.call("invitations"))["received"]
            assert received["status"] == "pending"

    async def test_everything_is_escaped(self, url, client, alice):
        awkward = "a&b'c@example.org"
        async with alice.signed_in(url) as a:
            document = alice.invitation(awkward, url).to_json()
            left = await a.call("invite", document=document, to_email=awkward, emailed=False)
        async with client.get(left["link"]) as response:
            page = await response.text()
        assert awkward not in page
        assert html.escape(awkward) in page

    async def test_it_says_how_an_invitation_ended(self, url, client, invited, bob, clock):
        async with bob.signed_in(url) as b:
            await b.call("decline_invitation", invitation_id=invited[0])
        async with client.get(f"{url}/i/{invited[0]}") as response:
            assert "It has been declined." in await response.text()

    async def test_it_says_that_an_invitation_expired(self, url, client, invited, clock):
        clock.ahead_ms = 8 * 86_400_000
        async with client.get(f"{url}/i/{invited[0]}") as response:
            page = await response.text()
        assert "It has expired." in page
        assert "accept-invitation" not in page

    async def test_an_unknown_one_has_a_page_too(self, url, client):
        async with client.get(f"{url}/i/<script>") as response:
            assert response.status == 404
            assert "No such invitation" in await response.text()


class TestDescription:
    async def test_every_route_is_described_and_every_description_is_served(self, url, client):
        async with client.get(f"{url}/v1/openapi.json") as response:
            document = await response.json()
        assert document["openapi"].startswith("3.1")
        assert document["servers"] == [{"url": url}]
        filled = {
            "{id}": "00000000-0000-8000-8000-000000000000",
            "{genesis}": "0" * 64,
            "{address}": "0" * 64,
            "{place}": "0" * 64,
        }
        for path, operations in document["paths"].items():
            real = re.sub(r"\{\w+\}", lambda name: filled[name[0]], path)
            for method, operation in operations.items():
                async with client.request(method, url + real) as response:
                    assert response.status != 405
                    assert str(response.status) in operation["responses"], (path, response.status)

    async def test_every_reference_leads_somewhere(self, url, client):
        async with client.get(f"{url}/v1/openapi.json") as response:
            text, document = await response.text(), await response.json(content_type=None)
        for name in re.findall(r'"#/components/schemas/(\w+)"', text):
            assert name in document["components"]["schemas"]

    async def test_every_code_the_broker_says_is_one_that_the_command_line_knows(self):
        assert {code: STATUS[code] for code in STATUS} == {code: CODES[code.value][0] for code in STATUS}


@pytest.mark.parametrize("drop", [b"", b"a"], ids=["silent", "drop by drop"])
async def test_a_client_that_never_asks_is_hung_up(tmp_path, monkeypatch, drop):
    monkeypatch.setattr("dispatch_broker.app._QUIET_S", 0.1)
    async with broker_here(tmp_path / "broker") as broker:
        host, port = broker.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /health HTTP/1.1\r\nHost: 127")
        await let_go(reader, writer, drop)


async def test_a_body_that_comes_drop_by_drop_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("dispatch_broker.adapters.login._BODY_S", 0.1)
    async with broker_here(tmp_path / "broker") as broker:
        place = broker.url.removeprefix("http://")
        reader, writer = await asyncio.open_connection(*place.split(":"))
        writer.write(
            f"POST /v1/login/dev HTTP/1.1\r\nHost: {place}\r\nContent-Type: application/json\r\n"
            "Content-Length: 9000\r\n\r\n{".encode()
        )
        async with asyncio.timeout(10):
            answered = asyncio.ensure_future(reader.readline())
            while not answered.done():
                writer.write(b" ")
                await asyncio.wait({answered}, timeout=0.01)
        assert b" 400 " in answered.result()
        writer.close()


async def let_go(reader, writer, drop):
    """Keep the connection busy with drops until the broker ends it."""
    async with asyncio.timeout(30):
        ended = asyncio.ensure_future(reader.read())
        while not ended.done():
            writer.write(drop)
            await asyncio.wait({ended}, timeout=0.01)
    assert ended.exception() is None or isinstance(ended.exception(), ConnectionError)
    writer.close()
