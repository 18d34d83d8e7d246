"""What holds a namespace that is being deleted, in people's words. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from previewbot.adapters.kubernetes.kinds import Thing
from previewbot.adapters.kubernetes.verdicts import read_time

_USUAL = timedelta(minutes=1)
"""How long a deletion usually takes at most; what holds it is worth telling after that."""


def ending(namespace: Thing, now: datetime) -> str:
    """Name a namespace, and what holds it where its end is overdue."""
    name = f"`{namespace['metadata']['name']}`"
    since = read_time(namespace["metadata"].get("deletionTimestamp"))
    if since is None or now - since < _USUAL:
        return name
    conditions = namespace.get("status", {}).get("conditions") or ()
    holding = [str(each.get("message", "")) for each in conditions if each.get("status") == "True"]
    told = "; ".join(text for text in holding if text)[:600]
    return f"{name} cannot be finished by the cluster: {told or 'it does not say why'}"
