"""`python -m walloc_data` is `walloc`."""

import sys

from walloc_data.cli import main

if __name__ == "__main__":
    sys.exit(main())
