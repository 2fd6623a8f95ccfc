import pytest

from dispatch_protocol.errors import MalformedError
from dispatch_protocol.messages.follow_on import Ack, Cancel, Heard, Message
from tests.support.documents import BOB, THREAD, altered, digest, head, read, without

HEAD = head(re=digest("dispatch"))
CANCEL = Cancel(head=HEAD, reason="not needed any more")
ACK = Ack(head=HEAD, device=BOB.device, seq=3)
MESSAGE = Message(head=HEAD, thread=THREAD, seq=1, text="Danke!")
HEARD = Heard(head=HEAD, message=digest("message"))


@pytest.mark.parametrize("value", [CANCEL, Cancel(head=HEAD), ACK, MESSAGE, HEARD])
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

    def test_it_concerns_a_dispatch(self, value):
        with pytest.raises(MalformedError, match="no dispatch"):
            read(type(value).read, altered(value.write(), "re", "0" * 64))


@pytest.mark.parametrize(
    "value, place, new",
    [
        (CANCEL, "reason", ""),
        (CANCEL, "reason", "x" * 2_001),
        (ACK, "seq", 0),
        (ACK, "device", "00"),
        (MESSAGE, "seq", 0),
        (MESSAGE, "text", ""),
        (MESSAGE, "text", " \n"),
        (MESSAGE, "text", "x" * 8_001),
        (MESSAGE, "surface", "The CLI"),
        (MESSAGE, "audience", ""),
        (MESSAGE, "thread", str(THREAD)),
        (HEARD, "message", "00"),
    ],
)
def test_strictly(value, place, new):
    with pytest.raises(MalformedError):
        read(type(value).read, altered(value.write(), place, new))
