from sandbox.oneline import one_line


def test_what_a_terminal_would_obey_is_gone():
    assert one_line("a\x1b[31mb\r\nc\u202ed") == "a [31mb c d"


def test_it_is_bounded_however_long_the_text_is():
    assert one_line("x" * 10_000_000, 5) == "xxxxx"
    assert one_line(" " * 100 + "far", 20) == ""
