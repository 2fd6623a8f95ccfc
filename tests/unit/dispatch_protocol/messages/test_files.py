import pytest

from dispatch_protocol.errors import MalformedError
from dispatch_protocol.messages.files import Artifact, Attachment, Blob, check_name
from tests.support.documents import altered, digest, fixed, read, without

BLOB = Blob(digest("blob"), fixed("key"))
ATTACHMENT = Attachment("plan.pdf", 12, digest("plan"), BLOB)
ARTIFACT = Artifact(
    name="report.txt", kind="text", mime_type="text/plain", size_bytes=3, sha256=digest("report")
)
STORED = Artifact(
    name="report.txt", kind="text", mime_type="text/plain", size_bytes=3, sha256=digest("report"), blob=BLOB
)


@pytest.mark.parametrize("value", [BLOB, ATTACHMENT, ARTIFACT, STORED])
class TestJson:
    def test_reading_is_the_inverse_of_writing(self, value):
        assert read(type(value).read, value.write()) == value

    def test_every_field_is_needed_and_none_is_added(self, value):
        body = value.write()
        for place in body:
            with pytest.raises(MalformedError):
                read(type(value).read, without(body, place))
        with pytest.raises(MalformedError):
            read(type(value).read, {**body, "more": 1})


@pytest.mark.parametrize(
    "place, value", [("name", "a/b"), ("size", -1), ("blob.key", "AA"), ("kind", "A Kind")]
)
def test_strictly(place, value):
    with pytest.raises(MalformedError):
        read(Artifact.read, altered(STORED.write(), place, value))


def test_a_blob_does_not_show_its_key():
    assert fixed("key").hex() not in repr(BLOB).encode().hex()
    assert "key" not in repr(ATTACHMENT)


@pytest.mark.parametrize("name", ["a", "a b.txt", ".hidden", "...", "ü" * 127])
def test_bare_names(name):
    assert check_name(name, "test") == name


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", "a\\b", "ü" * 128])
def test_names_that_could_lead_elsewhere(name):
    with pytest.raises(MalformedError, match="bare file name"):
        check_name(name, "test")
