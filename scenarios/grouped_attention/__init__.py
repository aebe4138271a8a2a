"""What the scenarios of grouped-query attention share."""
