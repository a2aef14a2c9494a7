"""Entry point of ``python -m hiphopss``."""

import sys

from hiphopss.cli import main

sys.exit(main())
