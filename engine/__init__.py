"""Carelane's engine: deploys, runs, records, redesigns and rolls out clinic processes. It knows nothing of the web."""
