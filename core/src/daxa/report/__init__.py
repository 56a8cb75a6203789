"""How work is shown while it goes on, and afterwards."""
