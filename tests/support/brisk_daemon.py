"""The real daemon, but for its patience: it dials a relay again after at most a fifth of a second.

Sessions that end soon after they began let the real one wait up to half a minute. Attacks end sessions all the time.
Where a clock is named (`shifted_daemon`), it sees the time so.
"""

import os
import sys
from functools import partial

from dispatch_daemon import __main__ as program
from dispatch_daemon.adapters.relay import RelayLink, Timing
from dispatch_daemon.app import linking
from tests.support.shifted_daemon import move_clocks


def main() -> None:
    """Run the daemon."""
    if "DISPATCH_TEST_CLOCK" in os.environ:
        move_clocks()
    timing = Timing(first_pause_s=0.02, longest_pause_s=0.2)
    linking.RelayLink = partial(RelayLink, timing=timing)  # type: ignore[misc,assignment] - for this process
    sys.exit(program.main())


if __name__ == "__main__":
    main()
