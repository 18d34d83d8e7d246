"""Where the images of a cluster come from: BuildKit builds them, a registry keeps them."""

from __future__ import annotations

from contextlib import AsyncExitStack

from previewbot.adapters import kubernetes as k8s
from previewbot.adapters.buildkit import (
    BuildKitBuilder,
    Cache,
    ConfigFile,
    Elsewhere,
    InUse,
    Kit,
    Limits,
    LoginSource,
    Names,
    Nobody,
    PasswordFile,
    Registry,
    Stock,
    Tls,
)
from previewbot.places.place import Tools
from previewbot.settings import Faulty, RegistrySettings, Settings


def open_builder(
    settings: Settings, tools: Tools, stack: AsyncExitStack, *, in_use: InUse, api: k8s.Api
) -> BuildKitBuilder:
    """Open it; ``stack`` closes it. ``in_use`` lists what the cluster runs. Raises ``Faulty``, ``Refused``."""
    own = settings.buildkit
    names = names_of(settings)
    registry = registry_of(settings)
    stack.push_async_callback(registry.aclose)
    builder = BuildKitBuilder(
        kit_of(settings, api),
        Stock(registry, names, in_use),
        source=tools.source,
        logs=tools.logs,
        clock=tools.clock,
        limits=Limits(own.builds_at_once, own.build_time_limit, Cache(own.cache)),
    )
    stack.push_async_callback(builder.close)
    return builder


def names_of(settings: Settings) -> Names:
    """How this instance's images are named."""
    return Names(_prefix(settings.registry), settings.instance_name)


def registry_of(settings: Settings) -> Registry:
    """The client of the registry."""
    own = settings.registry
    host = _prefix(own).partition("/")[0]
    return Registry(host, logins=_logins(own, host), plain_http=own.plain_http, ca_file=own.ca_file)


def elsewhere_of(settings: Settings) -> Elsewhere:
    """How images are looked at that were not built here: as a stranger."""
    own = settings.registry
    host = _prefix(own).partition("/")[0]

    def open_registry(other: str) -> Registry:
        is_own = other == host
        return Registry(other, plain_http=is_own and own.plain_http, ca_file=own.ca_file if is_own else None)

    return Elsewhere(host, open_registry)


def kit_of(settings: Settings, api: k8s.Api | None) -> Kit:
    """How BuildKit is reached: where it is a pod, through the API of its cluster."""
    own = settings.buildkit
    tunnel = None
    if api and (pod := own.pod):
        tunnel = k8s.Tunnel(api, k8s.Inside(pod.namespace, pod.pod, ("buildctl", "dial-stdio"), pod.container))
    return Kit(own.address, own.buildctl, Tls(own.tls_ca_file, own.tls_certificate_file, own.tls_key_file), tunnel)


async def check_buildkit(settings: Settings) -> str:
    """Say with what images are built. Raises ``Refused``, ``Transient``."""
    if settings.buildkit.pod is None:
        return await kit_of(settings, None).check()
    api = await k8s.connect(settings.kubernetes.kubeconfig, settings.kubernetes.context)
    try:
        return await kit_of(settings, api).check()
    finally:
        await api.close()


def _prefix(own: RegistrySettings) -> str:
    if own.prefix is None:
        raise Faulty(("registry.prefix is missing: name a registry and a folder in it that BuildKit may push to",))
    return own.prefix


def _logins(own: RegistrySettings, host: str) -> LoginSource:
    if own.username is not None and own.password_file is not None:
        return PasswordFile(own.username, own.password_file)
    return ConfigFile(own.docker_config_file, host) if own.docker_config_file else Nobody()
