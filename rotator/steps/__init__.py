"""The steps of the runbook, and what they share; steps/registry.py has their order."""
