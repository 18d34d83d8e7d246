"""What previewbot's account must be allowed in a cluster and what that must know, and finding out what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from previewbot.adapters.kubernetes import answers
from previewbot.adapters.kubernetes.api import Api
from previewbot.adapters.kubernetes.kinds import (
    ACCOUNT,
    CLAIM,
    DEPLOYMENT,
    JOB,
    LIMIT_RANGE,
    NAMESPACE,
    POD,
    POLICY,
    QUOTA,
    SECRET,
    SERVICE,
    SLICE,
    Kind,
)
from previewbot.adapters.kubernetes.options import Routing
from previewbot.adapters.kubernetes.routes import kind as route_kind
from previewbot.adapters.together import every

_WRITES = ("get", "list", "watch", "create", "update", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Right:
    """What may be done to one kind, in every namespace."""

    kind: Kind
    verbs: tuple[str, ...]
    subresource: str = ""

    @property
    def resource(self) -> str:
        """As a role names it."""
        return f"{self.kind.plural}/{self.subresource}" if self.subresource else self.kind.plural


def needed(routing: Routing) -> Sequence[Right]:
    """Everything that previewbot does; ``deploy/helm`` grants just that."""
    whole = (ACCOUNT, QUOTA, LIMIT_RANGE, SERVICE, CLAIM, DEPLOYMENT, JOB, POLICY, route_kind(routing))
    return (
        Right(NAMESPACE, ("get", "list", "watch", "create", "patch", "delete")),
        Right(POD, ("list", "watch", "delete")),
        Right(POD, ("get",), "log"),
        Right(SECRET, ("create", "patch")),
        Right(SLICE, ("list", "watch")),
        *(Right(kind, _WRITES) for kind in whole),
    )


async def lacking(api: Api, routing: Routing) -> Sequence[str]:
    """Ask the cluster what previewbot may not do, as ``verb resource``."""
    wanted = [(right, verb) for right in needed(routing) for verb in right.verbs]
    answered = await every(api.may(verb, right.kind, right.subresource) for right, verb in wanted)
    return [f"{verb} {right.resource}" for (right, verb), may in zip(wanted, answered, strict=True) if not may]


async def unknown(api: Api, routing: Routing) -> Sequence[str]:
    """Ask the cluster which kinds it does not have that previewbot needs; a sentence each, with what to do."""
    kinds = list(dict.fromkeys(right.kind for right in needed(routing)))
    answered = await every(api.knows(kind) for kind in kinds)
    return [str(answers.unknown(kind)) for kind, knows in zip(kinds, answered, strict=True) if not knows]


async def shortcomings(api: Api, routing: Routing) -> Sequence[str]:
    """Ask the cluster for everything that is missing; a sentence each."""
    lacks = await lacking(api, routing)
    told = [f"The cluster does not let previewbot's account {', '.join(lacks)}."] if lacks else []
    return [*told, *await unknown(api, routing)]
