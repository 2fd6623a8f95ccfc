"""An agent with a program of its own: whole inside the wall, and the gate through which it asks its model."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from dispatch_daemon.adapters.agents import Agent
from dispatch_daemon.adapters.executor import lending
from dispatch_daemon.adapters.executor.asking import Order
from dispatch_daemon.adapters.executor.toolbox import Toolbox
from dispatch_daemon.adapters.relay.dial import read_address, trust
from dispatch_daemon.adapters.settings import CLAUDE
from dispatch_protocol.broker_url import is_loopback
from sandbox.agents.acp.run import run_acp
from sandbox.agents.agent import Emit, Gate, Session
from sandbox.agents.claude import launch
from sandbox.agents.claude.run import run_claude
from sandbox.agents.model.conversation import Tokens
from sandbox.agents.model.loop import Allowance, Spent
from sandbox.agents.peer import Left, read_left
from sandbox.errors import SessionError
from sandbox.events import Crossed, Ended
from sandbox.gate.meter import Meter
from sandbox.gate.model import PORT, SHAPES, Decision, ModelGate, Upstream, rule_for
from sandbox.gate.pin import Pin
from sandbox.job import Program

_INSIDE: Final = f"http://127.0.0.1:{PORT}"
_PATH: Final = ("/usr/local/bin", "/usr/bin", "/bin")


def resident_of(
    order: Order, tools: frozenset[str], session: Session | None = None, servers: Sequence[str] = ()
) -> Program | None:
    """Return the program that lives inside for an order, if its agent has one; it finds `servers` at a gate of their own."""
    program = order.agent.program
    if program is None:
        return None
    binaries = [f"{each}/bin" for each in program.directories if Path(each, "bin").is_dir()]
    beside = str(
        Path(program.argv[0]).parent
    )  # the interpreter, which such programs start once more by its name
    found = {"PATH": ":".join(dict.fromkeys([beside, *binaries, *_PATH]))}
    environment = found | dict(launch.ENVIRONMENT) | _endpoint(order.agent, order.placeholder)
    argv = (*program.argv, *_codex(program.argv, order.agent))
    if program.speaks == CLAUDE:
        name = None if session is None else _taken_up(session, CLAUDE).session_id
        argv = launch.arguments(argv, tools, order.agent.model, name, lending.for_claude(servers))
        environment |= launch.SERVED if servers else {}
    ports = (PORT, lending.PORT) if servers else (PORT,)
    return Program(argv, program.directories, environment, ports)


def _endpoint(agent: Agent, placeholder: str) -> dict[str, str]:
    """Say where the model is and how it is called, in the words of whoever may look for it."""
    told = {
        "DISPATCH_MODEL": agent.model,
        "DISPATCH_MODEL_URL": _INSIDE,
        "DISPATCH_MODEL_KEY": placeholder,
        "OPENCODE_CONFIG_CONTENT": _opencode(agent, placeholder),
    }
    if agent.protocol == "openai":
        base = f"{_INSIDE}/v1"
        return told | {
            "OPENAI_BASE_URL": base,
            "OPENAI_API_BASE": base,
            "OPENAI_API_KEY": placeholder,
            "OPENAI_MODEL": agent.model,
        }
    names = ("MODEL", "SMALL_FAST_MODEL", "DEFAULT_HAIKU_MODEL", "DEFAULT_SONNET_MODEL", "DEFAULT_OPUS_MODEL")
    models = {f"ANTHROPIC_{name}": agent.model for name in names}
    return told | models | {"ANTHROPIC_BASE_URL": _INSIDE, "ANTHROPIC_API_KEY": placeholder}


def _opencode(agent: Agent, placeholder: str) -> str:
    """Write the configuration of opencode, which knows its endpoint from nowhere else, and asks for what it is told to."""
    options = {"baseURL": f"{_INSIDE}/v1", "apiKey": placeholder}
    model = f"{agent.protocol}/{agent.model}"
    config = {
        "model": model,
        "small_model": model,
        "provider": {agent.protocol: {"options": options, "models": {agent.model: {}}}},
        "permission": dict.fromkeys(("edit", "bash", "webfetch"), "ask"),
        "autoupdate": False,
        "share": "disabled",
    }
    return json.dumps(config)


def asks_responses(argv: Sequence[str]) -> bool:
    """Tell whether this is codex-acp, which asks in OpenAI's Responses and not in Chat Completions."""
    return any(Path(word).name.startswith("codex-acp") for word in argv[:2])


def _codex(argv: Sequence[str], agent: Agent) -> tuple[str, ...]:
    """Write what codex-acp takes for its settings, from its command only: its endpoint, and to ask for what it runs.

    Its own sandbox is switched off, because it cannot be built inside of ours.
    """
    if not asks_responses(argv):
        return ()
    provider = {
        "name": "dispatch",
        "base_url": f"{_INSIDE}/v1",
        "env_key": "OPENAI_API_KEY",
        "wire_api": "responses",
    }
    written = ", ".join(f"{key} = {json.dumps(value)}" for key, value in provider.items())
    settings = {
        "model": json.dumps(agent.model),
        "model_provider": '"dispatch"',
        "model_providers.dispatch": f"{{ {written} }}",
        "approval_policy": '"untrusted"',
        "sandbox_mode": '"danger-full-access"',
        "web_search": '"disabled"',
    }
    return tuple(word for key, value in settings.items() for word in ("-c", f"{key}={value}"))


async def reside(
    order: Order, cwd: str, box: Toolbox, gate: Gate, emit: Emit, spent: Spent, session: Session | None = None
) -> Ended:
    """Let the agent in the box work on its order, its model behind the gate; `spent` is what the gate counted.

    Raises:
        SessionError: The session is another agent's, or none.
    """
    agent, program = order.agent, order.agent.program
    assert program is not None  # noqa: S101 - an agent without a program lives nowhere
    left = None if session is None else _taken_up(session, program.speaks)
    meter = Meter(order.turns or Allowance().turns, order.tokens, order.cost_microusd, spent.price)
    if session is not None:
        meter.turns, meter.input_tokens, meter.output_tokens = _spent(session)

    async def tell(decision: Decision) -> None:
        await emit(Crossed(decision.allowed, decision.what, decision.code))

    upstream = Upstream(
        agent.protocol,
        agent.url,
        trust=trust(read_address(agent.url or str(SHAPES[agent.protocol].DEFAULT_URL)), agent.ca_bundle)
        or True,
        proxied=agent.url is None or not is_loopback(agent.url),
    )
    rule = rule_for(agent.protocol, order.placeholder, agent.key)
    door = ModelGate(upstream, rule, Pin(agent.model), meter, tell)
    try:
        async with door.serve(box.listener(PORT)), lending.lent(box, order.placeholder, emit) as lent:
            if program.speaks == CLAUDE:
                ended = await run_claude(
                    box.resident, order.prompt, box, gate, emit, door.spent, left, lent.calls
                )
            else:
                reached = lent.for_acp(order.placeholder)
                ended = await run_acp(
                    box.resident, order.prompt, cwd, box, gate, emit, door.spent, left, reached
                )
    finally:
        spent.turns = meter.turns
        spent.tokens = Tokens(meter.input_tokens, meter.output_tokens)
    if ended.session is not None:
        used = {"turns": meter.turns, "input": meter.input_tokens, "output": meter.output_tokens}
        return replace(ended, session={**ended.session, "agent": program.speaks, "spent": used})
    return _judged(ended, door)


def _taken_up(session: Session, agent: str) -> Left:
    """Return where this agent was.

    Raises:
        SessionError: It is another agent's, or none.
    """
    if session.get("agent") != agent:
        raise SessionError("it is the session of another agent than the one that is chosen now")
    return read_left(session)


def _spent(session: Session) -> tuple[int, int, int]:
    """Return the turns and tokens that a run had used when it was set aside: they count.

    Raises:
        SessionError: It does not say.
    """
    used = session.get("spent")
    numbers = [used.get(name) for name in ("turns", "input", "output")] if isinstance(used, dict) else []
    match numbers:
        case [int(turns), int(given), int(made)]:
            return turns, given, made
    raise SessionError("it does not say what was used")


def _judged(ended: Ended, door: ModelGate) -> Ended:
    """Say how it really ended: an agent whose budget was spent or whose model was lost has not done its task."""
    if door.meter.over and ended.reason_code != "denied":
        return Ended("blocked", "budget", door.meter.over)
    own_fault = ended.outcome == "success" or ended.reason_code.startswith("agent_")
    if door.trouble.code and own_fault:
        return Ended("failed", door.trouble.code, door.trouble.detail)
    return ended
