"""`python -m dispatch_cli`: the same program as `dispatch`."""

import sys

try:
    from dispatch_cli.main import main
except KeyboardInterrupt:  # Ctrl-C before the program proper has begun
    sys.exit(130)

if __name__ == "__main__":
    main()
