"""Text messages: numbers, and the wires of providers."""
