"""Words of somebody else on one bounded line that no terminal would obey: complaints, errors, titles."""


def one_line(text: str, most: int = 300) -> str:
    """Return the beginning of a text with its white space joined and everything unprintable as a blank."""
    seen = text[: most * 4]  # what is far beyond the bound costs nothing
    return " ".join("".join(char if char.isprintable() else " " for char in seen).split())[:most]
