"""Secrets in AWS Systems Manager's Parameter Store, each a SecureString of its own.

AWS's number of a parameter's version begins again after a deletion, so a version here is that number with the time of
the change. A listing reads ciphertexts and nothing else; values are decrypted when programs are started.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from previewbot.adapters.aws.session import Account, Client, call
from previewbot.adapters.secrets.places import Places
from previewbot.core.errors import Refused
from previewbot.core.ids import Key
from previewbot.core.secrets import Scope, SecretName
from previewbot.ports import Value

_REASON = "secrets"
_AT_ONCE = 10
"""Names in one call."""
_LARGEST = 8192
"""Bytes of a value in the advanced tier; AWS bills those above 4096 as such."""


class ParameterSecrets:
    """A ``ports.Secrets`` in one account and region; ``kms_key`` encrypts, instead of AWS's own key."""

    def __init__(self, account: Account, prefix: str, instance: str, *, kms_key: str | None = None) -> None:
        self._account, self._places, self._kms_key = account, Places(prefix, instance), kms_key

    async def versions(self, scope: Scope, names: Collection[SecretName] | None = None) -> Mapping[SecretName, str]:
        """See ``Secrets.versions``."""
        if names is None:
            found = await self._list(self._places.folder(scope))
        else:
            found = await self._read(scope, names, decrypt=False)
        return self._places.within(scope, {each["Name"]: _version(each) for each in found})

    async def values(self, scope: Scope, names: Collection[SecretName]) -> Mapping[SecretName, Value]:
        """See ``Secrets.values``."""
        found = {each["Name"]: each["Value"] for each in await self._read(scope, names, decrypt=True)}
        return {name: Value(text) for name, text in self._places.within(scope, found).items()}

    async def put(self, scope: Scope, name: SecretName, value: Value) -> str:
        """See ``Secrets.put``. Parameter Store takes neither an empty value nor one above 8 KiB."""
        path, size = self._places.path(scope, name), len(value.text.encode())
        if not 0 < size <= _LARGEST:
            raise Refused(_REASON, f"Parameter Store keeps 1 to {_LARGEST} bytes, and the value of {path} has {size}.")
        key = {"KeyId": self._kms_key} if self._kms_key else {}
        await call(
            f"the parameter {path}",
            lambda: self._ssm.put_parameter(
                Name=path, Value=value.text, Type="SecureString", Overwrite=True, Tier="Intelligent-Tiering", **key
            ),
        )
        return (await self.versions(scope, [name]))[name]

    async def remove(self, scope: Scope, name: SecretName) -> bool:
        """See ``Secrets.remove``."""
        return bool(await self._delete([self._places.path(scope, name)]))

    async def forget(self, scope: Scope) -> int:
        """See ``Secrets.forget``."""
        if scope.environment is None:
            raise ValueError("only what was made for one environment is forgotten as a whole")
        return await self._delete([each["Name"] for each in await self._list(self._places.folder(scope))])

    async def keys(self) -> frozenset[Key]:
        """See ``Secrets.keys``."""
        return self._places.keys(each["Name"] for each in await self._list(self._places.own))

    async def check(self) -> str:
        """See ``Secrets.check``: whether it may be listed."""
        folder = f"/{self._places.prefix}/nobody/preview"
        await call(f"the list of {folder}", lambda: self._ssm.get_parameters_by_path(Path=folder, MaxResults=1))
        return f"Parameter Store in {self._account.region}, below /{self._places.prefix}"

    async def _list(self, folder: str) -> list[dict[str, Any]]:
        def ask() -> list[dict[str, Any]]:
            pages = self._ssm.get_paginator("get_parameters_by_path").paginate(
                Path=folder, Recursive=True, WithDecryption=False
            )
            return [each for page in pages for each in page["Parameters"]]

        return await call(f"the list of {folder}", ask)

    async def _read(self, scope: Scope, names: Collection[SecretName], *, decrypt: bool) -> list[dict[str, Any]]:
        def ask(paths: Sequence[str]) -> list[dict[str, Any]]:
            found = self._ssm.get_parameters(Names=list(paths), WithDecryption=decrypt)
            return list(found["Parameters"])

        doing, paths = f"parameters of {self._places.folder(scope)}", [self._places.path(scope, each) for each in names]
        parts = await asyncio.gather(*(call(doing, partial(ask, part)) for part in _parts(paths)))
        return [each for part in parts for each in part]

    async def _delete(self, paths: Sequence[str]) -> int:
        gone = 0
        for part in _parts(paths):
            delete = partial(self._ssm.delete_parameters, Names=list(part))
            answer: dict[str, Any] = await call("the deletion of parameters", delete)
            gone += len(answer["DeletedParameters"])
        return gone

    @cached_property
    def _ssm(self) -> Client:
        return self._account.open("ssm")


def _parts(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    return (paths[begin : begin + _AT_ONCE] for begin in range(0, len(paths), _AT_ONCE))


def _version(found: Mapping[str, Any]) -> str:
    return f"{found['Version']}.{found['LastModifiedDate'].timestamp():.3f}"
