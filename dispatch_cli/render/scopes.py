"""What an edge allows, in one line: tools, places, network, approval."""

from dispatch_cli.render import times
from dispatch_cli.render.fields import Document, inner, items, moment_ms, number, text, truth, words
from dispatch_cli.render.lines import Line, View, joined, line
from dispatch_cli.render.text import cut_middle, home_relative, visible
from dispatch_cli.render.words import approval_words
from dispatch_protocol import limits

_PATH_CELLS = 40
# What the sender is shown of a run; the result is the rule and goes without saying.
_SEEN = {"status": "they see only how it ended", "trace": "they see every step"}


def scopes_line(
    scopes: Document, view: View, *, anywhere: bool = True, own: bool = False, agent: str = ""
) -> Line:
    """Return `may Read, Glob, Grep · in ~/src/api (ro) · no network · you approve each call`.

    Without `anywhere` only places that the scopes name are told: where it runs has been said. Of one's `own` task nobody
    else sees anything. `agent` is the one that runs under them, if one does.
    """
    tools = ", ".join(visible(tool) for tool in words(scopes, "tools"))
    servers = ", ".join(visible(server) for server in words(scopes, "mcp_servers"))
    hosts = ", ".join(visible(host) for host in words(scopes, "network"))
    approval = approval_words(text(scopes, "approval"), agent)
    limit, deadline = number(scopes, "max_per_day"), moment_ms(scopes, "expires_at")
    parts = [
        line(f"may {tools}" if tools else "may use no tool"),
        line(f"in {places(scopes, view)}" if anywhere or _named(scopes) else ""),
        line(server_words(servers, text(scopes, "approval"))),
        line(f"network {hosts}" if hosts else "no network"),
        line(approval),
        line("" if own else _SEEN.get(text(scopes, "returns"), "")),
        line(f"{limit} a day" if limit else ""),
        line(budget_words(inner(scopes, "budget"))),
        line(time_words(scopes)),
        line(f"until {times.moment(deadline, view.now_ms)}" if deadline else ""),
    ]
    return joined(parts)


def _named(scopes: Document) -> bool:
    """Say whether the scopes say where: by paths, or that there is no place."""
    return bool(items(scopes, "paths")) or truth(scopes, "run_directory_only")


def server_words(servers: str, approval: str) -> str:
    """Return `MCP servers files, mail`; where only changes are approved, that their calls ask all the same."""
    asks = " (each call asks)" if approval == "review" else ""
    return f"MCP servers {servers}{asks}" if servers else ""


def budget_words(budget: Document) -> str:
    """Return `at most 20 turns, 100,000 tokens, $0.50 a run`; empty where nothing bounds it."""
    turns, tokens, cost = (number(budget, name) for name in ("turns", "tokens", "cost_microusd"))
    parts = [
        f"{turns:,} turns" if turns is not None else "",
        f"{tokens:,} tokens" if tokens is not None else "",
        dollars(cost) if cost is not None else "",
    ]
    shown = ", ".join(part for part in parts if part)
    return f"at most {shown} a run" if shown else ""


def time_words(scopes: Document) -> str:
    """Return `a run may take 5 min 0 s, a question waits 30 s`, where they are not what goes without saying."""
    run_s, question_s = number(scopes, "max_runtime_s"), number(scopes, "approval_timeout_s")
    parts: list[str] = []
    if run_s is not None and run_s != limits.RUNTIME_S:
        parts.append(f"a run may take {times.duration(run_s * 1000)}")
    if question_s is not None and question_s != limits.APPROVAL_TIMEOUT_S:
        parts.append(f"a question waits {times.duration(question_s * 1000)}")
    return ", ".join(parts)


def dollars(microusd: int) -> str:
    """Return an amount to the cent, or as exactly as it needs: `$0.50`, `$0.0013`."""
    whole, part = divmod(microusd, 1_000_000)
    return f"${whole}.{f'{part:06}'.rstrip('0'):0<2}"


def places(scopes: Document, view: View) -> str:
    """Return the granted paths with their modes, or what no path means, and whether a run sees only one place in them."""
    named = [
        f"{cut_middle(visible(home_relative(text(path, 'path'), view.user_home)), _PATH_CELLS)}"
        f" ({visible(text(path, 'mode'))})"
        for path in items(scopes, "paths")
    ]
    if not truth(scopes, "run_directory_only"):
        return ", ".join(named) if named else "the directory it is accepted in"
    return f"{', '.join(named)}, there only in the directory it is accepted in" if named else "no directory"
