"""What the attention scenarios share: inputs, reference and baselines, with or without a causal mask."""
