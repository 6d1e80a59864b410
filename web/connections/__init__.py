"""Pages of the integration engineer: connections, the message log, and the work list of messages that found no place."""
