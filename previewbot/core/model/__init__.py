"""What is known of the world: pull requests, builds, releases, and what runs. Frozen, and without behaviour."""

from __future__ import annotations

from previewbot.core.model.asks import Ask, AskState, Command
from previewbot.core.model.building import BuildRecord, BuildState, ImageOrder
from previewbot.core.model.github import Permission, Person, PullRequest, Repository
from previewbot.core.model.observed import Instance, InstanceState, Observed, Removed, Run, Running
from previewbot.core.model.reasons import Reason, State
from previewbot.core.model.record import Deployment, Published, Record, Redeploy
from previewbot.core.model.release import HookPoint, ReleaseRecord, ReleaseSpec, ReleaseState, ServiceSpec, Size
from previewbot.core.model.status import ServiceLine, Status, Untold

__all__ = [
    "Ask",
    "AskState",
    "BuildRecord",
    "BuildState",
    "Command",
    "Deployment",
    "HookPoint",
    "ImageOrder",
    "Instance",
    "InstanceState",
    "Observed",
    "Permission",
    "Person",
    "Published",
    "PullRequest",
    "Reason",
    "Record",
    "Redeploy",
    "ReleaseRecord",
    "ReleaseSpec",
    "ReleaseState",
    "Removed",
    "Repository",
    "Run",
    "Running",
    "ServiceLine",
    "ServiceSpec",
    "Size",
    "State",
    "Status",
    "Untold",
]
