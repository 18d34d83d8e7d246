"""Calling a service of AWS: clients made once, calls in threads, and every error as one of the two that are known.

Credentials come from where AWS's own library looks for them: the environment, a profile, the pod's or machine's role.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

from previewbot.core.errors import Refused, Transient
from previewbot.core.model import Reason

Client = Any
"""A client of one service: boto3 makes its methods when it is asked for it."""

_CONNECT, _READ = 5, 20
_CALLS_AT_ONCE = 10
_PAUSE = timedelta(seconds=5)
_DENIED = ("AccessDenied", "AuthFailure", "UnauthorizedOperation", "NotAuthorized", "OptInRequired")
_UNKNOWN = (
    *("ExpiredToken", "InvalidClientTokenId", "UnrecognizedClient", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
    *("MissingAuthenticationToken", "IncompleteSignature", "InvalidSignature"),
)
_LATER = (
    *("Throttl", "TooManyRequests", "RequestLimitExceeded", "SlowDown", "ServiceUnavailable", "InternalError"),
    *("InternalFailure", "OperationAborted", "RequestTimeout", "InternalServerError", "QueueDeletedRecently"),
)
_INTERNAL = 500
_SAID = 300

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Account:
    """Where in AWS."""

    region: str
    endpoint_url: str | None = None
    """Instead of AWS's own addresses: a private endpoint."""

    def open(self, service: str) -> Client:
        """Make the client of a service, without asking it anything."""
        import boto3  # noqa: PLC0415 - half a second, for those alone who use it
        import botocore.session  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        config = Config(
            connect_timeout=_CONNECT,
            read_timeout=_READ,
            retries={"mode": "standard", "total_max_attempts": 3},
            max_pool_connections=_CALLS_AT_ONCE,
            s3={"addressing_style": "path" if self.endpoint_url else "virtual"},
        )
        session = botocore.session.get_session()
        session.register_component("data_loader", _loader())
        return boto3.session.Session(botocore_session=session).client(
            service, region_name=self.region, endpoint_url=self.endpoint_url, config=config
        )


@cache
def _loader() -> object:
    """Read the descriptions of AWS's services, megabytes of JSON, each of them once for all clients."""
    from botocore.loaders import create_loader  # noqa: PLC0415

    return create_loader()


async def call(doing: str, ask: Callable[[], _Answer]) -> _Answer:
    """Ask in a thread; raises ``Transient`` or ``Refused``, in which ``doing`` is the request in words."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        return await asyncio.to_thread(ask)
    except ClientError as error:
        raise judge(error.response, error.operation_name, doing) from None
    except BotoCoreError as error:
        raise _unsent(error, doing) from None


def judge(response: Mapping[str, Any], operation: str, doing: str) -> Transient | Refused:
    """Turn the answer to a call that failed into the error it is; no value that was sent is in an answer."""
    told = response.get("Error", {})
    code, status = str(told.get("Code", "")), response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    message = " ".join(str(told.get("Message", "")).split())[:_SAID]
    said = f"AWS does not take {doing} ({code}: {message})"
    if any(each in code for each in _UNKNOWN):
        return Refused(Reason.RUNTIME_REFUSED, f"{said}: previewbot's AWS credentials are wrong, or have run out.")
    if status >= _INTERNAL or any(each in code for each in _LATER):
        return Transient(f"{said}.", retry_after=_PAUSE)
    if any(each in code for each in _DENIED):
        return Refused(Reason.RUNTIME_REFUSED, f"{said}: previewbot's role in AWS has to be allowed {operation}.")
    return Refused(Reason.RUNTIME_REFUSED, f"{said}.")


def _unsent(error: Exception, doing: str) -> Transient | Refused:
    """Say why a call never came to an answer."""
    name = type(error).__name__
    if "Credential" in name or "Token" in name or "Profile" in name:
        return Refused(
            Reason.RUNTIME_REFUSED,
            f"previewbot has no AWS credentials for {doing} ({name}): give its pod or machine a role, or set them"
            " in its environment.",
        )
    if "Validation" in name:
        return Refused(Reason.RUNTIME_REFUSED, f"AWS cannot be asked for {doing}: {name}.")
    return Transient(f"AWS does not answer to {doing} ({name}).", retry_after=_PAUSE)


def code_of(error: Exception) -> str:
    """AWS's own name of an error, or an empty text."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
