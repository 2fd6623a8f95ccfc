import pytest

from dispatch_protocol.body import check_word, read_body, read_object, read_word, write_body
from dispatch_protocol.encoding import Fields
from dispatch_protocol.errors import LocalError, MalformedError, RefusalCode, RefusedError


def name(fields: Fields) -> str:
    return fields.text("name", max_chars=5)


class TestReading:
    def test_a_canonical_body_is_read(self):
        assert read_body(b'{"name":"anna","v":1}', "test", name) == "anna"

    @pytest.mark.parametrize(
        "body",
        [
            b'{"v":1,"name":"anna"}',
            b'{"name":"anna", "v":1}',
            b'{"name":"anna","v":1}\n',
            b'{"name":"\\u0061nna","v":1}',
        ],
    )
    def test_a_second_spelling_of_the_same_body_is_refused(self, body):
        with pytest.raises(MalformedError, match="canonical"):
            read_body(body, "test", name)

    def test_a_field_that_nobody_asked_for_is_refused(self):
        with pytest.raises(MalformedError, match="unknown fields: more"):
            read_body(b'{"more":1,"name":"anna","v":1}', "test", name)

    def test_another_version_is_unsupported_whatever_else_it_says(self):
        with pytest.raises(RefusedError) as refused:
            read_body(b'{"of":"the future","v":2}', "test", name)
        assert refused.value.reason is RefusalCode.UNSUPPORTED

    def test_a_body_without_a_version_is_malformed(self):
        with pytest.raises(MalformedError, match="lacks the field v"):
            read_body(b'{"name":"anna"}', "test", name)

    def test_a_body_beyond_its_size_is_malformed(self):
        with pytest.raises(MalformedError, match="at most 10"):
            read_body(b'{"name":"anna","v":1}', "test", name, max_bytes=10)


class TestWriting:
    def test_what_is_written_can_be_read(self):
        body = write_body({"name": "änna"}, "test", name)
        assert body == '{"name":"änna","v":1}'.encode()
        assert read_body(body, "test", name) == "änna"

    def test_what_no_reader_takes_is_our_own_fault(self):
        with pytest.raises(LocalError) as error:
            write_body({"name": "much too long"}, "test", name)
        assert error.value.code == "not_encodable"

    def test_a_refusal_keeps_its_code(self):
        def refuse(fields: Fields) -> None:
            raise RefusedError(RefusalCode.MANDATE_UNSUPPORTED, "no")

        with pytest.raises(LocalError) as error:
            write_body({}, "test", refuse)
        assert error.value.code == "mandate_unsupported"

    def test_an_unencodable_value_keeps_its_code(self):
        with pytest.raises(LocalError, match="not_encodable"):
            write_body({"name": "\ud800"}, "test", name)


class TestWords:
    @pytest.mark.parametrize("word", ["cli", "desktop-local", "a", "9lives", "a.b_c"])
    def test_words(self, word):
        assert check_word(word, "test") == word
        assert read_word(Fields({"word": word}, "test"), "word") == word

    @pytest.mark.parametrize("word", ["", "CLI", "two words", "-dash", "ä", "line\n"])
    def test_no_words(self, word):
        with pytest.raises(MalformedError):
            check_word(word, "test")

    def test_a_long_word_is_refused(self):
        with pytest.raises(MalformedError):
            read_word(Fields({"word": "a" * 65}, "test"), "word")


class TestObjects:
    def test_an_object_of_any_shape(self):
        assert read_object(Fields({"data": {"a": [1]}}, "test"), "data", max_bytes=9) == {"a": [1]}

    def test_an_object_beyond_its_size(self):
        with pytest.raises(MalformedError, match="longer than 8"):
            read_object(Fields({"data": {"a": [1]}}, "test"), "data", max_bytes=8)

    def test_no_object(self):
        with pytest.raises(MalformedError, match="not an object"):
            read_object(Fields({"data": []}, "test"), "data", max_bytes=8)
