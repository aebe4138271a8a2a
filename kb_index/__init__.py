"""The knowledge base K: documents that agents search, fetched, cut into chunks, and indexed by words and vectors."""
