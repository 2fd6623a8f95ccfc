"""`agent`: who decides the calls of a task without steps, on this machine."""

import os
import shlex
import shutil
from dataclasses import asdict

import click

from dispatch_cli import candidates, hosts, key_places, programs
from dispatch_cli.agent_names import NOBODY, require_name
from dispatch_cli.commands.tool_servers import server
from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Group
from dispatch_cli.render.fields import Document, items, text, truth
from dispatch_cli.render.lines import Line, Span, Tone, View, following, line
from dispatch_cli.render.machine import checks_lines
from dispatch_cli.render.table import Column, Cut, table
from dispatch_cli.render.text import visible
from dispatch_cli.settings import CLAUDE, PROGRAMS, change, find, with_price

_TEST_S = 660.0  # a local model may load for minutes before its first word, and read for minutes
HOSTS = ("claude", "codex")


@click.group(cls=Group)
def agent() -> None:
    """List, choose or try who decides the calls of a run here. The sender never chooses."""


@agent.command("list")
@click.pass_obj
def list_agents(invocation: Invocation) -> None:
    """List the agents of this machine. The chosen ones come first, then what was found to choose from."""
    found = invocation.door.get("/v1/agents")
    invocation.show(found, lambda view: _lines(found, view))


agent.add_command(server)


@agent.group(cls=Group)
def host() -> None:
    """Let the sessions of an agent program use Dispatch, or no longer."""


@host.command("install")
@click.argument("name", type=click.Choice(HOSTS))
@click.pass_obj
def install_host(invocation: Invocation, name: str) -> None:
    """Add Dispatch to Claude Code or Codex. A plugin there, a tool server here; nothing else of its settings changes."""
    done = hosts.install(name, os.environ)
    said = "Added" if done.changed else "It is there already"
    invocation.show(
        asdict(done), lambda _: [line(f"{said}: {visible(done.path)}"), line("It counts in new sessions.")]
    )


@host.command("remove")
@click.argument("name", type=click.Choice(HOSTS))
@click.pass_obj
def remove_host(invocation: Invocation, name: str) -> None:
    """Take Dispatch away from Claude Code or Codex again."""
    done = hosts.remove(name, os.environ)
    said = "Removed" if done.changed else "It was not there"
    invocation.show(asdict(done), lambda _: [line(f"{said}: {visible(done.path)}")])


@agent.command("use")
@click.argument("name")
@click.option("--command", metavar="COMMAND", help="claude, acp: what starts the agent, inside the wall.")
@click.option(
    "--directory",
    "directories",
    metavar="DIR",
    multiple=True,
    shell_complete=candidates.directories(),
    help="claude, acp: what its program is made of besides /usr, if not what is found from where it lies; shown read-only.",
)
@click.option(
    "--model", metavar="MODEL", help="claude, acp: the model it asks: anthropic:MODEL or openai:MODEL."
)
@click.option("--url", metavar="URL", help="Where the model is asked, if not at its vendor.")
@click.option(
    "--key-env",
    metavar="NAME",
    help="The variable that holds the key: of the daemon's environment, which is that of whoever started it.",
)
@click.option(
    "--key-file",
    metavar="FILE",
    shell_complete=candidates.files(),
    help="A file that holds the key, readable by you alone.",
)
@click.option(
    "--price", metavar="IN/OUT", help="What the model costs, in US dollars for a million tokens, as 3/15."
)
@click.pass_obj
def use_agent(
    invocation: Invocation,
    name: str,
    command: str | None,
    directories: tuple[str, ...],
    model: str | None,
    url: str | None,
    key_env: str | None,
    key_file: str | None,
    price: str | None,
) -> None:
    """Choose the agent for tasks without steps.

    It is anthropic:MODEL, openai:MODEL, claude, acp, or none. openai:MODEL with --url means any endpoint that speaks that protocol: vLLM, llama.cpp, Ollama. claude is your own Claude
    Code, acp a program that speaks the Agent Client Protocol; they live whole inside the wall, and the model's key stays
    outside. So they need an API key (--key-env, --key-file) or an endpoint of yours (--url): a login of their own, as
    Claude Code's with a subscription, is not used, nor a token of one. claude asks for each call; a program behind acp
    asks for those that it wants to.
    """
    require_name(name)
    if name == CLAUDE and command is None:
        command = _own_claude()
    if name in PROGRAMS and command and not directories:
        command, directories = programs.whole(command)
    _check(name, command, directories, model, url, key_env, key_file)
    if name == NOBODY and price is not None:
        raise CliError("usage", "none costs nothing.", hint="dispatch agent use none")
    if key_env:
        key_places.require_variable(key_env, invocation.door, os.environ)
    if key_file:
        key_places.require_file(os.path.abspath(key_file))
    key = f"env:{key_env}" if key_env else f"file:{os.path.abspath(key_file)}" if key_file else None
    chosen = None if name == NOBODY else name
    wanted = {
        "agent": chosen,
        "agent_url": url,
        "agent_key": key,
        "agent_model": model,
        "agent_command": command,
        "agent_directories": ":".join(directories) or None,
    }
    priced = {} if price is None else {"agent_prices": _with_price(invocation, model or name, price)}
    change(wanted | priced, invocation.home)
    shown = wanted if name in PROGRAMS else ("agent", "agent_url", "agent_key")
    document: Document = {key.removeprefix("agent_"): find(key, invocation.home, {}).value for key in shown}
    invocation.show(document, lambda _: _chosen(document, chosen))


def _check(
    name: str,
    command: str | None,
    directories: tuple[str, ...],
    model: str | None,
    url: str | None,
    key_env: str | None,
    key_file: str | None,
) -> None:
    """Refuse what does not belong together."""
    if key_env is not None and key_file is not None:
        raise CliError("usage", "Give --key-env or --key-file, not both.", hint="dispatch agent use --help")
    if name == NOBODY and (url or key_env or key_file):
        raise CliError("usage", "none takes no endpoint and no key.", hint="dispatch agent use none")
    if not (command and model if name in PROGRAMS else not (command or model or directories)):
        raise CliError(
            "usage",
            "acp takes --command and --model, claude takes --model, and nothing else does.",
            hint="dispatch agent use --help",
        )
    if name == CLAUDE and not str(model).startswith("anthropic:"):
        raise CliError(
            "usage",
            "Claude Code asks its model in the protocol of Anthropic: --model anthropic:MODEL.",
            hint="dispatch agent use claude --model anthropic:MODEL",
        )


def _own_claude() -> str:
    """Find the Claude Code of this person."""
    found = shutil.which(CLAUDE)
    if found is None:
        raise CliError(
            "usage",
            "There is no Claude Code here: nothing on PATH is called claude.",
            hint="dispatch agent use claude --command COMMAND --model anthropic:MODEL",
        )
    return shlex.quote(found)


@agent.command("test")
@click.pass_obj
def test_agent(invocation: Invocation) -> int:
    """Try whether the chosen model can work.

    It is asked for harmless calls that are never made: does it answer, call tools, and hold a prompt of 8,000 tokens? A
    program of its own (claude, acp) then has to start and say one word. Exit 1 if it cannot work.
    """
    report = invocation.door.post("/v1/agents/test", {}, timeout_s=_TEST_S)
    invocation.show(report, lambda view: checks_lines(items(report, "checks"), view))
    return 0 if truth(report, "ok") else 1


def _with_price(invocation: Invocation, name: str, price: str) -> str:
    present = find("agent_prices", invocation.home, {}).value
    return with_price(present, name.partition(":")[2], price)


def _chosen(document: Document, chosen: str | None) -> list[Line]:
    holds = text(document, "agent")
    if holds != (chosen or ""):
        return [line(f"Stored, but DISPATCH_AGENT is set and wins over it: {visible(holds)}.")]
    if chosen is None:
        return [line("No agent: only tasks with signed steps run here.")]
    where = visible(text(document, "url")) or "its vendor"
    said = [line(f"{visible(chosen)} at {where} decides the calls of tasks without steps.")]
    if not text(document, "url") and not text(document, "key"):
        login = "; its own login is not used" if chosen in PROGRAMS else ""
        lacks = f"! It needs an API key, and none is named (--key-env, --key-file){login}."
        said.append(line(Span(lacks, Tone.WAITING)))
    return [*said, following("try it with", "dispatch agent test")]


def _lines(found: Document, view: View) -> list[Line]:
    listed = items(found, "agents")
    columns = [Column("AGENT", Cut.MIDDLE, 12), Column("STATE"), Column("WHAT", Cut.END, 12)]
    rows = [
        [line(visible(text(row, "name"))), _state(row), line(visible(text(row, "detail")))] for row in listed
    ]
    lines = table(columns, rows, view)
    mend = next((row for row in listed if truth(row, "chosen") and text(row, "remedy")), None)
    offers = {text(row, "detail"): row for row in reversed(listed) if not truth(row, "chosen")}
    if mend is not None:
        what = "try it with" if truth(mend, "ready") else "mend it with"
        lines.append(following(what, visible(text(mend, "remedy"))))
    for offer in reversed(offers.values()):  # of the models that one server holds, the first
        lines.append(following("choose it with", visible(text(offer, "remedy"))))
    if len(listed) == 1:
        lines.append(following("choose one with", "dispatch agent use openai:MODEL --url URL"))
    return lines


def _state(row: Document) -> Line:
    if not truth(row, "chosen"):
        return line(Span("found", Tone.QUIET))
    if not truth(row, "ready"):
        silent = row.get("answers") is False
        return line(Span("silent" if silent else "not ready", Tone.FAILED))
    if not text(row, "remedy"):  # signed steps need nobody
        return line(Span("ready", Tone.DONE))
    return line(Span("answers" if truth(row, "answers") else "not tried", Tone.PLAIN))
