"""Proving an address at an OpenID provider that lies, or whose honest answers somebody else carries about."""

import hashlib
import hmac
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest

from dispatch_broker.core.accounts import Signup, SignupMode
from tests.support.form_client import FormClient
from tests.support.hostile_provider import (
    CLIENT_ID,
    HostileProvider,
    compact,
    hostile_provider,
    other_keys,
    pem,
    public_key,
    rsa_key,
)
from tests.support.page_visitor import Browser
from tests.support.relay import broker_here

CAROL = "carol@example.org"
COOKIE = "dispatch-sign-in"


@pytest.fixture
async def provider():
    async with hostile_provider() as provider:
        yield provider


@pytest.fixture
async def broker(tmp_path, clock, provider):
    settings = {"clock": clock, "provider": provider.registration}
    async with broker_here(tmp_path / "broker", **settings) as broker:
        yield broker


@pytest.fixture
async def form(broker):
    async with aiohttp.ClientSession() as session:
        yield FormClient(broker.url, session)


@pytest.fixture
async def browser(broker):
    async with Browser(broker.url) as browser:
        yield browser


async def waits(form, begun):
    """Whether the device has still got nothing."""
    return (await form.token(begun)).no[1] in {"authorization_pending", "slow_down"}


async def test_the_device_is_let_in_under_the_address_of_the_provider(form, browser, provider):
    begun = await form.begin(device_name="carols laptop")
    assert begun["ways"] == ["provider"]
    way = await browser.leave(begun)
    asked = dict(parse_qsl(urlsplit(way).query))
    assert asked["redirect_uri"] == f"{form.url}/login/back"
    status, text = await browser.come_back(await browser.agree(way))
    assert (status, f"says that you are <strong>{CAROL}</strong>" in text) == (200, True)
    assert "carols laptop" in text
    assert await waits(form, begun), "nobody has said yes to it"
    status, text = await browser.post("vouched", begun)
    assert (status, f"signed in as {CAROL}" in text) == (200, True)
    assert (await form.token(begun)).body["email"] == CAROL
    assert not browser.cookies()


async def test_nothing_that_is_secret_leaves_in_an_address(form, browser, provider):
    begun = await form.begin()
    way = await browser.leave(begun)
    asked = dict(parse_qsl(urlsplit(way).query))
    await browser.come_back(await browser.agree(way))
    [exchanged] = provider.asked
    binding = browser.cookies()[COOKIE].value
    assert browser.given == [f"{COOKIE}={binding}; HttpOnly; Max-Age=900; Path=/; SameSite=Lax"]
    for secret in (binding, exchanged["code_verifier"], begun["device_code"], begun["user_code"]):
        assert secret not in way
    assert len({asked["state"], asked["nonce"], binding, exchanged["code_verifier"]}) == 4


@pytest.mark.parametrize(
    "lie",
    [
        {"nonce": "that of another sign-in"},
        {"nonce": None},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email": "not an address"},
        {"iss": "https://another.example"},
        {"aud": "another client"},
        {"aud": [CLIENT_ID, "another client"]},
        {"azp": "another client"},
        {"exp": 1_700_000_000},
        {"iat": 1_700_000_000},
    ],
    ids=lambda lie: " ".join(f"{name} {value}" for name, value in lie.items()),
)
async def test_a_signed_word_that_is_wrong_proves_nothing(form, browser, provider, lie):
    provider.claims |= lie
    begun = await form.begin()
    status, text = await browser.prove(begun)
    assert (status, 'role="alert"' in text) == (403, True)
    assert len(provider.asked) == 1
    assert (await browser.post("vouched", begun))[0] == 400
    assert await waits(form, begun)


def unsigned(claims):
    return compact({"alg": "none", "typ": "JWT"}, claims)


def keyed_with_what_everybody_knows(claims):
    """The old confusion: the public key taken for a shared secret."""
    bare = compact({"alg": "HS256", "kid": "k"}, claims).rpartition(".")[0]
    seal = hmac.digest(pem(rsa_key("k")), bare.encode(), hashlib.sha256)
    return compact({"alg": "HS256", "kid": "k"}, claims, seal)


def changed_after_signing(provider):
    def write(claims):
        head, _, seal = provider.sign({**claims, "email": "mallory@example.org"}).split(".")
        return f"{head}.{compact({}, claims).split('.')[1]}.{seal}"

    return write


FORGED = {
    "alg none": lambda provider: replace(provider, write=unsigned),
    "alg None": lambda provider: replace(provider, write=lambda claims: compact({"alg": "None"}, claims)),
    "no alg": lambda provider: replace(provider, write=lambda claims: compact({"kid": "k"}, claims)),
    "public key as a secret": lambda provider: replace(provider, write=keyed_with_what_everybody_knows),
    "secret among the keys": lambda provider: replace(
        provider, key="s" * 64, algorithm="HS256", keys=[{"kty": "oct", "k": "c" * 86, "kid": "k"}]
    ),
    "key of somebody else": lambda provider: replace(provider, key=rsa_key("else")),
    "key that nobody knows": lambda provider: replace(provider, key=rsa_key("else"), header={"kid": "else"}),
    "key in the token": lambda provider: replace(
        provider, key=rsa_key("else"), header={"kid": "else", "jwk": public_key(rsa_key("else"), "else")}
    ),
    "key for sealing": lambda provider: replace(provider, keys=[public_key(rsa_key("k"), "k", use="enc")]),
    "key for another algorithm": lambda provider: replace(
        provider, keys=[public_key(rsa_key("k"), "k", alg="PS256")]
    ),
    "short key": lambda provider: replace(
        provider, key=rsa_key("short", 1_024), keys=[public_key(rsa_key("short", 1_024), "k")]
    ),
    "two keys, none named": lambda provider: replace(
        provider, header={}, keys=[public_key(rsa_key("k"), "k"), public_key(rsa_key("else"), "else")]
    ),
    "critical header": lambda provider: replace(provider, header={"kid": "k", "crit": ["exp"]}),
    "changed after signing": lambda provider: replace(provider, write=changed_after_signing(provider)),
    "no token": lambda provider: replace(provider, write=lambda claims: ""),
    "no claims": lambda provider: replace(provider, write=lambda claims: "a.b.c"),
    "a claim twice": lambda provider: replace(
        provider, write=lambda claims: provider_sign_text(provider, '{"sub":"1","sub":"2"}')
    ),
}


def provider_sign_text(provider, text):
    from jwt.api_jws import PyJWS

    return PyJWS().encode(text.encode(), provider.key, provider.algorithm, headers=provider.header)


@pytest.mark.parametrize("forged", FORGED)
async def test_a_word_that_the_provider_has_not_signed_proves_nothing(form, browser, provider, forged):
    vars(provider).update(vars(FORGED[forged](provider)))
    begun = await form.begin()
    status, text = await browser.prove(begun)
    assert (status, 'role="alert"' in text) == (403, True)
    assert CAROL not in text
    assert (await browser.post("vouched", begun))[0] == 400
    assert await waits(form, begun)


@pytest.mark.parametrize("kind", ["ec", "ed", "pss"])
async def test_keys_of_other_kinds_count_too(form, browser, provider, kind):
    provider.key, provider.algorithm = other_keys()[kind]
    provider.keys = [public_key(provider.key, "k")]
    status, text = await browser.prove(await form.begin())
    assert (status, CAROL in text) == (200, True)


async def test_a_new_key_of_the_provider_is_fetched_and_not_again_and_again(form, browser, provider):
    assert (await browser.prove(await form.begin()))[0] == 200
    provider.key, provider.header = rsa_key("else"), {"kid": "else"}
    provider.keys.append(public_key(rsa_key("else"), "else"))
    for _ in range(2):  # the keys were fetched just now: not even a provider's mistake makes a storm
        assert (await browser.prove(await form.begin()))[0] == 403
    assert provider.fetched_keys == 1


async def test_an_answer_counts_once(form, browser, provider):
    begun = await form.begin()
    to = await browser.agree(await browser.leave(begun))
    assert (await browser.come_back(to))[0] == 200
    status, text = await browser.come_back(to)
    assert (status, "begin again" in text) == (400, True)
    assert len(provider.asked) == 1, "the code was shown once"


async def test_a_code_that_was_used_elsewhere_is_worth_nothing(form, browser, provider):
    first, second = await form.begin(), await form.begin()
    used = dict(parse_qsl(urlsplit(await browser.agree(await browser.leave(first))).query))["code"]
    way = dict(parse_qsl(urlsplit(await browser.leave(second)).query))
    status, _ = await browser.come_back(f"{form.url}/login/back?state={way['state']}&code={used}")
    assert status == 403  # PKCE: the code belongs to another challenge
    assert await waits(form, second)


async def test_a_state_of_another_browser_is_refused(broker, form, browser):
    """Mallory goes there as herself and has Carol's browser come back, or Carol's answer comes back in hers."""
    begun = await form.begin()
    to = await browser.agree(await browser.leave(begun))
    async with Browser(broker.url) as other:
        status, text = await other.come_back(to)
        assert (status, "another browser" in text) == (403, True)
        own = await form.begin()
        await other.leave(own)
        assert (await other.come_back(to))[0] == 403
        assert (await browser.come_back(to))[0] == 200, "the one that went there may still come back"
        assert (await other.post("vouched", begun))[0] == 403
    assert await waits(form, begun)


@pytest.mark.parametrize(
    "query", ["", "state=x&code=y", "state=%00&code=%ff", "code=y", "state=" + "x" * 5_000]
)
async def test_an_answer_to_no_question_is_refused(form, browser, provider, query):
    status, text = await browser.come_back(f"{form.url}/login/back?{query}")
    assert (status, "<h1>Not signed in</h1>" in text) == (400, True)
    assert not provider.asked


async def test_an_answer_says_each_thing_once(form, browser):
    to = await browser.agree(await browser.leave(await form.begin()))
    assert (await browser.come_back(f"{to}&code=another"))[0] == 400


async def test_the_provider_may_say_no_and_the_person_try_again(form, browser, provider):
    begun = await form.begin()
    way = dict(parse_qsl(urlsplit(await browser.leave(begun)).query))
    status, text = await browser.come_back(f"{form.url}/login/back?state={way['state']}&error=access_denied")
    assert (status, "did not let you in" in text) == (403, True)
    assert not provider.asked
    assert (await browser.prove(begun))[0] == 200


@pytest.mark.parametrize("names_itself", [True, False])
async def test_an_answer_of_another_provider_is_refused(form, browser, provider, names_itself):
    provider.described = {"authorization_response_iss_parameter_supported": names_itself}
    if not names_itself:
        provider.back = {"iss": "https://another.example"}
    begun = await form.begin()
    status, _ = await browser.prove(begun)
    assert (status, provider.asked) == (403, [])
    provider.back = {"iss": provider.issuer}
    assert (await browser.prove(begun))[0] == 200


@pytest.mark.parametrize(
    "lie",
    [
        {"issuer": "https://another.example"},
        {"token_endpoint": "http://another.example/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
    ids=lambda lie: next(iter(lie)),
)
async def test_a_swapped_issuer_or_an_unsafe_place_leads_nowhere(tmp_path, provider, lie):
    provider.described = lie
    async with (
        broker_here(tmp_path / "broker", provider=provider.registration) as broker,
        Browser(broker.url) as browser,
    ):
        begun = await FormClient(broker.url, browser.session).begin()
        status, text = await browser.post("provider", begun)
        assert (status, "refresh" in text) == (403, False)


@pytest.mark.parametrize(
    "status,body",
    [(302, b"{}"), (500, b"{}"), (200, b"[]"), (200, b"{"), (200, b" " * 300_000), (200, b"{}")],
)
async def test_an_answer_that_is_none_is_a_page_and_no_failure(form, browser, provider, status, body):
    provider.status, provider.body = status, body
    begun = await form.begin()
    assert (await browser.prove(begun))[0] == 403
    assert await waits(form, begun)


async def test_a_provider_that_is_away_leaves_the_other_ways(tmp_path):
    gone = HostileProvider("http://127.0.0.1:9").registration
    async with broker_here(tmp_path / "broker", provider=gone) as broker, Browser(broker.url) as browser:
        begun = await FormClient(broker.url, browser.session).begin()
        status, text = await browser.post("provider", begun)
        assert (status, "cannot be reached now" in text, "Is this your device?" in text) == (503, True, True)


async def test_the_person_is_asked_for_where_the_token_names_no_address(form, browser, provider):
    del provider.claims["email"], provider.claims["email_verified"]
    begun = await form.begin()
    assert (await browser.prove(begun))[0] == 403, "this provider has no such place"


@pytest.mark.parametrize(
    "person,status",
    [
        ({"sub": "1", "email": CAROL, "email_verified": True}, 200),
        ({"sub": "2", "email": CAROL, "email_verified": True}, 403),
        ({"sub": "1", "email": CAROL, "email_verified": False}, 403),
        ({"email": CAROL, "email_verified": True}, 403),
    ],
)
async def test_what_is_said_of_a_person_is_about_the_one_of_the_token(tmp_path, provider, person, status):
    provider.claims, provider.person = {"sub": "1"}, person
    async with (
        broker_here(tmp_path / "broker", provider=provider.registration) as broker,
        Browser(broker.url) as browser,
    ):
        begun = await FormClient(broker.url, browser.session).begin()
        assert (await browser.prove(begun))[0] == status


async def test_a_secret_may_have_to_stand_in_the_form(tmp_path, provider):
    provider.described = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    async with (
        broker_here(tmp_path / "broker", provider=provider.registration) as broker,
        Browser(broker.url) as browser,
    ):
        assert (await browser.prove(await FormClient(broker.url, browser.session).begin()))[0] == 200


async def test_a_device_that_wants_one_address_gets_no_other(form, browser):
    begun = await form.begin(email="dave@example.org")
    status, text = await browser.prove(begun)
    assert (status, "another address" in text) == (409, True)
    assert (await browser.post("vouched", begun))[0] == 400


async def test_who_may_not_sign_in_is_told_so_after_the_proof(tmp_path, provider):
    settings = {"signup": Signup(SignupMode.CLOSED), "provider": provider.registration}
    async with broker_here(tmp_path / "broker", **settings) as broker, Browser(broker.url) as browser:
        form = FormClient(broker.url, browser.session)
        begun = await form.begin()
        assert (await browser.prove(begun))[0] == 200
        assert "opens no account" in (await browser.post("vouched", begun))[1]
        assert (await form.token(begun)).no == (403, "signup_closed")


async def test_over_tls_no_other_host_can_have_set_the_cookie(tmp_path, provider):
    url = "https://courier.example.org"
    settings = {"provider": provider.registration, "dev": False, "public_url": url}
    async with broker_here(tmp_path / "broker", **settings) as broker, Browser(broker.url) as browser:
        begun = await FormClient(broker.url, browser.session).begin()
        assert begun["verification_uri"] == f"{url}/login"
        await browser.post("provider", begun, origin=url)
        [given] = browser.given
        assert given.startswith("__Host-dispatch-sign-in=")
        assert given.endswith("; HttpOnly; Max-Age=900; Path=/; SameSite=Lax; Secure")


@pytest.mark.parametrize("step", ["provider", "vouched"])
async def test_a_form_from_elsewhere_is_refused(form, browser, step):
    begun = await form.begin()
    await browser.prove(begun)
    assert (await browser.post(step, begun, origin="http://evil.example"))[0] == 403
    async with browser.session.get(f"{form.url}/login/{step}") as answer:
        assert answer.status == 405
    assert await waits(form, begun)
