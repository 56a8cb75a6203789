"""Entry module of the plugin."""
