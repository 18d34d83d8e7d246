"""A cluster: BuildKit builds, a registry keeps the images, Kubernetes runs them and leads visitors in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from previewbot.adapters import kubernetes as k8s
from previewbot.places.handouts import Handouts
from previewbot.places.images import elsewhere_of, open_builder
from previewbot.places.place import Place, Tools
from previewbot.settings import Settings


async def open_place(settings: Settings, tools: Tools, stack: AsyncExitStack) -> Place:
    """Open it; ``stack`` closes it."""
    api = await k8s.connect(settings.kubernetes.kubeconfig, settings.kubernetes.context)
    stack.push_async_callback(api.close)
    names = k8s.Names(settings.instance_name)
    options, handouts = options_of(settings), Handouts(settings)
    mirror = k8s.Mirror(api, names.selector, k8s.watched(options))
    keeping = asyncio.create_task(mirror.run())
    stack.push_async_callback(_end, keeping)
    builder = open_builder(settings, tools, stack, in_use=mirror.images, api=api)
    users = Users((builder.user_of, elsewhere_of(settings).user_of), settings.kubernetes.run_as_user)
    runtime = k8s.KubernetesRuntime(
        api,
        mirror,
        names=names,
        options=options,
        user_of=users.find,
        clock=tools.clock,
        handed=lambda: handouts.current,
    )
    stack.callback(runtime.close)
    front_door = k8s.KubernetesFrontDoor(api, mirror, names=names, options=options)

    async def lacks() -> Sequence[str]:
        return await k8s.shortcomings(api, options.routing)

    renewing = asyncio.create_task(handouts.renew(mirror.tell_of_all))
    stack.push_async_callback(_end, renewing)
    return Place(builder, runtime, front_door, lambda _host: (), chores=(keeping, renewing), lacks=lacks)


@dataclass(frozen=True, slots=True)
class Users:
    """As whom programs run in a cluster that lets nobody be root."""

    asked: Sequence[Callable[[str], Awaitable[str | None]]]
    """Who may know what an image says of its user, one after the other."""
    fallback: int

    async def find(self, image: str) -> int | None:
        """Choose the number for an image; ``None`` where it says one itself.

        The cluster cannot tell who a name is, and might refuse a program whose image says one, nobody or nothing.
        """
        for ask in self.asked:
            if (said := await ask(image)) is not None:
                user = said.partition(":")[0]
                return None if user.isdigit() and int(user) else self.fallback
        return self.fallback


@dataclass(frozen=True, slots=True)
class Described:
    """What a cluster is, and what it lacks of what previewbot needs."""

    about: str
    lacking: Sequence[str]
    """What previewbot's account may not do."""
    unknown: Sequence[str]
    """The kinds of things that it does not have, with what to do about it."""


async def describe(settings: Settings) -> Described:
    """Look at the cluster. Raises ``Refused``, ``Transient``."""
    api = await k8s.connect(settings.kubernetes.kubeconfig, settings.kubernetes.context)
    try:
        routing = options_of(settings).routing
        about = f"Kubernetes {await api.version()} at {api.name}"
        return Described(about, await k8s.lacking(api, routing), await k8s.unknown(api, routing))
    finally:
        await api.close()


def options_of(settings: Settings) -> k8s.Options:
    """Read what the operator decides from the configuration, but for what is handed into namespaces."""
    own = settings.kubernetes
    tls_secret = k8s.CERTIFICATE if own.tls_certificate_file else own.tls_secret
    gateway = k8s.Gateway(own.gateway.name, own.gateway.namespace, own.gateway.section) if own.gateway else None
    return k8s.Options(
        sizes=k8s.Sizes(
            cpu=k8s.cpu(own.cpu),
            memory=k8s.memory(own.memory),
            cpu_request=k8s.cpu(own.cpu_request),
            memory_request=k8s.memory(own.memory_request),
            disk=k8s.memory(own.disk),
        ),
        network=k8s.Network(
            tuple(own.ingress_namespaces),
            tuple(map(str, own.ingress_networks)),
            tuple(own.dns_namespaces),
            tuple(map(str, own.dns_networks)),
            tuple(map(str, own.allowed_networks)),
            tuple(map(str, own.denied_networks)),
        ),
        routing=k8s.Routing(own.ingress_class, own.ingress_annotations, tls_secret, own.cluster_issuer, gateway),
        patience=k8s.Patience(room=own.wait_for_room, image=own.wait_for_image),
        quota=own.quota,
        run_as_user=own.run_as_user,
        runtime_class=own.runtime_class,
    )


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)  # how it failed is told by whoever serves
