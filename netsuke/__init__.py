"""Netsuke carves a pocket-sized generative model that is yours out of an open base, from your own material."""

__version__ = "0.1.0"
