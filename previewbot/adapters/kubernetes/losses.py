"""Seeing in a pod that a Secret of ours is gone, or lacks something: previewbot may write Secrets, and read none.

The node says so of a container that it cannot start, and tries again by itself once the Secret is there.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from previewbot.adapters.kubernetes.kinds import Thing

_RETRY = timedelta(seconds=20)
"""The node's next try comes within this time after a Secret was written."""
_SIGNS = (("secret ", " not found"), ("couldn't find key ", " in Secret "))
"""How the kubelet words it."""


def lacks_secret(pod: Thing) -> bool:
    """Whether a pod cannot start for want of a Secret, or of a part of one."""
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    waiting = ((each.get("state") or {}).get("waiting") or {} for each in statuses)
    said = (str(each.get("message")) for each in waiting if each.get("reason") == "CreateContainerConfigError")
    return any(all(part in text for part in sign) for text in said for sign in _SIGNS)


class Losses:
    """Which pods lack a Secret, but for those whose Secret was written a moment ago."""

    def __init__(self) -> None:
        self._written: dict[str, datetime] = {}
        """When the Secret of a pod that lacked it was written, by the pod's id."""

    def look_at(self, pod: Thing, now: datetime) -> datetime | None:
        """Say from when on a pod counts as lacking its Secret; ``None`` where it lacks nothing."""
        if not lacks_secret(pod):
            return None
        written = self._written.get(pod["metadata"]["uid"])
        return written + _RETRY if written else now

    def note_written(self, pod: Thing, now: datetime) -> None:
        """Remember that a pod's Secret was written just now."""
        self._written = {uid: at for uid, at in self._written.items() if now - at < _RETRY}
        if lacks_secret(pod):
            self._written[pod["metadata"]["uid"]] = now
