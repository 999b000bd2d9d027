"""Two models on one prompt, side by side, as they write; each token with how likely it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from ..serve.prompts import prompts_of
from ..serve.relay import Relay
from . import forms, shelf

if TYPE_CHECKING:
    from .app import House

SHOWN = 5  # likely tokens told at each place
MOST_TOKENS = 256
BASE = "the base of "  # how a choice names it


async def page(house: House, request: Request) -> Response:
    model = shelf.find(request.path_params["name"], house.store)
    models, _ = shelf.every(house.store)
    choices = [one.name for one in models]
    choices += [f"{BASE}{one.name}" for one in models if one.base_file]
    other = f"{BASE}{model.name}" if model.base_file else next((n for n in choices if n != model.name), model.name)
    return house.pages.page(
        request, "compare.html", name=model.name, tab="model", choices=choices, one=model.name, two=other
    )


async def stream(house: House, request: Request) -> Relay:
    """What one model writes: OpenAI's events, with the probability of each token."""
    given = await forms.record(request, who=str, prompt=str, asked=bool, tokens=int, seed=int)
    model = shelf.find(given["who"].removeprefix(BASE), house.store)
    name = house.engines.bases.name(model) if given["who"].startswith(BASE) else model.name
    request.scope["record"].prompts = prompts_of({"prompt": given["prompt"]})
    common = {"stream": True, "temperature": 0.7, "seed": given["seed"] % 2**31, "cache_prompt": True}
    most = min(max(given["tokens"], 1), MOST_TOKENS)
    if given["asked"]:
        messages = [{"role": "user", "content": given["prompt"]}]
        body = {**common, "messages": messages, "max_tokens": most, "logprobs": True, "top_logprobs": SHOWN}
        return Relay(house.engines.asked(request, name, body), "/v1/chat/completions")
    body = {**common, "prompt": given["prompt"].rstrip(" "), "max_tokens": most, "logprobs": SHOWN}
    return Relay(house.engines.asked(request, name, body), "/v1/completions")


ROUTES = [("GET", "/m/{name}/compare", page), ("POST", "/compare/stream", stream)]
