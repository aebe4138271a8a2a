"""Whether a scenario is sound, and whether the judge still refuses what it has to refuse. Imports tools.score."""
