"""What may be asked of the door, as strict frozen models: the outside is checked here and nowhere deeper.

The strict JSON loader has already refused duplicate keys, NaN and lone surrogates; these models refuse unknown
fields, wrong types and over-long text, and `arguments()` turns each into arguments of one method of `DoorService`.
Field names are the long flags of the command line with underscores. Models are built on first use: an idle daemon
does not pay for those that nobody has sent yet.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import AliasChoices, Field

from dispatch_daemon.adapters.loopback.asked import (
    Address,
    Asked,
    Face,
    Line,
    Name,
    Place,
    Reason,
    Text,
    Token,
    Url,
)
from dispatch_daemon.adapters.loopback.device_models import (
    Confirm,
    DeviceChoice,
    DeviceRoles,
    Join,
    OpenPairing,
    Recover,
    Rename,
)
from dispatch_daemon.adapters.loopback.trust_models import (
    AcceptInvitation,
    AliasContact,
    BudgetChoice,
    DeclineInvitation,
    EditEdge,
    ExportTrust,
    ImportTrust,
    Invite,
    Revoke,
    VerifyContact,
)
from dispatch_daemon.ports import FileChoice, SendRequest
from dispatch_protocol import limits
from dispatch_protocol.budget import Budget

PAGE: Final = 50
PAGE_MAX: Final = 200


class Nothing(Asked):
    """An act that needs no words."""


class ServerChoice(Asked):
    """One MCP server of this machine."""

    name: Name


class Pause(Asked):
    """Let nothing new start here, or let it again."""

    off: bool = False


class Login(Asked):
    """Sign in at a broker; `dev` is for a broker on this machine that sends no mail."""

    broker: Url | None = None
    email: Address
    dev: bool = False
    token: Token | None = None


class BeginLogin(Asked):
    """Begin a sign-in: by mail if an address is named and no `page` is asked for, where the broker can."""

    broker: Url | None = None
    email: Address | None = None
    page: bool = False


class FinishLogin(Asked):
    """Go on with the sign-in of this handle; `code` is what was mailed, None waits for the page."""

    login: Annotated[Line, Field(min_length=1, max_length=64)]
    code: Annotated[Line, Field(min_length=1, max_length=64)] | None = None


class PageCode(Asked):
    """The code that stands in a link to the page."""

    code: Annotated[Line, Field(min_length=1, max_length=64)]


class FileChosen(Asked):
    """A file that was handed over at `/v1/files`, and the bare name that it travels under."""

    file_id: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    name: Name


class Send(Asked):
    """One dispatch: the task as written, for whom, and what goes with it. `expires` and `timeout` are seconds.

    `by` is the face through which it was composed, as that face says itself. With `parent` it follows another dispatch
    up, in its thread, and goes to the other side of that one. `device` is which device of theirs is to run it.
    """

    recipient: Name | None = None
    parent: Name | None = None
    task: Annotated[Text, Field(min_length=1, max_length=limits.TASK_CHARS)]
    steps: Annotated[list[dict[str, Any]], Field(max_length=limits.STEPS)] | None = None
    background: Annotated[Text, Field(max_length=limits.BACKGROUND_CHARS)] | None = None
    link: Annotated[
        list[Annotated[Line, Field(min_length=1, max_length=limits.LINK_CHARS)]],
        Field(max_length=limits.LINKS, validation_alias=AliasChoices("link", "links")),
    ] = Field(default_factory=list)
    deliverable: Annotated[Text, Field(max_length=limits.DELIVERABLE_CHARS)] | None = None
    project: Annotated[Line, Field(max_length=limits.PROJECT_CHARS)] | None = None
    meta: Annotated[
        dict[
            Annotated[Line, Field(min_length=1, max_length=limits.META_KEY_CHARS)],
            Annotated[Text, Field(max_length=limits.META_VALUE_CHARS)],
        ],
        Field(max_length=limits.META_PAIRS),
    ] = Field(default_factory=dict)
    expires: Annotated[int, Field(ge=limits.EXPIRY_MIN_S, le=limits.EXPIRY_MAX_S)] | None = None
    timeout: Annotated[int, Field(ge=1, le=limits.EXPIRY_MAX_S)] | None = None
    budget: BudgetChoice | None = None
    device: Name | None = None
    files: Annotated[list[FileChosen], Field(max_length=limits.ATTACHMENTS)] = Field(default_factory=list)
    by: Face = "api"

    def arguments(self) -> dict[str, Any]:
        """Gather the fields into one request."""
        request = SendRequest(
            recipient=self.recipient,
            task=self.task,
            steps=self.steps,
            background=self.background,
            links=self.link,
            deliverable=self.deliverable,
            project=self.project,
            meta=self.meta,
            expires_s=self.expires,
            timeout_s=self.timeout,
            budget=Budget() if self.budget is None else self.budget.budget(),
            files=tuple(FileChoice(file.file_id, file.name) for file in self.files),
            parent=self.parent,
            device=self.device,
            surface=self.by,
        )
        return {"request": request}


class Accept(Asked):
    """Run a dispatch here; `cwd` is the run directory, `caller_cwd` where the person stood when accepting.

    With `by_hand` nothing runs: a human does it, and completes it. `here` says that it shall be this device although another
    one of mine is to run it. With `headless` what no agent here can do ends as needing input, which its sender is told;
    without, it is refused and stays undecided.
    """

    cwd: Place | None = None
    caller_cwd: Place | None = None
    by_hand: bool = False
    here: bool = False
    headless: bool = False


class Complete(Asked):
    """Say what came of a dispatch done by hand; `file` names files of this machine, `handed` what came to `/v1/files`."""

    text: Annotated[Text, Field(min_length=1, max_length=limits.REPLY_CHARS)]
    file: Annotated[
        list[Place], Field(max_length=limits.ATTACHMENTS, validation_alias=AliasChoices("file", "files"))
    ] = Field(default_factory=list)
    handed: Annotated[list[FileChosen], Field(max_length=limits.ATTACHMENTS)] = Field(default_factory=list)

    def arguments(self) -> dict[str, Any]:
        """Name the files as the daemon does."""
        handed = tuple(FileChoice(file.file_id, file.name) for file in self.handed)
        return {"text": self.text, "files": self.file, "handed": handed}


class Stepping(Asked):
    """A human's word on a run that goes on; `by` is the face through which it is said."""

    by: Face = "api"


class Undo(Asked):
    """Take back what a run changed here; `digest` names the changes that were shown."""

    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    by: Face = "api"


class Reply(Asked):
    """Words to the other side of a dispatch; `by` is the face through which they are written."""

    text: Annotated[Text, Field(min_length=1, max_length=limits.REPLY_CHARS)]
    by: Face = "api"


class Read(Asked):
    """Everything up to this message was shown to a human here."""

    last: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Because(Asked):
    """Decline or cancel, with a reason if one is given."""

    reason: Reason | None = None


class Decide(Asked):
    """Answer one question; `grant` says how far an approval reaches, `stop` ends the run at once with a denial.

    `by` is the face through which the human answers, as that face says itself.
    """

    decision: Literal["approve", "deny"]
    grant: Literal["once", "always", "session"] | None = None
    reason: Reason | None = None
    dispatch_id: Name | None = None
    stop: bool = False
    by: Face = "api"


class Listing(Asked):
    """One page of a list, newest first; `cursor` is the `next` of the page before."""

    box: Literal["inbox", "sent"] = "inbox"
    cursor: Name | None = None
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX, strict=False)] = PAGE


class Watching(Asked):
    """Which dispatch to watch; everything if none is named."""

    dispatch: Name | None = None

    def arguments(self) -> dict[str, Any]:
        """Name the dispatch as the daemon does."""
        return {"dispatch_id": self.dispatch}


class SettingChange(Asked):
    """A setting as it is typed; null forgets it."""

    name: Name
    value: Annotated[Line, Field(max_length=limits.PATH_CHARS)] | None


# What a route names is found here.
MODELS: Final[Mapping[str, type[Asked]]] = MappingProxyType(
    {
        model.__name__: model
        for model in (
            AliasContact,
            Accept,
            AcceptInvitation,
            Because,
            BeginLogin,
            Complete,
            Confirm,
            Decide,
            DeclineInvitation,
            DeviceChoice,
            DeviceRoles,
            EditEdge,
            ExportTrust,
            FinishLogin,
            ImportTrust,
            Invite,
            Join,
            Listing,
            Login,
            Nothing,
            OpenPairing,
            PageCode,
            Pause,
            Read,
            Reply,
            Recover,
            Rename,
            Revoke,
            Send,
            ServerChoice,
            SettingChange,
            Stepping,
            Undo,
            VerifyContact,
            Watching,
        )
    }
)
