"""``python -m daxa`` is ``daxa``."""

from daxa.cli import main

main()
