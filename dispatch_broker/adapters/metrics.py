"""The operator's door: what the broker counts, in the words of Prometheus, on a listener of its own.

It has a listener of its own because the usual proxy passes every path of the public one on. Labels are words of this
program (codes, operations, routes), never an address, an id or a name: numbers are for monitoring, which keeps them
for years and shows them to many. Counting happens elsewhere, in plain numbers; here they are only read, on demand.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from dispatch_broker.adapters import http
from dispatch_broker.adapters.context import Context
from dispatch_broker.adapters.settings import is_loopback
from dispatch_broker.adapters.version import installed_version
from dispatch_broker.core.counts import Counts, Spread

_PREFIX = "dispatch_broker_"


def application(context: Context, *, host: str, connections: Callable[[], int]) -> web.Application:
    """Return the door on `host`; `connections` says how many are open at the public one."""
    registry = CollectorRegistry()
    registry.register(BrokerCollector(context, connections))
    ProcessCollector(registry=registry)

    async def metrics(request: web.Request) -> web.Response:
        if not http.private(request, loopback=is_loopback(host)):
            return http.problem(http.NOT_FOUND)
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    app = web.Application(middlewares=[http.guard(context)], client_max_size=http.BODY_BYTES)
    app.router.add_get("/metrics", metrics)
    return app


class BrokerCollector(Collector):
    """Everything about one broker, read at the moment when it is asked for."""

    def __init__(self, context: Context, connections: Callable[[], int]) -> None:
        self._context = context
        self._connections = connections

    def collect(self) -> Iterator[Metric]:
        """Return the present state, then what was counted since the start."""
        yield from self._present()
        yield from _counted(self._context.counts)

    def _present(self) -> Iterator[Metric]:
        context = self._context
        members = context.bus.members()
        backlog = context.store.backlog()
        yield _info("build", "Which version runs.", version=installed_version())
        yield _info("epoch", "The history that the database tells.", epoch=context.store.epoch)
        yield _gauge("draining", "1 while it takes no new sessions.", int(context.draining))
        yield _gauge("connections", "Open connections at the public door.", self._connections())
        yield _gauge("unproven_connections", "Of these, sessions without a proof yet.", context.handshakes)
        yield _gauge("sessions", "Open sessions of devices.", len(members))
        identities = len({member.account.genesis for member in members})
        yield _gauge("identities_online", "Identities with an open session.", identities)
        yield _gauge("waiting_mailboxes", "Mailboxes in which something waits.", backlog.mailboxes)
        yield _gauge("waiting_envelopes", "Envelopes in all mailboxes.", backlog.rows)
        yield _gauge("waiting_bytes", "Bytes in all mailboxes.", backlog.size_bytes)
        yield _gauge("deepest_mailbox_envelopes", "Envelopes in the fullest mailbox.", backlog.deepest_rows)
        age_s = backlog.age_ms(context.clock()) / 1000
        yield _gauge("oldest_envelope_age_seconds", "How long the oldest envelope has waited.", age_s)
        size = GaugeMetricFamily(
            f"{_PREFIX}store_bytes", "What the store takes on the disk.", labels=["file"]
        )
        for name, size_bytes in context.store.size_bytes().items():
            size.add_metric([name], size_bytes)
        yield size


def _counted(counts: Counts) -> Iterator[Metric]:
    by_code = {(code,): count for code, count in counts.deposits.items()}
    yield _counter("deposits", "Deposits answered, by code.", ("code",), by_code)
    yield _counter("calls", "Calls answered, by operation and code.", ("op", "code"), counts.calls)
    by_code = {(code,): count for code, count in counts.handshakes.items()}
    yield _counter("handshakes", "Sessions that were begun, by how that ended.", ("code",), by_code)
    by_code = {(code,): count for code, count in counts.broken.items()}
    yield _counter("broken_sessions", "Sessions ended over a broken rule, by code.", ("code",), by_code)
    requests = {(route, str(status)): count for (route, status), count in counts.requests.items()}
    yield _counter("http_requests", "Plain HTTP, by route and status.", ("route", "status"), requests)
    yield _counter("deliveries", "Envelopes sent to devices.", (), {(): counts.deliveries})
    yield _counter("delivered_bytes", "Bytes of these.", (), {(): counts.delivered_bytes})
    yield _counter("acknowledgements", "Envelopes that devices confirmed.", (), {(): counts.acknowledged})
    yield _counter("purged_rows", "Rows that time has taken away.", (), {(): counts.purged})
    yield _counter("lost_commits", "Commits that the disk refused.", (), {(): counts.commits_lost})
    yield _histogram("commit_seconds", "How long the disk took for a commit.", counts.commit_s)
    yield _histogram("commit_waiters", "Answers that waited for one commit.", counts.commit_waiters)


def _info(name: str, words: str, **labels: str) -> Metric:
    metric = GaugeMetricFamily(f"{_PREFIX}{name}_info", words, labels=list(labels))
    metric.add_metric(list(labels.values()), 1)
    return metric


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{_PREFIX}{name}", words, value=value)


def _counter(name: str, words: str, labels: tuple[str, ...], values: Mapping[Any, int]) -> Metric:
    metric = CounterMetricFamily(f"{_PREFIX}{name}", words, labels=labels)
    for key, value in sorted(values.items()):
        metric.add_metric(key, value)
    return metric


def _histogram(name: str, words: str, spread: Spread) -> Metric:
    steps = [
        ("+Inf" if bound == float("inf") else str(bound), float(count)) for bound, count in spread.steps()
    ]
    return HistogramMetricFamily(f"{_PREFIX}{name}", words, buckets=steps, sum_value=spread.total)
