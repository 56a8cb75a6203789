"""The network: requests, listings, tables, names, and transfers that end well or not at all."""
