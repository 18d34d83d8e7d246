"""What the engine and the web need of the world, each in one Protocol and in core's words.

Every method may raise ``Transient`` or ``Refused`` (``core.errors``) and nothing else on purpose. Every effect is
idempotent: done twice, or done again after a crash in the middle, it leaves the world as if done once.
"""

from __future__ import annotations

from previewbot.ports.building import Builder, Finished, StoredImage
from previewbot.ports.hub import Allowance, DeploymentState, FailedDelivery, Hub, PullSummary, Reaction
from previewbot.ports.running import FrontDoor, Runtime, Sealed
from previewbot.ports.secrets import Cloud, Credentials, Secrets, Value
from previewbot.ports.source import Credential, Source
from previewbot.ports.store import Delivery, Inbox, Lease, Queue, Records, Store
from previewbot.ports.surroundings import Clock, Logs, Meter, Outcome, Repair

__all__ = [
    "Allowance",
    "Builder",
    "Clock",
    "Cloud",
    "Credential",
    "Credentials",
    "Delivery",
    "DeploymentState",
    "FailedDelivery",
    "Finished",
    "FrontDoor",
    "Hub",
    "Inbox",
    "Lease",
    "Logs",
    "Meter",
    "Outcome",
    "PullSummary",
    "Queue",
    "Reaction",
    "Records",
    "Repair",
    "Runtime",
    "Sealed",
    "Secrets",
    "Source",
    "Store",
    "StoredImage",
    "Value",
]
