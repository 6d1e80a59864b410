"""Roll out: programmes, milestones, gates and the routing of new visits."""
