"""Signing in over HTTP: a device begins, a code goes by mail, the token is handed out once; every way to be refused."""

import aiohttp
import pytest

from dispatch_broker.core.accounts import Signup, SignupMode
from dispatch_broker.core.quota import Quotas, Rate
from dispatch_broker.core.signin import MAIL_CODE_MS, SIGN_IN_MS, read_user_code
from tests.support.form_client import GRANT, FormClient
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
    """A broker that mails codes, as a program that speaks forms sees it."""
    async with broker_here(tmp_path / "broker", clock=clock, **sink.settings) as broker:
        yield FormClient(broker.url, client)


async def test_a_mailed_code_becomes_a_token_once(mailing, sink):
    begun = await mailing.begin(device_name="laptop", email=ALICE)
    assert begun["verification_uri"] == f"{mailing.url}/login"
    assert (begun["expires_in"], begun["interval"], begun["ways"]) == (900, 5, ["mail"])
    assert read_user_code(begun["user_code"])
    asked = await mailing.post("mail", device_code=begun["device_code"], email="Alice@Example.org")
    assert (asked.status, asked.body) == (202, {"expires_in": 600})
    code = await until_mailed(sink, 1)
    wrong = await mailing.post("code", device_code=begun["device_code"], code="00000000")
    assert wrong.no == (401, "code_wrong")
    done = await mailing.post("code", device_code=begun["device_code"], code=code)
    assert (done.status, done.body["email"], done.body["token_type"]) == (200, ALICE, "dispatch-device")
    assert done.body["expires_in"] == 600
    again = await mailing.post("code", device_code=begun["device_code"], code=code)
    assert again.no == (400, "expired_token")
    assert (await mailing.token(begun)).no == (400, "expired_token")


async def test_a_code_is_good_for_the_sign_in_it_was_mailed_for(mailing, sink):
    one, other = await mailing.begin(), await mailing.begin()
    await mailing.post("mail", device_code=one["device_code"], email=ALICE)
    code = await until_mailed(sink, 1)
    await mailing.post("mail", device_code=other["device_code"], email=ALICE)
    await until_mailed(sink, 2)
    stolen = await mailing.post("code", device_code=other["device_code"], code=code)
    assert stolen.no == (401, "code_wrong")


async def test_five_wrong_codes_end_it(mailing, sink):
    begun = await mailing.begin()
    await mailing.post("mail", device_code=begun["device_code"], email=ALICE)
    code = await until_mailed(sink, 1)
    said = [await mailing.post("code", device_code=begun["device_code"], code="00000000") for _ in range(5)]
    assert [each.no for each in said] == [(401, "code_wrong")] * 4 + [(400, "access_denied")]
    late = await mailing.post("code", device_code=begun["device_code"], code=code)
    assert late.no == (400, "access_denied")
    assert (await mailing.token(begun)).no == (400, "access_denied")


async def test_a_device_that_asks_is_told_to_wait_and_to_slow_down(mailing, clock):
    begun = await mailing.begin()
    assert (await mailing.token(begun)).no == (400, "authorization_pending")
    hurried = await mailing.token(begun)
    assert hurried.no == (400, "slow_down")
    assert hurried.body["error"] == "slow_down"
    clock.ahead_ms += 5_000
    assert (await mailing.token(begun)).no == (400, "slow_down")  # it is ten seconds now, and then fifteen
    clock.ahead_ms += 15_000
    assert (await mailing.token(begun)).no == (400, "authorization_pending")
    clock.ahead_ms += SIGN_IN_MS
    assert (await mailing.token(begun)).no == (400, "expired_token")


async def test_a_code_has_its_time(mailing, sink, clock):
    begun = await mailing.begin()
    await mailing.post("mail", device_code=begun["device_code"], email=ALICE)
    code = await until_mailed(sink, 1)
    clock.ahead_ms += MAIL_CODE_MS
    assert (await mailing.post("code", device_code=begun["device_code"], code=code)).no == (401, "code_wrong")


async def test_who_may_not_sign_in_is_answered_like_everybody_and_gets_no_mail(tmp_path, sink, client):
    """A closed broker says the same for an address with an account and one without; only the mail tells them apart."""
    closed = Signup(SignupMode.CLOSED)
    async with broker_here(tmp_path / "broker", dev=False, signup=closed, **sink.settings) as broker:
        form = FormClient(broker.url, client)
        begun = await form.begin()
        answers = [
            await form.post("mail", device_code=begun["device_code"], email=ALICE),
            await form.post("code", device_code=begun["device_code"], code="00000000"),
        ]
    assert [each.status for each in answers] == [202, 401]
    assert not sink.mails


async def test_mails_to_one_address_are_counted(tmp_path, sink, client):
    quotas = Quotas(login_mails=Rate(2, 60_000))
    async with broker_here(tmp_path / "broker", quotas=quotas, **sink.settings) as broker:
        form = FormClient(broker.url, client)
        statuses = []
        for _ in range(3):
            begun = await form.begin()
            asked = await form.post("mail", device_code=begun["device_code"], email=ALICE)
            statuses.append(asked.status)
    assert statuses == [202, 202, 429]


async def test_sign_ins_are_counted_by_network_address_and_in_all(tmp_path, sink, client):
    quotas = Quotas(sign_ins=Rate(3, 60_000))
    async with broker_here(tmp_path / "one", quotas=quotas, **sink.settings) as broker:
        form = FormClient(broker.url, client)
        for _ in range(3):
            await form.begin()
        refused = await form.post("device", device="d" * 64, genesis="e" * 64)
        assert refused.no == (429, "rate_limited")
    quotas = Quotas(open_sign_ins=2)
    async with broker_here(tmp_path / "two", quotas=quotas, **sink.settings) as broker:
        form = FormClient(broker.url, client)
        for _ in range(2):
            await form.begin()
        refused = await form.post("device", device="d" * 64, genesis="e" * 64)
        assert refused.no == (429, "rate_limited")


async def test_what_ended_makes_room(tmp_path, clock, sink, client):
    quotas = Quotas(open_sign_ins=1)
    async with broker_here(tmp_path / "broker", clock=clock, quotas=quotas, **sink.settings) as broker:
        form = FormClient(broker.url, client)
        await form.begin()
        clock.ahead_ms += SIGN_IN_MS
        await form.begin()


async def test_a_broker_without_mail_says_so(url, client):
    form = FormClient(url, client)
    refused = await form.post("device", device="d" * 64, genesis="e" * 64)
    assert refused.no == (403, "sign_in_unavailable")


@pytest.mark.parametrize(
    ("what", "fields"),
    [
        ("device", {}),
        ("device", {"device": "D" * 64, "genesis": "e" * 64}),
        ("device", {"device": "d" * 64, "genesis": "e" * 64, "email": "nobody"}),
        ("device", {"device": "d" * 64, "genesis": "e" * 64, "more": "x"}),
        ("mail", {"device_code": "x"}),
        ("code", {"device_code": "x" * 200, "code": "1"}),
        ("token", {"grant_type": "password", "device_code": "x"}),
    ],
)
async def test_fields_are_checked_strictly(mailing, what, fields):
    assert (await mailing.post(what, **fields)).no == (400, "malformed")


async def test_another_grant_is_refused_in_the_word_that_oauth_has_for_it(mailing):
    """RFC 6749, 5.2; fields that are wrong in another way stay an `invalid_request`."""
    other = await mailing.post("token", grant_type="password", device_code="x")
    assert (*other.no, other.body["error"]) == (400, "malformed", "unsupported_grant_type")
    none = await mailing.post("token", device_code="x")
    assert (*none.no, none.body["error"]) == (400, "malformed", "invalid_request")


@pytest.mark.parametrize(
    "body", [b"device=a&device=a", b"device", b"%ff=%ff", b"\xff", b"&".join([b"a=b"] * 20)]
)
async def test_what_is_no_form_is_malformed(mailing, client, body):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with client.post(f"{mailing.url}/v1/login/device", data=body, headers=headers) as response:
        assert (await response.json(content_type=None))["code"] == "malformed"


@pytest.mark.parametrize("what", ["device", "mail", "code", "token"])
async def test_pages_and_other_media_are_refused(mailing, client, what):
    place = f"{mailing.url}/v1/login/{what}"
    async with client.post(place, data={"a": "b"}, headers={"Origin": "http://evil.example"}) as response:
        assert (await response.json(content_type=None))["code"] == "browser_refused"
    async with client.post(place, json={}) as response:
        assert (await response.json(content_type=None))["code"] == "media_type"


async def test_an_unknown_device_code_is_over(mailing):
    for what, fields in (
        ("mail", {"email": ALICE}),
        ("code", {"code": "1"}),
        ("token", {"grant_type": GRANT}),
    ):
        assert (await mailing.post(what, device_code="guessed", **fields)).no == (400, "expired_token")


async def test_a_server_that_is_busy_is_asked_again(tmp_path, sink, client, monkeypatch):
    monkeypatch.setattr("dispatch_broker.adapters.code_mails._AGAIN_S", 0.05)
    sink.reply = "451 busy"
    async with broker_here(tmp_path / "broker", **sink.settings) as broker:
        form = FormClient(broker.url, client)
        begun = await form.begin()
        await form.post("mail", device_code=begun["device_code"], email=ALICE)
        await until_mailed(sink, 1, refused=True)
        sink.reply = "250 kept"
        await until_mailed(sink, 1)


async def test_a_device_signs_in_under_the_address_it_asked_for_only(mailing):
    begun = await mailing.begin(email=ALICE)
    other = await mailing.post("mail", device_code=begun["device_code"], email="eve@example.org")
    assert other.no == (409, "address_mismatch")
