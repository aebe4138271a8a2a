"""Who varies: avo's own agents in a session or a person or program outside; imports evolve, run, agents, never cli."""
