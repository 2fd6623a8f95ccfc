"""Contacts and invitations: who may ask whom, how each is known, and what is allowed."""

from dispatch_cli.render import times
from dispatch_cli.render.fields import Document, inner, items, moment_ms, number, text, truth, words
from dispatch_cli.render.lines import Line, Span, Tone, View, folded, following, followings, line
from dispatch_cli.render.scopes import scopes_line
from dispatch_cli.render.table import Column, Cut, blocks, table
from dispatch_cli.render.text import visible

_STATUS = {
    "active": Tone.DONE,
    "pending": Tone.WAITING,
    "expired": Tone.QUIET,
    "revoked": Tone.FAILED,
    "conflict": Tone.DANGER,
}
_OVER = frozenset({"revoked", "expired"})
_SHORT = 8  # as many letters as `dispatch devices` takes for an id
_TRUST = {"compared": Tone.DONE, "token": Tone.PLAIN, "unverified": Tone.WAITING}


def contacts_lines(contacts: Document, view: View, *, invited: bool = False) -> list[Line]:
    """Return the edges by direction, each incoming one with what it allows; `invited` says that somebody is asked."""
    edges = items(contacts, "edges")
    if not edges and invited:
        return [
            line("You have no contacts yet; an invitation waits for its answer."),
            following("see it with", "dispatch invitations"),
        ]
    if not edges:
        return [line("You have no contacts yet."), following("invite somebody with", "dispatch invite EMAIL")]
    shared = _shared(edges)
    edges = _without_replaced(edges)
    edges = [{**edge, "shared": text(edge, "peer") in shared} for edge in edges]
    outgoing = [edge for edge in edges if text(edge, "direction") == "outgoing"]
    incoming = [edge for edge in edges if text(edge, "direction") == "incoming"]
    lines = _edges("You may dispatch to", outgoing, view, scopes=False)
    if lines and incoming:
        lines.append(line())
    shown = lines + _edges("May dispatch to you", incoming, view, scopes=True)
    return shown + _comparing(edges) + _torn(edges)


def _without_replaced(edges: list[Document]) -> list[Document]:
    """Leave out what is over where the same person has a newer edge in that direction: it says nothing of today."""

    def place(edge: Document) -> tuple[str, str, str]:
        return text(edge, "peer"), text(edge, "identity"), text(edge, "direction")

    standing = {place(edge) for edge in edges if text(edge, "status") not in _OVER}
    return [edge for edge in edges if text(edge, "status") not in _OVER or place(edge) not in standing]


def _shared(edges: list[Document]) -> set[str]:
    """Return the addresses that more than one identity has here."""
    known = {(text(edge, "peer"), text(edge, "identity")) for edge in edges}
    addresses = [address for address, _ in known]
    return {address for address in addresses if addresses.count(address) > 1}


def _comparing(edges: list[Document]) -> list[Line]:
    """Return whose turn it is in each comparison, and whom a recovery has made worth comparing again."""
    lines: list[Line] = []
    for peer, edge in {text(edge, "peer"): edge for edge in edges}.items():
        name, command = visible(peer), f"dispatch contacts verify {visible(peer)}"
        stands = text(edge, "comparison")
        if stands == "wanted":
            lines.append(following(f"{name} wants to compare", command))
        elif stands == "words":
            lines.append(following(f"seven words wait to be read to {name}", command))
        elif stands == "different":
            said = f"The words of {name} differed: somebody may sit between you."
            lines += [line(Span(said, Tone.DANGER)), following("compare once more", f"{command} --again")]
        elif text(edge, "compared_at") and text(edge, "trust") != "compared":
            lines.append(line(Span(f"{name} was compared until a recovery of theirs.", Tone.WAITING)))
            lines.append(following("compare again", command))
        elif text(edge, "trust") == "unverified" and text(edge, "status") not in _OVER:
            lines.append(following(f"{name} is known by mail alone: compare", command))
    return lines


def fingerprints_lines(contacts: Document, view: View) -> list[Line]:
    """Return the whole fingerprint of everybody on an edge, to be compared with what they themselves show."""
    people = {text(edge, "identity"): visible(text(edge, "peer")) for edge in items(contacts, "edges")}
    if not people:
        return contacts_lines(contacts, view)
    columns = [Column("IDENTITY", Cut.NEVER), Column("WHO", Cut.MIDDLE, 16)]
    rows = [[line(visible(identity)), line(who)] for identity, who in people.items()]
    return [*table(columns, rows, view), following("yours", "dispatch whoami")]


def _torn(edges: list[Document]) -> list[Line]:
    """Return what a conflict means and what ends it, once for each person."""
    return [
        line(
            Span(
                f"Two histories of {visible(peer)} were told, so nothing new goes between you. Ask them by another"
                " way whether a device was stolen; only their recovery key ends it.",
                Tone.DANGER,
            )
        )
        for peer in sorted({text(edge, "peer") for edge in edges if truth(edge, "conflict")})
    ]


def _edges(title: str, edges: list[Document], view: View, *, scopes: bool) -> list[Line]:
    if not edges:
        return []
    columns = [Column(title.upper(), Cut.MIDDLE, 16), Column("KNOWN BY"), Column("STATUS"), Column("NOW")]
    columns.append(Column("THEIR DEVICES", Cut.END))
    heading, *rows = blocks(columns, [_edge(edge) for edge in edges], view)
    lines = heading
    for edge, row in zip(edges, rows, strict=True):
        lines += [*row, *(_allowed(edge, view) if scopes else [])]
    return lines


def _allowed(edge: Document, view: View) -> list[Line]:
    """Return what an edge allows; one that is over allows nothing."""
    if text(edge, "status") in _OVER:
        return []
    return [*folded(line("  ", *scopes_line(inner(edge, "scopes"), view)), view), *_edits(edge, view)]


def _edits(edge: Document, view: View) -> list[Line]:
    """Return what own devices have said of an edge at the same time, what holds now, and how that is ended."""
    made = items(edge, "edits")
    if not made:
        return []
    said = "  Two devices of yours changed this at the same time. What both allow holds, as above."
    lines = [line(Span(said, Tone.WAITING))]
    for each in made:
        moment = moment_ms(each, "at")
        at = "" if moment is None else f", {times.moment(moment, view.now_ms)}"
        who = f"    {visible(text(each, 'name'))}{at}: "
        lines.append(line(who, *scopes_line(inner(each, "scopes"), view)))
    return [
        *lines,
        following("say once what holds", f"dispatch edit-edge {visible(text(edge, 'peer'))} --tools TOOLS"),
    ]


def _edge(edge: Document) -> list[Line]:
    alias, peer = text(edge, "alias"), text(edge, "peer")
    trust = text(edge, "trust")
    status = "conflict" if truth(edge, "conflict") else text(edge, "status")
    online = edge.get("online")
    now = "" if online is None else "online" if online is True else "offline"
    name = f"{visible(alias)} <{visible(peer)}>" if alias else visible(peer)
    if truth(edge, "shared"):  # two people, as far as this machine knows; a fingerprint is typed like a name
        name += f" {visible(text(edge, 'identity'))[:16]}"
    return [
        line(name),
        line(Span(visible(trust), _TRUST.get(trust, Tone.PLAIN))),
        line(Span(visible(status), _STATUS.get(status, Tone.PLAIN))),
        line(Span(now, Tone.DONE if online is True else Tone.QUIET)),
        line(", ".join(visible(device)[:_SHORT] for device in words(edge, "devices"))),
    ]


def invited_lines(invitation: Document, email: str, view: View) -> list[Line]:
    """Return what to pass on, and what happens next."""
    deadline = moment_ms(invitation, "expires_at")
    until = f", until {times.moment(deadline, view.now_ms)}" if deadline else ""
    mailed = truth(invitation, "emailed")
    told = (
        "They are told by mail. Pass the token on too: without it they are `unverified`."
        if mailed
        else "Nothing was mailed: pass it on yourself."
    )
    return [
        line(f"Invitation for {visible(email)}, single use{until}. {told}"),
        following(
            "they type",
            f"dispatch accept-invitation '{visible(text(invitation, 'token'))}' --profile read-only",
        ),
        line(
            "  the page   ",
            visible(text(invitation, "link")),
            Span("   (says what it means; holds no secret)", Tone.QUIET),
        ),
        line(Span("Whoever holds the token can accept in their name: send it to them alone.", Tone.WAITING)),
        *_offered(inner(invitation, "offer"), email, view),
        _taken_back(invitation),
    ]


def _taken_back(invitation: Document) -> Line:
    known = visible(text(invitation, "invitation_id")[:_SHORT])
    return following("take it back with", f"dispatch decline-invitation {known}")


def _offered(scopes: Document, email: str, view: View) -> list[Line]:
    if not scopes:
        return []
    return [
        line(f"Once they accept, {visible(email)} may dispatch to you too:"),
        line("  ", *scopes_line(scopes, view)),
    ]


def invitations_lines(invitations: Document, view: View) -> list[Line]:
    """Return what was sent and what was received, with the next command for each that waits."""
    sent, received = items(invitations, "sent"), items(invitations, "received")
    if not sent and not received:
        return [line("No invitations."), following("invite somebody with", "dispatch invite EMAIL")]
    lines: list[Line] = []
    for title, found in (("SENT TO", sent), ("RECEIVED FROM", received)):
        if not found:
            continue
        lines += [line()] if lines else []
        columns = [Column("ID"), Column(title, Cut.MIDDLE, 12), Column("STATUS"), Column("UNTIL")]
        lines += table(columns, [_invitation(invitation, view) for invitation in found], view)
        lines += [said for invitation in found for said in (*_leak(invitation), *_unproved(invitation, view))]
    lines += [_taken_back(each) for each in sent if text(each, "status") == "pending"][:1]
    # An invitation that was not mailed is accepted with its token only: its id alone proves nothing.
    waiting = [invitation for invitation in received if text(invitation, "status") == "pending"]
    if waiting:
        known = visible(text(waiting[0], "invitation_id")[:8])
        lines += followings(
            ("accept with", "dispatch accept-invitation TOKEN --profile read-only"),
            ("or", f"dispatch decline-invitation {known}"),
        )
        peer = visible(text(waiting[0], "peer"))
        lines.append(line(Span(f"  TOKEN is what {peer} passed on to you.", Tone.QUIET)))
    return lines


def _unproved(invitation: Document, view: View) -> list[Line]:
    """Return that somebody said yes who did not hold the secret: most often whoever was invited, with a letter mistyped."""
    at = moment_ms(invitation, "unproved_at")
    if at is None:
        return []
    peer, when = visible(text(invitation, "peer")), times.moment(at, view.now_ms)
    said = f"Somebody said yes for {peer} without the token's secret, {when}: a letter mistyped, or a guess. It counts for nothing."
    return [
        line(Span(said, Tone.WAITING)),
        following("if it was them, they need a new one", f"dispatch invite {peer}"),
    ]


def _leak(invitation: Document) -> list[Line]:
    """Return the alarm of a token that two people hold: nobody but its human can tell which one was meant."""
    alarm = inner(invitation, "also_proved")
    if not alarm:
        return []
    peer = visible(text(invitation, "peer"))
    first, second = (visible(text(alarm, name)[:16]) for name in ("accepted_by", "identity"))
    return [
        line(
            Span(f"The token for {peer} has leaked: a second identity proved that it holds it.", Tone.FAILED)
        ),
        line(f"  {first} came first and is your contact; {second} was refused. Ask {peer}, by another"),
        line(
            "  channel, which one is theirs (dispatch whoami shows it). If it is not the first, end that edge:"
        ),
        following("end it with", f"dispatch revoke {peer} --outgoing"),
    ]


def _invitation(invitation: Document, view: View) -> list[Line]:
    status = text(invitation, "status")
    deadline = moment_ms(invitation, "expires_at")
    tone = Tone.WAITING if status == "pending" else Tone.DONE if status == "confirmed" else Tone.QUIET
    return [
        line(visible(text(invitation, "invitation_id")[:8])),
        line(visible(text(invitation, "peer"))),
        line(Span(visible(status), tone)),
        line(times.moment(deadline, view.now_ms) if deadline and status == "pending" else ""),
    ]


def accepted_lines(edge: Document, view: View) -> list[Line]:
    """Return what was just allowed, in words, and how to take it back."""
    peer = visible(text(edge, "peer"))
    return [
        line(
            f"{peer} may dispatch to you once their device has checked this ",
            Span(f"({visible(text(edge, 'trust'))})", Tone.QUIET),
            ".",
        ),
        line("  ", *scopes_line(inner(edge, "scopes"), view)),
        *([line("  What they were allowed before has ended.")] if number(edge, "edges_ended") else []),
        line("  Each task still waits until you accept it."),
        following("take it back with", f"dispatch revoke {peer}"),
    ]


def revoked_lines(ended: Document, typed: str, *, outgoing: bool) -> list[Line]:
    """Return who may no longer dispatch to whom, how many edges that ended, and who is not told."""
    name, edges = visible(typed), len(words(ended, "edges"))
    said = f"You may no longer dispatch to {name}." if outgoing else f"{name} may no longer dispatch to you."
    lines = [line(said)]
    if edges > 1:
        lines.append(line(f"  There were {edges} edges; all of them have ended."))
    if outgoing:
        lines.append(line("  They are not told, and what waits there for their answer stays."))
        lines.append(following("take that back with", "dispatch cancel ID"))
    return lines


def edited_lines(edge: Document, view: View, *, changed: bool) -> list[Line]:
    """Return what is allowed now, which runs that ended, and how to change it."""
    peer, ended = visible(text(edge, "peer")), number(edge, "runs_ended")
    lines = [
        line(f"{peer} may now dispatch to you within:" if changed else f"{peer} may dispatch to you within:"),
        line("  ", *scopes_line(inner(edge, "scopes"), view)),
    ]
    lines += _edits(edge, view)
    if ended:
        runs = "One run that may do more was" if ended == 1 else f"{ended} runs that may do more were"
        lines.append(line(Span(f"  {runs} ended; nothing of it was kept.", Tone.WAITING)))
    open_edges = number(edge, "edges_open") or 1
    if number(edge, "edges_ended"):
        lines.append(line("  What they were allowed besides has ended."))
    if open_edges > 1:
        said = f"  They have {open_edges} edges to you. An edit leaves them this one, and ends the others."
        lines.append(line(Span(said, Tone.WAITING)))
    if changed:
        return lines
    if not set(words(inner(edge, "scopes"), "tools")) > _READ_ONLY:
        return lines  # the profile would take nothing from it, or add what it has not
    return [*lines, following("narrow it with", f"dispatch edit-edge {peer} --profile read-only")]


_READ_ONLY = {"Read", "Glob", "Grep"}  # what --profile read-only stands for


_LEARNT = {
    "unchanged": "nothing that was not known here",
    "unknown": "nobody who is known here; nothing was kept",
    "conflict": "two histories of one identity were told: nothing goes between you before a recovery ends that",
    "refused": "it does not hold, and was not believed",
}


def learnt_line(told: Document) -> Line:
    """Return what one chain of a trust file has taught: `alice@example.org: 2 devices now, 1 ended`."""
    name = visible(text(told, "peer") or text(told, "identity")[:16] or "a chain")
    status = text(told, "status")
    said = _LEARNT.get(status)
    if said is None:
        ended = number(told, "devices_ended")
        active = number(told, "devices")
        said = f"{active} device{'' if active == 1 else 's'} now" + (f", {ended} ended" if ended else "")
        said = f"recovered; {said}" if status == "recovered" else said
    why = f" ({visible(text(told, 'detail'))})" if status == "refused" else ""
    return line(
        Span(f"{name}: {said}{why}", Tone.FAILED if status in {"conflict", "refused"} else Tone.PLAIN)
    )
