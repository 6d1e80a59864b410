"""Simulated far ends that speak the real wires."""
