"""The index: chunks, the lexical and the dense index, and the terms on which both are based."""
