"""The page of the setup, as HTML; it loads nothing from anywhere, and decides nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from starlette.responses import HTMLResponse

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def form(manifest: Mapping[str, Any], target: str) -> str:
    """Show what will be registered, with the button that posts it to ``target``."""
    rights = "".join(
        f"<li><code>{escape(str(name))}</code>: {escape(str(level))}</li>"
        for name, level in manifest.get("default_permissions", {}).items()
    )
    events = ", ".join(f"<code>{escape(str(event))}</code>" for event in manifest.get("default_events", ()))
    return f"""
<p>GitHub will create the App <b>{escape(str(manifest["name"]))}</b>, and send its webhooks to
<code>{escape(str(manifest["hook_attributes"]["url"]))}</code>.</p>
<h2>What it may do</h2><ul>{rights}</ul><h2>Which events it receives</h2><p>{events}</p>
<form method="post" action="{escape(target)}">
<input type="hidden" name="manifest" value="{escape(json.dumps(manifest))}">
<button>Register on GitHub</button></form>
<details><summary>The whole manifest</summary><pre>{escape(json.dumps(manifest, indent=2))}</pre></details>"""


def page(title: str, body: str, status: int = 200) -> HTMLResponse:
    """Write one page; ``body`` is HTML."""
    style = """body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem;color:#1f2328}
button{font:inherit;padding:.5rem 1rem;border:0;border-radius:6px;background:#1f883d;color:#fff;cursor:pointer}
h2{font-size:1rem}pre{background:#f6f8fa;padding:1rem;overflow:auto}details{margin-top:2rem}"""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    text = f'<!doctype html><html lang="en">{head}<style>{style}</style><h1>{escape(title)}</h1>{body}</html>'
    return HTMLResponse(text, status, headers=_HEADERS)
