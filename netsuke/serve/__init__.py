"""Serve packs: the APIs of OpenAI, Anthropic and Ollama at one address, for keys; or a page that holds a model."""

from .address import Address
from .app import build_app, serve
from .callers import Callers
from .keys import default_key
from .models import Folders, Several, Shipped
from .page import is_page, serve_page
from .shelf import Shelf
from .supervisor import Supervisor

__all__ = [
    "Address", "Callers", "Folders", "Several", "Shelf", "Shipped", "Supervisor", "build_app", "default_key", "is_page",
    "serve", "serve_page",
]  # fmt: skip
