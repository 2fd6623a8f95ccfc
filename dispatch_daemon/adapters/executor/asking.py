"""A model at its endpoint, let to work in an open box."""

from dataclasses import dataclass, field, replace

from dispatch_daemon.adapters.agents import Agent
from dispatch_daemon.adapters.executor.toolbox import Toolbox
from dispatch_daemon.adapters.relay.dial import read_address, trust
from dispatch_protocol.broker_url import is_loopback
from sandbox.agents.agent import Emit, Gate, Session
from sandbox.agents.model.endpoint import Endpoint, Protocol
from sandbox.agents.model.loop import Allowance, Spent, run_model
from sandbox.events import Ended, Noted
from sandbox.price import Price

_VENDOR = "https://vendor"


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
    order: Order, cwd: str, box: Toolbox, gate: Gate, emit: Emit, spent: Spent, session: Session | None = None
) -> Ended:
    """Let the model work on its order in an open box until it is done, denied or out of its allowance."""
    allowance = Allowance(order.turns or Allowance().turns, order.tokens, order.cost_microusd)

    async def tell(said: str) -> None:
        await emit(Noted(said))

    endpoint = replace(endpoint_of(order.agent), tell=tell)
    offers = await box.offers()
    return await run_model(endpoint, order.prompt, cwd, box, gate, emit, allowance, spent, session, offers)


def endpoint_of(agent: Agent) -> Endpoint:
    """Return where an agent's model is asked, and how its answers are trusted."""
    return Endpoint(
        Protocol(agent.protocol),
        agent.model,
        agent.url,
        agent.key,
        trust=trust(read_address(agent.url or _VENDOR), agent.ca_bundle) or True,
        proxied=agent.url is None or not is_loopback(agent.url),
    )
