"""Opening a cluster, and staying who we are there: a token of a plugin or of OpenID Connect lasts for minutes.

A pod's own token is read anew by the client library itself. Whatever a kubeconfig says is asked again once the
cluster does not take it any more: first in memory, where a rotated refresh token is, then the file.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import structlog
import yaml  # type: ignore[import-untyped]  # the client library's own
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from previewbot.adapters.kubernetes.api import Api
from previewbot.adapters.kubernetes.connection import Connection
from previewbot.core.errors import Refused
from previewbot.core.model import Reason

log = structlog.get_logger(__name__)

ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
"""Where a pod finds the token of its service account."""

_REST = 10.0
"""Seconds between two attempts to get a proof: a plugin is a program that asks somebody else."""
_FAULTS = (ConfigException, OSError, ssl.SSLError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError)

Loader = Any
"""What the client library keeps of a kubeconfig."""


async def connect(kubeconfig: Path | None = None, context: str | None = None) -> Api:
    """Open a cluster: that of a kubeconfig, else the one whose pod this is, else the usual kubeconfig's.

    Raises ``Refused`` where none of them can be used.
    """
    configuration = Configuration()
    configuration.connection_pool_maxsize = 64
    try:
        if kubeconfig is None and _is_pod():
            load_incluster_config(client_configuration=configuration)
            return _opened(ApiClient(configuration), configuration)

        async def load() -> Loader:
            file = str(kubeconfig) if kubeconfig else None
            return await load_kube_config(config_file=file, context=context, client_configuration=configuration)

        loader = await load()
        client = ApiClient(configuration)
        return _opened(client, configuration, Login(client, configuration, loader, load).renew)
    except _FAULTS as error:
        where = kubeconfig or "the usual kubeconfig"
        raise Refused(Reason.RUNTIME_REFUSED, f"The cluster of {where} cannot be used: {error}") from error


def _is_pod() -> bool:
    return ACCOUNT_TOKEN.exists()


def _opened(client: ApiClient, configuration: Configuration, renew: Callable[[], Awaitable[bool]] | None = None) -> Api:
    client.user_agent = "previewbot"
    return Api(Connection(client, configuration.host, renew))


class Login:
    """The proof of who we are that a kubeconfig gives: a token, or a certificate."""

    def __init__(
        self, client: ApiClient, configuration: Configuration, loader: Loader, load: Callable[[], Awaitable[Loader]]
    ) -> None:
        self._client = client
        self._configuration = configuration
        self._loader = loader
        self._load = load
        self._lock = asyncio.Lock()
        self._tried = float("-inf")
        self._renewed = False

    async def renew(self) -> bool:
        """Get another proof; says whether there is one. Many who ask at once get the same one."""
        waited = self._lock.locked()
        async with self._lock:
            if waited or time.monotonic() - self._tried < _REST:
                return self._renewed
            self._renewed = await self._try()
            self._tried = time.monotonic()
            return self._renewed

    async def _try(self) -> bool:
        before = self._proof()
        try:
            await self._loader.load_and_set(self._configuration)
            if self._proof() == before:
                self._loader = await self._load()
        except (*_FAULTS, aiohttp.ClientError, TimeoutError) as error:
            log.warning("login not renewed", why=str(error))
            return False
        if self._proof() == before:
            return False
        if self._configuration.cert_file:
            context = self._client.rest_client.ssl_context
            context.load_cert_chain(self._configuration.cert_file, keyfile=self._configuration.key_file)
        return True

    def _proof(self) -> tuple[str | None, str | None]:
        return self._configuration.api_key.get("BearerToken"), self._configuration.cert_file
