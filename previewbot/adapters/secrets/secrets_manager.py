"""Secrets in AWS Secrets Manager, each under a name of its own, in the version that AWS calls current.

AWS's list of secrets may be minutes old, so whoever knows names asks for those. What an operator removes can be
restored for a week; what was made for one environment is gone at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from functools import cached_property, partial
from typing import Any

from previewbot.adapters.aws.session import Account, Client, call
from previewbot.adapters.secrets.places import Places
from previewbot.core.errors import Refused
from previewbot.core.ids import Key
from previewbot.core.secrets import Scope, SecretName
from previewbot.ports import Value

_REASON = "secrets"
_LARGEST = 65536
"""Bytes of a value."""
_CURRENT = "AWSCURRENT"
_DAYS = 7
"""How long what was removed can be restored: the shortest time that AWS knows."""


class ManagedSecrets:
    """A ``ports.Secrets`` in one account and region; ``kms_key`` encrypts, instead of AWS's own key."""

    def __init__(self, account: Account, prefix: str, instance: str, *, kms_key: str | None = None) -> None:
        self._account, self._places, self._kms_key = account, Places(prefix, instance), kms_key
        self._made: set[str] = set()
        """What no list may have yet."""

    async def versions(self, scope: Scope, names: Collection[SecretName] | None = None) -> Mapping[SecretName, str]:
        """See ``Secrets.versions``."""
        if names is None:
            paths = await self._list(self._places.folder(scope))
            names = self._places.within(scope, dict.fromkeys(paths, ""))
        told = await asyncio.gather(*(self._describe(self._places.path(scope, each)) for each in names))
        return {name: version for name, version in zip(names, told, strict=True) if version is not None}

    async def values(self, scope: Scope, names: Collection[SecretName]) -> Mapping[SecretName, Value]:
        """See ``Secrets.values``."""
        found = await asyncio.gather(*(self._value(self._places.path(scope, each)) for each in names))
        return {name: value for name, value in zip(names, found, strict=True) if value is not None}

    async def put(self, scope: Scope, name: SecretName, value: Value) -> str:
        """See ``Secrets.put``. Secrets Manager takes neither an empty value nor one above 64 KiB."""
        path, size = self._places.path(scope, name), len(value.text.encode())
        if not 0 < size <= _LARGEST:
            raise Refused(_REASON, f"Secrets Manager keeps 1 to {_LARGEST} bytes, and the value of {path} has {size}.")
        version = await call(f"the secret {path}", lambda: self._put(path, value))
        self._made.add(path)
        return version

    async def remove(self, scope: Scope, name: SecretName) -> bool:
        """See ``Secrets.remove``."""
        path = self._places.path(scope, name)
        if await self._describe(path) is None:
            return False
        await call(f"the removal of {path}", lambda: self._delete(path, {"RecoveryWindowInDays": _DAYS}))
        return True

    async def forget(self, scope: Scope) -> int:
        """See ``Secrets.forget``. What another previewbot made in the last minutes may be missing in AWS's list."""
        if scope.environment is None:
            raise ValueError("only what was made for one environment is forgotten as a whole")
        there = await self.versions(scope)
        for name in there:
            path = self._places.path(scope, name)
            forced = partial(self._delete, path, {"ForceDeleteWithoutRecovery": True})
            await call(f"the deletion of {path}", forced)
        return len(there)

    async def keys(self) -> frozenset[Key]:
        """See ``Secrets.keys``."""
        return self._places.keys(await self._list(self._places.own))

    async def check(self) -> str:
        """See ``Secrets.check``: whether it may be listed."""
        await call("the list of secrets", lambda: self._sm.list_secrets(MaxResults=1))
        return f"Secrets Manager in {self._account.region}, below /{self._places.prefix}"

    async def _list(self, folder: str) -> set[str]:
        def ask() -> set[str]:
            begin = [{"Key": "name", "Values": [f"{folder}/"]}]
            pages = self._sm.get_paginator("list_secrets").paginate(Filters=begin)
            return {each["Name"] for page in pages for each in page["SecretList"]}

        return await call(f"the list of {folder}", ask) | self._made

    async def _describe(self, path: str) -> str | None:
        """The current version, or ``None`` where there is none, or none any more."""

        def ask() -> str | None:
            try:
                found = self._sm.describe_secret(SecretId=path)
            except self._sm.exceptions.ResourceNotFoundException:
                return None
            if found.get("DeletedDate"):
                return None
            stages: Mapping[str, Any] = found.get("VersionIdsToStages", {})
            return next((version for version, names in stages.items() if _CURRENT in names), None)

        return await call(f"the secret {path}", ask)

    async def _value(self, path: str) -> Value | None:
        def ask() -> Value | None:
            try:
                found = self._sm.get_secret_value(SecretId=path)
            except self._sm.exceptions.ResourceNotFoundException:
                return None
            except self._sm.exceptions.InvalidRequestException:  # it is to be deleted
                return None
            if "SecretString" not in found:
                raise Refused(_REASON, f"The secret {path} is binary: set it anew as text.")
            return Value(found["SecretString"])

        return await call(f"the value of {path}", ask)

    def _put(self, path: str, value: Value) -> str:
        key = {"KmsKeyId": self._kms_key} if self._kms_key else {}
        try:
            return str(self._sm.create_secret(Name=path, SecretString=value.text, **key)["VersionId"])
        except (self._sm.exceptions.ResourceExistsException, self._sm.exceptions.InvalidRequestException):
            if self._sm.describe_secret(SecretId=path).get("DeletedDate"):  # it still has its name
                self._sm.restore_secret(SecretId=path)
        return str(self._sm.put_secret_value(SecretId=path, SecretString=value.text)["VersionId"])

    def _delete(self, path: str, how: Mapping[str, Any]) -> None:
        self._sm.delete_secret(SecretId=path, **how)
        self._made.discard(path)

    @cached_property
    def _sm(self) -> Client:
        return self._account.open("secretsmanager")
