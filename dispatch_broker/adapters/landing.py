"""The page behind an invitation's link: who invites whom, how to install, and the one command to type.

Looking at it changes nothing, because mail scanners look at everything. It holds no secret, because it is the broker's
page: the token travels from person to person, by a road of their own. No script, no font, no picture.
"""

from datetime import UTC, datetime
from html import escape

from dispatch_broker.adapters import pages
from dispatch_broker.core.records import Invitation, InvitationStatus

CONTENT_SECURITY_POLICY = pages.policy()

_ENDED = {
    InvitationStatus.ACCEPTED: "It has been accepted and waits for the inviter's device to confirm it.",
    InvitationStatus.CONFIRMED: "It has been accepted and confirmed. There is nothing left to do here.",
    InvitationStatus.DECLINED: "It has been declined.",
    InvitationStatus.EXPIRED: "It has expired. Ask for a new one.",
    InvitationStatus.REVOKED: "It has been taken back.",
}


def page(invitation: Invitation, *, broker_url: str, install: str | None, dev: bool, now_ms: int) -> str:
    """Return the page of one invitation; `install` is typed to get the program.

    Without it no command is told: a name that nobody here has checked might be anybody's. A development broker has a login of its own.
    """
    inviter, invitee = escape(invitation.inviter.address), escape(invitation.to_address)
    status = invitation.at(now_ms)
    title = f"{inviter} invites {invitee} to Dispatch"
    body = (
        _open(invitation, broker_url, install, dev=dev)
        if status is InvitationStatus.PENDING
        else f"<p>{_ENDED[status]}</p>"
    )
    return pages.sheet(title, f"<h1>{title}</h1>\n{body}")


def missing_page() -> str:
    """Return the page for a link that names no invitation."""
    return pages.sheet(
        "No such invitation",
        "<h1>No such invitation</h1>\n<p>The link may be incomplete, or the invitation ended long ago.</p>",
    )


def _open(invitation: Invitation, broker_url: str, install: str | None, *, dev: bool) -> str:
    """Return what somebody who may still answer should know."""
    inviter, invitee, broker = (
        escape(text) for text in (invitation.inviter.address, invitation.to_address, broker_url)
    )
    login = f"dispatch login --broker {broker} --email {invitee}" + (" --dev" if dev else "")
    get = (
        f"Install Dispatch:<pre>{escape(install)}</pre>"
        if install is not None
        else f"Install Dispatch, from where {inviter} or whoever runs {broker} tells you to. Take no program for it that only"
        " has the same name."
    )
    alone = (
        ""
        if invitation.needs_token
        else f"""Without a token you may accept by this invitation alone. Then you know each other by mail only, as <code>unverified</code>:
each call asks you, and nothing runs a shell or leaves your machine.
<pre>dispatch accept-invitation {escape(invitation.invitation_id.uuid)} --profile read-only</pre>
"""
    )
    until = datetime.fromtimestamp(invitation.expires_ms / 1000, UTC).strftime("%d %B %Y, %H:%M UTC")
    return f"""<p>Accepting lets {inviter} send tasks to your machine. Each one waits for your yes, runs in a sandbox,
and sees only what you choose when you accept. You can end it at any time.</p>
<ol>
<li>{get}</li>
<li>Sign in:<pre>{login}</pre></li>
<li>Accept, with the token that {inviter} gave you. It begins with <code>dispatch1:</code> and is not on this page:
<pre>dispatch accept-invitation TOKEN --profile read-only</pre>
{alone}The profile says what tasks may do here: <code>read-only</code>, <code>edit</code> or <code>full</code>.</li>
</ol>
<p>Or say no: <code>dispatch decline-invitation {escape(invitation.invitation_id.uuid)}</code></p>
<p><small>Valid until {until}. Opening this page has changed nothing.</small></p>"""
