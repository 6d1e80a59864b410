"""The message log and the work list of inbound messages that found no place."""
