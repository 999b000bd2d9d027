"""Two models on one prompt, side by side, as they write; each token with how likely it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..errors import StoreError
from ..serve.relay import Relay
from . import forms, shelf

if TYPE_CHECKING:
    from .app import House

SHOWN = 5  # likely tokens told at each place
MOST_TOKENS = 256
BASE = "the base of "  # how a choice names it


class Held:
    """An ASGI answer that keeps its engine for as long as it is sent."""

    def __init__(self, house: House, name: str, file: Any, path: str, body: dict[str, Any]) -> None:
        self.house, self.name, self.file, self.path, self.body = house, name, file, path, body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self.house.pool.engine(self.name, self.file) as supervisor:
            await Relay(supervisor, self.path, self.body)(scope, receive, send)


async def page(house: House, request: Request) -> Response:
    model = shelf.find(request.path_params["name"], house.store)
    models, _ = shelf.every(house.store)
    choices = [one.name for one in models]
    choices += [f"{BASE}{one.name}" for one in models if one.base_file]
    other = f"{BASE}{model.name}" if model.base_file else next((n for n in choices if n != model.name), model.name)
    return house.pages.page(
        request, "compare.html", name=model.name, tab="model", choices=choices, one=model.name, two=other
    )


async def stream(house: House, request: Request) -> Held:
    """What one model writes: OpenAI's events, with the probability of each token."""
    given = await forms.record(request, who=str, prompt=str, asked=bool, tokens=int, seed=int)
    name = given["who"].removeprefix(BASE)
    model = shelf.find(name, house.store)
    file = model.base_file if given["who"].startswith(BASE) else model.file
    if file is None:
        raise StoreError(f"the base of {name} is not in this home any more", hint="netsuke bases fetch")
    common = {"stream": True, "temperature": 0.7, "seed": given["seed"] % 2**31, "cache_prompt": True}
    most = min(max(given["tokens"], 1), MOST_TOKENS)
    if given["asked"]:
        messages = [{"role": "user", "content": given["prompt"]}]
        body = {**common, "messages": messages, "max_tokens": most, "logprobs": True, "top_logprobs": SHOWN}
        return Held(house, given["who"], file, "/v1/chat/completions", body)
    body = {**common, "prompt": given["prompt"].rstrip(" "), "max_tokens": most, "logprobs": SHOWN}
    return Held(house, given["who"], file, "/v1/completions", body)




ROUTES = [("GET", "/m/{name}/compare", page), ("POST", "/compare/stream", stream)]
