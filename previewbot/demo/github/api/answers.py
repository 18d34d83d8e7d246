"""What the API reads from requests and writes into answers, the same for every endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

_LONGEST = 65_536
"""GitHub's own limit on the text of a comment, in characters."""


class Problem(Exception):  # noqa: N818 - what GitHub calls it
    """An answer that is not a success."""

    def __init__(self, status: int, message: str, **more: object) -> None:
        super().__init__(message)
        self.answer = JSONResponse(
            {"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status), **more},
            status,
        )


def moved(url: str, method: str) -> Response:
    """The answer where something has another address now; what is no question must be sent there again as it is."""
    asks = method in ("GET", "HEAD")
    body = {
        "message": "Moved Permanently" if asks else "Temporary Redirect",
        "url": url,
        "documentation_url": "https://docs.github.com/rest/guides/best-practices-for-using-the-rest-api#follow-redirects",
    }
    return JSONResponse(body, 301 if asks else 307, {"Location": url})


def bearer(request: Request) -> str:
    """The token or JWT that a request proves itself with; empty where it has none."""
    return request.headers.get("authorization", "").partition(" ")[2]


def page(request: Request, rows: Sequence[object], *, within: str | None = None, base: str) -> Response:
    """One page of a listing, with the address of the next; ``within`` is the field of an object that holds the rows."""
    size, number = page_size(request), _number(request, "page", 1)
    shown = list(rows[(number - 1) * size : number * size])
    headers = {}
    if number * size < len(rows):
        headers = link(f"{base}{request.url.path}", {**request.query_params, "page": number + 1})
    return JSONResponse({"total_count": len(rows), within: shown} if within else shown, headers=headers)


def link(url: str, query: dict[str, Any]) -> dict[str, str]:
    """The header that leads to the next page."""
    return {"Link": f'<{url}?{urlencode(query)}>; rel="next"'}


def page_size(request: Request) -> int:
    """How many rows a request wants on a page."""
    return min(_number(request, "per_page", 30), 100)


def _number(request: Request, name: str, default: int) -> int:
    said = request.query_params.get(name, "")
    return int(said) if said.isdigit() and int(said) > 0 else default


async def read_json(request: Request) -> dict[str, Any]:
    """Read a body that is an object; an empty one is an empty object."""
    if not await request.body():
        return {}
    try:
        body = await request.json()
    except ValueError:
        raise Problem(400, "Problems parsing JSON") from None
    if not isinstance(body, dict):
        raise Problem(400, "Body should be a JSON object")
    return body


async def read_text(request: Request, name: str, resource: str) -> str:
    """Read one field of a body: a text that is neither empty nor too long."""
    value = (await read_json(request)).get(name)
    if not isinstance(value, str) or not value.strip():
        raise invalid(resource, name, "missing_field")
    if len(value) > _LONGEST:
        raise invalid(resource, name, "too_long")
    return value


def invalid(resource: str, field: str, code: str) -> Problem:
    """The answer to a field that is not as it should be."""
    return Problem(422, "Validation Failed", errors=[{"resource": resource, "field": field, "code": code}])
