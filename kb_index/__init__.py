"""K: the knowledge base: documents that agents search, fetched, cut into chunks and indexed by words and vectors."""
