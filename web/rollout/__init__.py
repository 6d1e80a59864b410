"""Rollout: programmes, milestones, and which version new visits take."""
