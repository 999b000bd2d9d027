"""Serve a pack: an OpenAI-style API on 127.0.0.1 that answers only to its owner."""

from .app import build_app, serve
from .keys import default_key
from .supervisor import Supervisor

__all__ = ["Supervisor", "build_app", "default_key", "serve"]
