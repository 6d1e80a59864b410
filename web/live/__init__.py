"""Live refresh of pages by server-sent events."""
