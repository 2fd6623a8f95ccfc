"""Running what was accepted: the one adapter that reaches the sandbox, and so the one way to a wall."""

from dispatch_daemon.adapters.executor.asking import Order
from dispatch_daemon.adapters.executor.executor import Executor, Observer, RunSpec, Settlement, WallError
from dispatch_daemon.adapters.executor.trying import try_agent

__all__ = ["Executor", "Observer", "Order", "RunSpec", "Settlement", "WallError", "try_agent"]
