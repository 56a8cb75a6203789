"""What runs when: the graph of tasks, the ledger of resources, the driver, and fingerprints for reuse."""
