"""Why a tool server could not be asked, or is not asked any more: a stable word, one sentence, and what to do."""

TEST = "dispatch agent server test {name}"


class ServerError(Exception):
    """A server is not here, does not start, or does not speak as its protocol says; `remedy` is the next command."""

    def __init__(self, code: str, detail: str, remedy: str = "") -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.remedy = remedy
