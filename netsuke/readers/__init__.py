"""readers: a document of each kind to text that keeps its structure, with the line at which each page begins."""
