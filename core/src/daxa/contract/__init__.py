"""The plugin contract, made checkable: what holds for every plugin, and what the contract is, written out."""

from daxa.contract.findings import Finding, report
from daxa.contract.inspection import Inspection, inspect_distribution

__all__ = ["Finding", "Inspection", "inspect_distribution", "report"]
