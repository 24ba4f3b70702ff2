"""Denoodle from a checkout: `python main.py` does what `denoodle` does where it is installed."""

import sys

from denoodle.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
