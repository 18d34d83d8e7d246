"""What a person sent with a page's form, in the encoding that browsers use for forms without files."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import Request


async def read(request: Request) -> dict[str, str]:
    """Read the fields of a form; of a repeated one the last."""
    body = (await request.body()).decode("utf-8", "replace")
    return dict(parse_qsl(body, keep_blank_values=True))
