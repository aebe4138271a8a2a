"""Model clients: each provider's, with retries, limits and costs. Of tools it imports payloads alone."""
