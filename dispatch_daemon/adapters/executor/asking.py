"""A model at its endpoint: letting it work in an open box, and trying whether it can work at all."""

from dataclasses import dataclass, field

from dispatch_daemon.adapters.agents import Agent
from dispatch_daemon.adapters.relay.dial import read_address, trust
from dispatch_protocol.broker_url import is_loopback
from sandbox.agents.agent import Emit, Gate, Session, Tools
from sandbox.agents.model.conversation import Asked, Conversation, ModelError, Reply
from sandbox.agents.model.endpoint import Endpoint, Protocol
from sandbox.agents.model.loop import Allowance, Spent, run_model
from sandbox.events import Ended
from sandbox.price import Price
from sandbox.tools import inputs

_VENDOR = "https://vendor"
_PROBE_TOOL = "Read"
_PROBE_PATH = "greeting.txt"
_PROBE = Conversation(
    "You test whether tools can be called. Call the tool that is asked for, and nothing else.",
    (Asked(f"Call the tool {_PROBE_TOOL} with file_path {_PROBE_PATH}."),),
    frozenset({_PROBE_TOOL}),
)


@dataclass(frozen=True, slots=True)
class Order:
    """What a model is asked to do, where, and how much it may use; None is the default or no bound.

    `placeholder` stands for the key inside the wall, for this run alone, where the agent's own program is there.
    """

    agent: Agent
    prompt: str
    turns: int | None = None
    tokens: int | None = None
    placeholder: str = field(default="", repr=False)
    cost_microusd: int | None = None


def price_of(order: Order | None) -> Price | None:
    """Return what the model of an order costs, where the owner of this machine has said so."""
    price = None if order is None else order.agent.price
    return None if price is None else Price(*price)


async def work(
    order: Order, cwd: str, box: Tools, gate: Gate, emit: Emit, spent: Spent, session: Session | None = None
) -> Ended:
    """Let the model work on its order in an open box until it is done, denied or out of its allowance."""
    allowance = Allowance(order.turns or Allowance().turns, order.tokens, order.cost_microusd)
    endpoint = _endpoint(order.agent)
    return await run_model(endpoint, order.prompt, cwd, box, gate, emit, allowance, spent, session)


async def try_model(agent: Agent) -> list[tuple[str, bool, str]]:
    """Ask the model for one harmless call that is never made; return (name, whether it is well, what was found)."""
    endpoint = _endpoint(agent)
    try:
        reply = await endpoint.ask(_PROBE)
    except ModelError as error:
        return [("answers", False, f"{error.detail} ({error.code})")]
    tokens = f"{reply.tokens.total} tokens" if reply.tokens.total else "tokens not counted"
    return [
        ("answers", True, f"{agent.name} at {endpoint.address}, {tokens}"),
        ("calls tools", _called(reply), _how(reply)),
    ]


def _called(reply: Reply) -> bool:
    return any(call.tool == _PROBE_TOOL and (call.input or {}).get("file_path") for call in reply.calls)


def _how(reply: Reply) -> str:
    if not reply.calls:
        return f"it answered in words instead: {' '.join(reply.text.split())[:80] or 'nothing'}"
    (call, *_) = reply.calls
    try:
        inputs.check(call.tool, call.input or {})
    except inputs.InputError as error:
        return f"its call cannot be made: {error}"
    return f"it called {call.tool}"


def _endpoint(agent: Agent) -> Endpoint:
    return Endpoint(
        Protocol(agent.protocol),
        agent.model,
        agent.url,
        agent.key,
        trust=trust(read_address(agent.url or _VENDOR), agent.ca_bundle) or True,
        proxied=agent.url is None or not is_loopback(agent.url),
    )
