"""The one way to say no: an exception that becomes an answer in the shape of the API that was asked."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "server_error",
    503: "server_error",
}
_ANTHROPIC = {**_TYPES, 413: "request_too_large", 500: "api_error", 503: "overloaded_error"}


class Refused(Exception):
    """A request that gets `status` and an error for an answer: {"error": {message, type, param, code}} to most."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param, self.headers = status, message, code, param, headers

    def body(self, path: str = "") -> dict[str, Any]:
        """As OpenAI says it; under /api/ as Ollama, under /v1/messages as Anthropic."""
        if path.startswith("/api/"):
            return {"error": self.message}
        if path == "/v1/messages":
            kind = _ANTHROPIC.get(self.status, "invalid_request_error")
            return {"type": "error", "error": {"type": kind, "message": self.message}}
        kind = _TYPES.get(self.status, "invalid_request_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def response(self, path: str = "") -> JSONResponse:
        return JSONResponse(self.body(path), self.status, self.headers)
