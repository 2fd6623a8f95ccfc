"""Running what was accepted: the one adapter that reaches the sandbox, and so the one way to a wall."""

from dispatch_daemon.adapters.executor.asking import Order
from dispatch_daemon.adapters.executor.executor import Executor
from dispatch_daemon.adapters.executor.foreseeing import foresee
from dispatch_daemon.adapters.executor.reaching import Surroundings, surroundings
from dispatch_daemon.adapters.executor.run_spec import Observer, RunSpec, Settlement, WallError
from dispatch_daemon.adapters.executor.trying import try_agent
from dispatch_daemon.adapters.executor.undoing import Originals, UndoEnd

__all__ = [
    "Executor",
    "Observer",
    "Order",
    "Originals",
    "RunSpec",
    "Settlement",
    "Surroundings",
    "UndoEnd",
    "WallError",
    "foresee",
    "surroundings",
    "try_agent",
]
