"""`python -m tests.conformance COMMAND…`: ask a program everything, and print what it did otherwise than the page.

Exit 0 if every answer is right, 1 if not, 2 if there is nothing to ask.
"""

import sys

from tests.conformance.implementation import Implementation
from tests.conformance.judge import chapters


def main(command: list[str]) -> int:
    """Judge one implementation."""
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    wrong = asked = 0
    with Implementation(command) as implementation:
        for chapter, findings in chapters(implementation):
            found = list(findings)
            asked += len(found)
            bad = [finding for finding in found if not finding.right]
            wrong += len(bad)
            print(f"{chapter}: {len(found) - len(bad)} of {len(found)}")
            for finding in bad:
                print(f"  {finding.name}: should say {finding.wanted}, says {finding.said}")
    print("conforms" if asked and not wrong else f"does not conform: {wrong} of {asked} are wrong")
    return 0 if asked and not wrong else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
