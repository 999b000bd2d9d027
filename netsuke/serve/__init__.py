"""Serve a pack: an OpenAI-style API on 127.0.0.1 that answers only to its owner; or a page that holds a model."""

from .app import build_app, serve
from .keys import default_key
from .page import is_page, serve_page
from .supervisor import Supervisor

__all__ = ["Supervisor", "build_app", "default_key", "is_page", "serve", "serve_page"]
