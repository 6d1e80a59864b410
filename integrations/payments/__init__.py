"""Payments: the ledger and the providers' wires."""
