"""K: the knowledge base. Its index is not built yet; the folder holds the place in the layers."""
