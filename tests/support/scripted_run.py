"""A run behind a scripted door: it asks, is answered, asks again about its changes, and ends.

Only the story is scripted: each question is put when the one before was answered, every change of state is
told to whoever watches, and an answer moves the story on, as in the daemon.
"""

from dataclasses import dataclass, field
from typing import Any

from tests.support import door_documents as documents
from tests.support.scripted_daemon import Answer, Request, Script, problem

Json = dict[str, Any]


@dataclass
class ScriptedRun:
    """One dispatch that was delivered here; `questions` are put one after the other."""

    script: Script
    questions: list[Json]
    state: Json = field(default_factory=documents.whole)
    answers: list[Json] = field(default_factory=list)

    def __post_init__(self) -> None:
        path = f"/v1/dispatches/{documents.ID}"
        self.script.on("GET", path, lambda _: (200, dict(self.state)))
        self.script.on("POST", f"{path}/accept", self._accept)
        self.script.on("POST", f"{path}/review", self._review)
        for question in self.questions:
            self.script.on("POST", f"/v1/approvals/{question['request_id']}", self._decide)

    def _accept(self, request: Request) -> Answer:
        del request
        self.begin()
        return 200, {"dispatch_id": documents.ID, "status": "accepted"}

    def begin(self) -> None:
        """Start the run, and put its first question."""
        self.state |= {"status": "running", "runs": [documents.run()]}
        self.log("run_started", cwd="/srv/api", confinement={"layers": ["namespaces"]})
        self._next()

    def _decide(self, request: Request) -> Answer:
        asked = request.path.rpartition("/")[2]
        if asked not in {question["request_id"] for question in self.state["approvals"]}:
            return 409, problem("not_pending", "this question is no longer open: it was expired")
        self.answers.append(request.body)
        approved = request.body["decision"] == "approve"
        self.state["approvals"] = []
        self.log(
            "approval_decided",
            request_id=asked,
            decision="approved" if approved else "denied",
            grant=request.body.get("grant"),
        )
        if approved:
            self._next()
        else:
            self.end(status="failed", outcome="blocked")
        return 200, {"request_id": asked, "status": "approved" if approved else "denied"}

    def _review(self, request: Request) -> Answer:
        self.answers.append({"review": request.body})
        self.state["approvals"] = []
        self._next()
        return 200, {"dispatch_id": documents.ID, "status": "running"}

    def _next(self) -> None:
        if not self.questions:
            self.end(status="completed", outcome="success")
            return
        self.state |= {"status": "waiting_approval", "approvals": [self.questions.pop(0)]}
        self.tell()

    def end(self, **changes: Any) -> None:
        """End the dispatch."""
        over = documents.finished() if changes.get("outcome") == "success" else {}
        self.state |= {**over, "events": self.state["events"], "approvals": [], **changes}
        self.tell()

    def withdraw(self) -> None:
        """Take the open question away, as when somebody answers it elsewhere."""
        self.state |= {"status": "running", "approvals": []}
        self.tell()

    def log(self, kind: str, **data: Any) -> None:
        """Add one entry to the trace."""
        events = self.state["events"]
        self.state["events"] = [*events, documents.event(len(events) + 1, kind, **data)]

    def tell(self) -> None:
        """Wake everybody who watches."""
        self.script.tell("change", {"type": "dispatch", "dispatch_id": documents.ID})
