"""Each event, status and question is told once."""

from dispatch_cli.progress import Progress
from tests.support import door_documents as documents


def test_what_was_told_is_not_told_again() -> None:
    progress = Progress()
    first = documents.whole(status="running", events=[documents.event(1, "tool_call")])
    news = progress.since(first)
    assert news
    assert (len(news.events), news.status, news.asked) == (1, "running", [])
    assert not progress.since(first)


def test_only_what_is_new_is_told() -> None:
    progress = Progress()
    progress.since(documents.whole(status="running", events=[documents.event(1, "tool_call")]))
    events = [documents.event(1, "tool_call"), documents.event(2, "tool_result")]
    news = progress.since(documents.whole(status="running", events=events, approvals=[documents.approval()]))
    assert [event["seq"] for event in news.events] == [2]
    assert news.status is None
    assert news.asked == [documents.approval()]
    ended = progress.since(documents.whole(status="failed", outcome="blocked", events=events))
    assert (ended.events, ended.status, ended.asked) == ([], "failed", [])


def test_an_outcome_that_changes_is_news() -> None:
    progress = Progress()
    progress.since(documents.whole(status="completed"))
    assert progress.since(documents.whole(status="completed", outcome="success")).status == "completed"
