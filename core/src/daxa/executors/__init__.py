"""Running jobs: slots on this machine, and the protocol for other ways."""
