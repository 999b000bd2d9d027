"""The studio: pages on 127.0.0.1 where a model is made, looked at and written with. It never imports torch."""

from .app import build_studio
from .door import Door

__all__ = ["Door", "build_studio"]
