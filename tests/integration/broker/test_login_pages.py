"""The page of a sign-in as programs that mean harm see it: forms from elsewhere, guessed codes, names full of markup."""

import aiohttp
import pytest

from dispatch_broker.core.accounts import Signup, SignupMode
from dispatch_broker.core.quota import Quotas, Rate
from tests.support.form_client import FormClient
from tests.support.mail_sink import MailSink
from tests.support.relay import broker_here
from tests.support.signing_broker import until_mailed

ALICE = "alice@example.org"


@pytest.fixture
def sink():
    with MailSink() as sink:
        yield sink


@pytest.fixture
async def client():
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def mailing(tmp_path, clock, sink, client):
    async with broker_here(tmp_path / "broker", clock=clock, **sink.settings) as broker:
        yield FormClient(broker.url, client)


async def step(form, path="", *, origin=None, **fields):
    """Post one form of the page, from the page itself unless another origin is named."""
    headers = {"Origin": origin or form.url}
    async with form._client.post(f"{form.url}/login{path}", data=fields, headers=headers) as response:
        return response.status, await response.text(), response.headers


async def test_looking_at_it_changes_nothing(mailing, client):
    begun = await mailing.begin()
    for what in ("", f"?user_code={begun['user_code']}&email={ALICE}&code=00000000"):
        async with client.get(f"{mailing.url}/login{what}") as response:
            assert (response.status, response.headers.get("Set-Cookie")) == (200, None)
            assert begun["user_code"] not in await response.text()
    for path in ("/mail", "/allow", "/deny"):
        async with client.get(f"{mailing.url}/login{path}") as response:
            assert response.status == 405
    assert (await mailing.token(begun)).no == (400, "authorization_pending")


async def test_a_page_holds_nothing_that_runs_and_goes_nowhere_else(mailing):
    begun = await mailing.begin(device_name="<script>alert(1)</script>\u202e")
    status, text, headers = await step(mailing, user_code=begun["user_code"])
    assert status == 200
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;</dd>" in text
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert policy.endswith("base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://localhost"])
async def test_a_form_from_elsewhere_is_refused(mailing, origin):
    begun = await mailing.begin()
    for path, more in (("", {}), ("/mail", {"email": ALICE}), ("/allow", {"code": "1"}), ("/deny", {})):
        status, text, _ = await step(mailing, path, origin=origin, user_code=begun["user_code"], **more)
        assert (status, "did not come from this page" in text) == (403, True)
    assert (await mailing.token(begun)).no == (400, "authorization_pending")


async def test_codes_are_not_guessed(tmp_path, sink, client):
    quotas = Quotas(typed_codes=Rate(3, 60_000))
    async with broker_here(tmp_path / "broker", quotas=quotas, **sink.settings) as broker:
        form = FormClient(broker.url, client)
        begun = await form.begin()
        said = [(await step(form, user_code="BCDF-GHJK"))[0] for _ in range(3)]
        assert said == [404] * 3
        assert (await step(form, user_code=begun["user_code"]))[0] == 429


async def test_what_the_device_will_be_told_is_said_to_who_has_proven_the_address(tmp_path, sink, client):
    signup = Signup(SignupMode.CLOSED)
    async with broker_here(tmp_path / "broker", signup=signup, **sink.settings) as broker:
        form = FormClient(broker.url, client)
        begun = await form.begin()
        status, text, _ = await step(form, "/mail", user_code=begun["user_code"], email=ALICE)
        assert (status, "a code is on its way" in text) == (200, True)
        assert not sink.mails


async def test_a_proven_address_lets_the_device_in_once(mailing, sink):
    begun = await mailing.begin()
    await step(mailing, "/mail", user_code=begun["user_code"], email=ALICE)
    code = await until_mailed(sink, 1)
    status, text, _ = await step(mailing, "/allow", user_code=begun["user_code"], code=code)
    assert (status, f"signed in as {ALICE}" in text) == (200, True)
    again = await step(mailing, "/allow", user_code=begun["user_code"], code=code)
    assert again[0] == 404
    assert (await mailing.token(begun)).body["email"] == ALICE
    assert (await mailing.token(begun)).no == (400, "expired_token")


async def test_five_wrong_codes_on_the_page_refuse_the_device(mailing, sink):
    begun = await mailing.begin()
    await step(mailing, "/mail", user_code=begun["user_code"], email=ALICE)
    await until_mailed(sink, 1)
    said = [
        (await step(mailing, "/allow", user_code=begun["user_code"], code="00000000"))[0] for _ in range(5)
    ]
    assert said == [401] * 4 + [400]
    assert (await mailing.token(begun)).no == (400, "access_denied")


async def test_a_device_that_wants_one_address_gets_no_other(mailing, sink):
    begun = await mailing.begin(email=ALICE)
    status, text, _ = await step(mailing, "/mail", user_code=begun["user_code"], email="eve@example.org")
    assert (status, 'role="alert"' in text) == (409, True)
    assert not sink.mails


@pytest.mark.parametrize(
    "fields",
    [{}, {"user_code": ""}, {"user_code": "BCDFGHJK", "more": "x"}, {"user_code": "B" * 9}],
)
async def test_a_step_that_is_no_step_is_answered_with_a_page(mailing, fields):
    status, text, headers = await step(mailing, **fields)
    assert status in {400, 404}
    assert "<h1>Sign in a device</h1>" in text
    assert headers["Content-Type"].startswith("text/html")


async def test_without_mail_there_is_no_page(url, client):
    async with client.get(f"{url}/login") as response:
        assert response.status == 404
