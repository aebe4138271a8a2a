"""The index itself: chunks, the lexical and the dense index, and the terms that both are made of."""
