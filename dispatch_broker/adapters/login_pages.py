"""The pages of a sign-in, as text: which code, which device, how the address is proven, and how it ended.

`at` is the path at which a browser finds them: a broker may have one path of a host and no more. Each says what letting the
device in means, before anybody does. Nothing on them was written by a stranger but the name
that the device gave itself, which is shown as that.
"""

from html import escape

from dispatch_broker.adapters import pages
from dispatch_broker.core.signin import SignIn, spoken

_CODE_FIELD = 'autocomplete="off" autocapitalize="characters" spellcheck="false" class="code" required'


def code_page(at: str, wrong: str = "") -> str:
    """Return the page that asks for the code of a terminal."""
    return _page(
        "Sign in a device",
        f"""{_wrong(wrong)}<p>Type the eight letters that <code>dispatch login</code> shows in your terminal. If somebody sent
them to you, stop here: whoever holds the device with that code would be signed in as you.</p>
<form method="post" action="{at}">
<label for="user_code">Code of the device</label>
<input id="user_code" name="user_code" maxlength="20" {_CODE_FIELD}>
<br><button>Go on</button>
</form>""",
    )


def device_page(at: str, sign_in: SignIn, *, mails: bool, provider: str | None, wrong: str = "") -> str:
    """Return the page that names the device and asks how its person proves the address."""
    ways = ""
    if mails:
        ways += f"""<form method="post" action="{at}/mail">{_hidden(sign_in)}
<label for="email">Your address</label>
<input id="email" name="email" type="email" autocomplete="email" maxlength="254" required value="{escape(sign_in.wanted or "")}">
<br><button>Mail me a code</button>
</form>
"""
    if provider is not None:
        ways += f"""<form method="post" action="{at}/provider">{_hidden(sign_in)}
<button>Go on with {escape(provider)}</button>
</form>
"""
    return _page("Is this your device?", f"{_wrong(wrong)}{_device(sign_in)}\n{ways}{_no(at, sign_in)}")


def mailed_page(at: str, sign_in: SignIn, email: str, wrong: str = "") -> str:
    """Return the page that asks for the code of the mail; typing it lets the device in."""
    return _page(
        "Type the code of the mail",
        f"""{_wrong(wrong)}<p>If <strong>{escape(email)}</strong> may sign in here, a code is on its way. The mail names
<span class="code">{spoken(sign_in.user_code)}</span>.</p>
{_device(sign_in)}
<form method="post" action="{at}/allow">{_hidden(sign_in)}
<label for="code">Code of the mail</label>
<input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="20" class="code" required>
<br><button>Let this device in</button>
</form>
{_no(at, sign_in)}""",
    )


def leaving_page(provider: str, way: str) -> str:
    """Return the page that leads to the provider by itself, and by a link where a browser does not let it."""
    return _page(
        f"Going to {escape(provider)}",
        f"""<p>You prove your address there, and come back here before any device is let in.</p>
<p><a href="{escape(way)}">Go on to {escape(provider)}</a></p>""",
        f'<meta http-equiv="refresh" content="0; url={escape(way)}">\n',
    )


def vouched_page(at: str, sign_in: SignIn, address: str, provider: str) -> str:
    """Return the page that says as whom the device will be signed in; its form lets the device in."""
    return _page(
        "Let this device in?",
        f"""<p>{escape(provider)} says that you are <strong>{escape(address)}</strong>.</p>
{_device(sign_in)}
<form method="post" action="{at}/vouched">{_hidden(sign_in)}
<button>Let this device in as {escape(address)}</button>
</form>
{_no(at, sign_in)}""",
    )


def ended_page(title: str, words: str) -> str:
    """Return a last page."""
    return _page(title, f"<p>{escape(words)}</p>")


def _page(title: str, body: str, head: str = "") -> str:
    return pages.sheet(f"{title} · Dispatch", f"<h1>{title}</h1>\n{body}", head)


def _device(sign_in: SignIn) -> str:
    """Say which device it is, and what it may do once it is in."""
    return f"""<dl>
<dt>Code</dt><dd class="code">{spoken(sign_in.user_code)}</dd>
<dt>It calls itself</dt><dd>{escape(sign_in.device_name)}</dd>
<dt>Its key</dt><dd class="code">{sign_in.device.hex[:16]}</dd>
<dt>Its identity</dt><dd class="code">{sign_in.genesis.hex[:16]}</dd>
</dl>
<p>Let it in only if you sit before it and the code stands on its screen. It will be signed in as you: it gets the tasks that
people send to your address, and sends tasks in your name. It sees nothing of your other devices.</p>"""


def _hidden(sign_in: SignIn) -> str:
    return f'\n<input type="hidden" name="user_code" value="{sign_in.user_code}">'


def _no(at: str, sign_in: SignIn) -> str:
    return f"""<form method="post" action="{at}/deny">{_hidden(sign_in)}
<button>This is not mine: refuse it</button>
</form>"""


def _wrong(words: str) -> str:
    return f'<p class="wrong" role="alert">{escape(words)}</p>\n' if words else ""
