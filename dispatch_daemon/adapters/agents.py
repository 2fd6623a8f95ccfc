"""Which agent the owner of this machine chose, where its key lies, and what else was found to choose from.

The recipient chooses, never the sender. The choice is read anew for every run, so `dispatch agent use` needs no
restart. A key is named in the configuration and never stands there: it is in the daemon's environment (`env:NAME`)
or in a file that only its owner can read (`file:PATH`).
"""

import asyncio
import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dispatch_daemon.adapters.broker_address import repair
from dispatch_daemon.adapters.choosing_again import again, directories, remedy
from dispatch_daemon.adapters.endpoint_probe import PROBE_S, somebody_answers
from dispatch_daemon.adapters.home import HomeError
from dispatch_daemon.adapters.prices import prices_of
from dispatch_daemon.adapters.secret_places import SecretMissingError, secret_at
from dispatch_daemon.adapters.settings import ACP, CLAUDE, PROGRAMS, Settings, load_settings
from dispatch_protocol.broker_url import is_loopback
from dispatch_protocol.errors import LocalError

MODEL: Final = "model"  # the words for them in runs, receipts and results; which one it is stays here
# Those that the gate can serve: Gemini's own program, for one, asks by a protocol that it does not know.
KNOWN_PROGRAMS: Final = ("claude-agent-acp", "opencode acp", "codex-acp")
KEY_VARIABLES: Final = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
_CHOOSE: Final = {
    ACP: "dispatch agent use acp --command COMMAND --model anthropic:MODEL",
    CLAUDE: "dispatch agent use claude --model anthropic:MODEL",
}
_BY_KEY: Final = (
    "needs an API key, its own login is not used"  # of programs that live inside, where no login is
)
ANTHROPIC: Final = "anthropic"
_ASKS: Final = {"codex-acp": "openai"}  # in which protocol a known program asks, if not in the other
_OLLAMA: Final = "127.0.0.1:11434"


class AgentError(Exception):
    """The chosen agent cannot be used as it is; `code` is stable, `remedy` is the next command or act."""

    def __init__(self, code: str, detail: str, remedy: str) -> None:
        """Say what is wrong and what to do about it."""
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class AgentProgram:
    """An agent's own program: what starts it inside the wall, what it is made of besides /usr, how it is spoken with."""

    argv: tuple[str, ...]
    directories: tuple[str, ...] = ()
    speaks: str = ACP


@dataclass(frozen=True, slots=True)
class Agent:
    """A model at an endpoint, and the program that asks it, if that is not ours.

    `url` None is the vendor's own; `key` is never shown. `price` is what its owner says it costs, in and out, in
    millionths of a US dollar for a million tokens.
    """

    protocol: str
    model: str
    url: str | None = None
    key: str | None = field(default=None, repr=False)
    ca_bundle: str | None = None
    program: AgentProgram | None = None
    price: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """The name as people choose it."""
        asked = f"{self.protocol}:{self.model}"
        return asked if self.program is None else f"{self.program.speaks} ({asked})"

    @property
    def price_hint(self) -> str:
        """The command that tells what this model costs."""
        return f"dispatch config set agent_prices {self.model}=IN/OUT  (US dollars for a million tokens)"


class Agents:
    """The choice in `config.json` and the environment of this daemon."""

    def __init__(self, home: Path, environ: Mapping[str, str] | None = None) -> None:
        self._home = home
        self._environ = os.environ if environ is None else environ

    def chosen(self) -> str | None:
        """Return the name of the chosen agent, or None; a configuration that cannot be read chooses nothing."""
        try:
            return self._settings().agent
        except AgentError:
            return None

    def word(self) -> str:
        """Return the word for the chosen agent in runs, receipts and results."""
        chosen = self.chosen()
        return "none" if chosen is None else chosen if chosen in PROGRAMS else MODEL

    def named(self) -> str | None:
        """Return the chosen agent with its model, as people choose it, or None where none could be asked now."""
        try:
            agent = self.open()
        except AgentError:
            return None
        return None if agent is None else agent.name

    def called(self) -> str | None:
        """Return the name of the chosen agent among those that were found: of acp, that of its program."""
        chosen = self.chosen()
        if chosen != ACP:
            return chosen
        argv = shlex.split(self._settings().agent_command or "")
        known = (name for name, found, _ in self._programs() if os.path.realpath(found) in argv)
        return next(known, ACP)

    def open(self) -> Agent | None:
        """Return the chosen agent with its key, ready to be asked, or None if none was chosen.

        Raises:
            AgentError: `config_invalid`, or `agent_key_missing` where its key is not to be had or must not be sent.
        """
        settings = self._settings()
        if settings.agent is None:
            return None
        program = _program(settings.agent, settings) if settings.agent in PROGRAMS else None
        asked = settings.agent if program is None else settings.agent_model
        if asked is None or (settings.agent == CLAUDE and not asked.startswith("anthropic:")):
            raise AgentError(
                "agent_incomplete",
                f"The agent {settings.agent} needs a model to ask, behind the gate"
                f"{'' if asked is None else f', in the protocol of Anthropic, and not {asked}'}.",
                _CHOOSE[settings.agent],
            )
        protocol, _, model = asked.partition(":")
        key = self._key(settings.agent_key)
        if settings.agent_url is None and key is None:
            raise AgentError(
                "agent_key_missing",
                f"{asked} is asked at its vendor, which needs a key, and none is named.",
                again(settings, f"env:{KEY_VARIABLES[protocol]}", None),
            )
        if key is not None and settings.agent_url is not None and _is_exposed(settings.agent_url):
            raise AgentError(
                "agent_key_missing",
                f"{settings.agent_url} is plain HTTP to another machine; no key is sent there.",
                again(settings, settings.agent_key, f"https{settings.agent_url.removeprefix('http')}"),
            )
        price = prices_of(settings.agent_prices).get(model)
        return Agent(protocol, model, settings.agent_url, key, settings.ca_bundle, program, price)

    def has_variable(self, name: str) -> bool:
        """Say whether the environment of this daemon has a variable that holds anything."""
        return bool(self._environ.get(name))

    async def answers(self) -> bool | None:
        """Say whether anything answers where the chosen agent's model is asked; None where that is not asked."""
        settings = self._settings()
        return await somebody_answers(settings.agent_url, settings.ca_bundle)

    def remedy(self, check: str, code: str | None) -> str:
        """Return what to type after a check of the chosen agent that failed, from what it failed of."""
        return remedy(self._settings(), check, code)

    def _settings(self) -> Settings:
        try:
            return load_settings(self._home, flags={}, environ=self._environ)
        except HomeError as error:
            raise AgentError("config_invalid", error.detail, error.hint or "dispatch config path") from error

    def _key(self, reference: str | None) -> str | None:
        if reference is None:
            return None
        try:
            return _checked(secret_at(reference, self._environ), reference.partition(":")[2])
        except SecretMissingError as error:
            raise AgentError("agent_key_missing", error.detail, error.remedy) from error

    # -- what else there is ----------------------------------------------------------------------------

    async def found(self) -> list[tuple[str, str, str]]:
        """Return (name, where, the command that would choose it) of what this machine offers besides."""
        offers = [
            (f"{protocol}:MODEL", variable, f"dispatch agent use {protocol}:MODEL --key-env {variable}")
            for protocol, variable in KEY_VARIABLES.items()
            if self._environ.get(variable)
        ]
        claude = shutil.which(CLAUDE, path=self._environ.get("PATH"))
        offers += [(CLAUDE, f"{_BY_KEY}: {claude}", _CHOOSE[CLAUDE])] if claude else []
        for name, place, command in self._programs():
            started = shlex.quote(shlex.join([place, *command.split()[1:]]))
            asked = f"{_ASKS.get(command, ANTHROPIC)}:MODEL"
            where = f"{_BY_KEY}: {place}"
            offers.append((name, where, f"dispatch agent use acp --command {started} --model {asked}"))
        url, models = await self._ollama()
        return offers + [
            (f"openai:{model}", f"Ollama at {url}", f"dispatch agent use openai:{model} --url {url}")
            for model in models
        ]

    def _programs(self) -> list[tuple[str, str, str]]:
        """Return (name, where, its command) of the ACP agents that are known and here."""
        named = [(command.split()[0], command) for command in KNOWN_PROGRAMS]
        path = self._environ.get("PATH")
        return [(name, found, command) for name, command in named if (found := shutil.which(name, path=path))]

    async def _ollama(self) -> tuple[str, list[str]]:
        """Ask an Ollama on this machine for its models; one elsewhere is not looked for."""
        import aiohttp  # the client half costs nothing until somebody lists agents

        named = self._environ.get("OLLAMA_HOST") or _OLLAMA
        try:
            url = repair(named if "://" in named else f"http://{named}")
        except LocalError:
            return named, []
        if not is_loopback(url):
            return url, []
        timeout = aiohttp.ClientTimeout(total=PROBE_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as client,
                client.get(f"{url}/api/tags", allow_redirects=False) as response,
            ):
                listed = await response.json(content_type=None) if response.status == 200 else None
        except (aiohttp.ClientError, ValueError, TimeoutError, asyncio.IncompleteReadError):
            return url, []
        models = listed.get("models") if isinstance(listed, dict) else None
        named_models = [model.get("name") for model in models or [] if isinstance(model, dict)]
        return url, [name for name in named_models if isinstance(name, str) and name.isprintable()][:50]


def _program(name: str, settings: Settings) -> AgentProgram:
    """Return the program that was chosen, which must still be there."""
    argv = tuple(shlex.split(settings.agent_command or ""))
    if not argv or not os.access(argv[0], os.X_OK):
        raise AgentError(
            "agent_incomplete",
            f"The agent {name} needs a program, and {argv[0] if argv else 'none is named'}"
            f"{' cannot be started' if argv else ''}.",
            _CHOOSE[name],
        )
    return AgentProgram(argv, directories(settings), name)


def _checked(key: str, place: str) -> str:
    """Refuse what could not stand in a header: a key has no blanks and no line ends."""
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise AgentError(
            "agent_key_missing", f"What {place} holds is no key.", f"put the key alone into {place}"
        )
    return key


def _is_exposed(url: str) -> bool:
    return url.startswith("http:") and not is_loopback(url)
