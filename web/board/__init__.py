"""The public queue board of a department: tickets and rooms, never names."""
