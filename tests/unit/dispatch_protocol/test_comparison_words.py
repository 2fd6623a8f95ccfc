import itertools

from dispatch_protocol.comparison_words import WORDS


def test_there_is_one_word_for_each_byte_in_the_order_of_the_alphabet():
    assert len(set(WORDS)) == len(WORDS) == 256
    assert list(WORDS) == sorted(WORDS)
    assert all(word.isascii() and word.isalpha() and word.islower() and 4 <= len(word) <= 8 for word in WORDS)


def distance(one: str, other: str) -> int:
    """Return how many letters have to be added, left out or changed (Levenshtein)."""
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, start=1):
        above, row = row, [at]
        for place, opposite in enumerate(other, start=1):
            row.append(min(above[place] + 1, row[-1] + 1, above[place - 1] + (letter != opposite)))
    return row[-1]


def test_no_word_is_easily_taken_for_another():
    assert len({word[:4] for word in WORDS}) == 256
    assert min(distance(one, other) for one, other in itertools.combinations(WORDS, 2)) >= 3
