"""A daemon with one check left out, as impatient as the tests need it: `DISPATCH_TEST_LEAVES_OUT` names the check.

The checks are those of `dispatch_daemon.careless`.
"""

import os

from dispatch_daemon.careless import CHECKS
from tests.support import brisk_daemon

if __name__ == "__main__":
    CHECKS[os.environ["DISPATCH_TEST_LEAVES_OUT"]]()
    brisk_daemon.main()
