"""texts: documents and examples as the steps pass them on, their words, and how answers are scored."""
