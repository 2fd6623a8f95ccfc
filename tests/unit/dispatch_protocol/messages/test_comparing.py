import pytest

from dispatch_protocol.errors import MalformedError
from tests.support.documents import altered, comparison, read, reveal, without


@pytest.mark.parametrize("value", [comparison(), reveal()])
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
        "place, new, why",
        [
            ("re", "11" * 32, "concerns no dispatch"),
            ("edge", "00" * 16, "stands on an edge"),
            ("expires", 0, "exactly seven days"),
            ("expires", lambda expires: expires + 1, "exactly seven days"),
        ],
    )
    def test_it_stands_on_an_edge_alone_and_lives_a_week(self, value, place, new, why):
        with pytest.raises(MalformedError, match=why):
            read(type(value).read, altered(value.write(), place, new))


@pytest.mark.parametrize(
    "value, place, new",
    [
        (comparison(), "from_email", "Alice@example.org"),
        (comparison(), "to_email", "bob"),
        (comparison(), "commitment", "AA"),
        (comparison(), "commitment", None),
        (reveal(), "mine", "00"),
        (reveal(), "yours", None),
        (reveal(), "random", ""),
    ],
)
def test_strictly(value, place, new):
    with pytest.raises(MalformedError):
        read(type(value).read, altered(value.write(), place, new))
