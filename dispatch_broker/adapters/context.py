"""What every door of the broker shares: the store, who is connected, tokens, the clock, and where it is reached."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dispatch_broker.adapters.blob_files import BlobFiles
from dispatch_broker.adapters.bus_local import LocalBus
from dispatch_broker.adapters.settings import Settings
from dispatch_broker.adapters.signins import SignIns
from dispatch_broker.adapters.store_sqlite import SqliteStore
from dispatch_broker.adapters.tokens import Tokens
from dispatch_broker.core.counts import Counts
from dispatch_broker.core.pairings import Pairings
from dispatch_broker.core.quota import Throttle, Throttles
from dispatch_broker.core.signin import SignIn

if TYPE_CHECKING:
    from dispatch_broker.adapters.oidc import ProviderDesk  # costs memory only where it is used

_PARTIES = 10_000


@dataclass(slots=True, kw_only=True)
class Context:
    """One running broker.

    `public_url` is where people reach it; `urls` are all the spellings under which a device may have dialled it, and
    `origins` what a browser calls the hosts of them. `path` is the one below which people reach it, empty for a host of its own.
    `clock` returns milliseconds since 1970; `ticks` milliseconds that never run backwards, for rates. `handshakes`
    counts sessions that have not proven a device yet.
    """

    settings: Settings
    public_url: str
    urls: frozenset[str]
    store: SqliteStore
    blobs: BlobFiles
    bus: LocalBus
    tokens: Tokens
    counts: Counts
    clock: Callable[[], int]
    ticks: Callable[[], int]
    origins: frozenset[str] = field(init=False)
    path: str = field(init=False)
    requests: Throttles = field(init=False)
    logins: Throttles = field(init=False)
    mails: Throttles = field(init=False)
    logins_everybody: Throttle = field(init=False)
    sign_ins_begun: Throttles = field(init=False)
    login_mails: Throttles = field(init=False)
    typed_codes: Throttles = field(init=False)
    sign_ins: SignIns = field(init=False)
    pairings: Pairings = field(default_factory=Pairings)
    on_mail: Callable[[], None] | None = None  # a mail is owed; None where no mail is sent
    on_code: Callable[[SignIn], None] | None = (
        None  # a sign-in waits for its code; None where no mail is sent
    )
    provider: "ProviderDesk | None" = None  # who else proves addresses; None where nobody does
    draining: bool = False
    handshakes: int = 0

    def __post_init__(self) -> None:
        self.origins = frozenset(f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, self.urls))
        self.path = urlsplit(self.public_url).path
        self.requests = Throttles(self.settings.quotas.requests, _PARTIES)
        self.logins = Throttles(self.settings.quotas.logins, _PARTIES)
        self.mails = Throttles(self.settings.quotas.mails, _PARTIES)
        self.logins_everybody = Throttle(self.settings.quotas.logins_everybody)
        self.sign_ins_begun = Throttles(self.settings.quotas.sign_ins, _PARTIES)
        self.login_mails = Throttles(self.settings.quotas.login_mails, _PARTIES)
        self.typed_codes = Throttles(self.settings.quotas.typed_codes, _PARTIES)
        self.sign_ins = SignIns(self.settings.quotas.open_sign_ins)
