"""A registry's API (the OCI distribution specification), as far as previewbot needs it. It knows no image of ours.

Content is believed only where it has the digest that names it. What is not there is ``None``; every other answer that
is no success is ``Transient`` or ``Refused``, with the way out.
"""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from previewbot.adapters.buildkit.access import Access
from previewbot.adapters.buildkit.answers import OPERATOR, judge, nonsense, unreachable
from previewbot.adapters.buildkit.login import Login, LoginSource, Nobody
from previewbot.adapters.buildkit.names import is_digest
from previewbot.core.errors import Refused, Transient
from previewbot.core.model import Reason

_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
_ACCEPT = {"Accept": ", ".join((*_MANIFESTS, *_INDEXES))}
_DIGEST = "docker-content-digest"
_TIMES = httpx.Timeout(20, connect=5)
_SIZE_LIMIT = 4 * 1024 * 1024
"""The specification's own limit for manifests; the configuration of an image is a manifest's size, too."""
_PAGE = 100
_PAGES = 1000
_NOWHERE = f"sha256:{'0' * 64}"
"""A digest that no content has."""


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What an image says of itself."""

    labels: Mapping[str, str]
    user: str
    """Who its program runs as, as the Dockerfile says it: a name, a number, either with a group, or nothing."""


class Registry:
    """The registry at ``host`` (with a port where it needs one)."""

    def __init__(
        self,
        host: str,
        *,
        logins: LoginSource | None = None,
        plain_http: bool = False,
        ca_file: Path | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """``plain_http`` is for this machine alone; ``ca_file`` holds certificates that are trusted besides."""
        self.host = host
        self.plain_http = plain_http
        self.ca_file = ca_file
        self._logins = logins or Nobody()
        self._client = httpx.AsyncClient(
            base_url=f"{'http' if plain_http else 'https'}://{host}/v2/",
            auth=Access(self._logins),
            timeout=_TIMES,
            verify=_trust(ca_file),
            transport=transport,
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    def login(self) -> Login | None:
        """Read as whom previewbot comes; ``Refused`` where that cannot be read."""
        return self._logins.read()

    async def check(self, repository: str) -> None:
        """Ask for the rights to push and to delete, and leave nothing; raises what hinders."""
        begun = await self._ask("POST", f"{repository}/blobs/uploads/")
        if begun.status_code != httpx.codes.ACCEPTED:
            raise judge(begun, repository=repository, doing="the begin of a push")
        with suppress(Transient, Refused):
            place = self._beside(begun, begun.headers.get("location", ""))
            await self._ask("DELETE", place)
        deleted = await self._ask("DELETE", f"{repository}/manifests/{_NOWHERE}")
        if deleted.status_code != httpx.codes.BAD_REQUEST:  # some say this of a digest that they never saw
            self._expect_gone(deleted, repository)

    async def digest(self, repository: str, reference: str) -> str | None:
        """Find what a tag or a digest names; ``None`` where there is nothing."""
        path = f"{repository}/manifests/{reference}"
        answer = await self._ask("HEAD", path)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        _expect_success(answer, repository, "a look")
        found = answer.headers.get(_DIGEST)
        if found is None:  # it may be left out
            body = await self._content(path, repository, None)
            return None if body is None else _digest_of(body)
        if not is_digest(found):
            raise nonsense(self.host, "a digest that is none")
        return str(found)

    async def tags(self, repository: str) -> Sequence[str]:
        """List every tag of a repository; one that does not exist has none."""
        path, found = f"{repository}/tags/list?n={_PAGE}", list[str]()
        for _ in range(_PAGES):
            answer = await self._ask("GET", path)
            if answer.status_code == httpx.codes.NOT_FOUND:
                return found
            _expect_success(answer, repository, "a listing")
            found += _read_tags(self.host, answer.content)
            following = answer.links.get("next", {}).get("url")
            if not following:
                return found
            path = self._beside(answer, following)
        raise nonsense(self.host, f"more than {_PAGES} pages of tags")

    async def config(self, repository: str, reference: str) -> ImageConfig | None:
        """Read what an image says of itself; of an image for several machines, the first for Linux speaks."""
        for _ in range(2):
            known = reference if is_digest(reference) else None
            manifest = await self._json(f"{repository}/manifests/{reference}", repository, known)
            if manifest is None:
                return None
            if "manifests" not in manifest:
                config = await self._config_of(repository, manifest)
                return None if config is None else _read_config(config)
            reference = _pick(self.host, manifest)
        raise nonsense(self.host, "an index of indexes")

    async def delete(self, repository: str, digest: str) -> None:
        """Delete a manifest with every tag on it; one that is gone is fine."""
        self._expect_gone(await self._ask("DELETE", f"{repository}/manifests/{digest}"), repository)

    def _expect_gone(self, answer: httpx.Response, repository: str) -> None:
        if answer.status_code == httpx.codes.METHOD_NOT_ALLOWED:
            said = f"The registry {self.host} does not delete images, so they pile up in `{repository}`"
            raise Refused(Reason.RUNTIME_REFUSED, f"{said}: {OPERATOR} has to allow it there, or to clean up there.")
        if answer.status_code not in {httpx.codes.NOT_FOUND, httpx.codes.GONE}:
            _expect_success(answer, repository, "a deletion")

    async def _ask(self, method: str, path: str, *, follow: bool = False) -> httpx.Response:
        try:
            return await self._client.request(method, path, headers=_ACCEPT, follow_redirects=follow)
        except httpx.HTTPError as error:
            raise unreachable(self.host, error) from None

    def _beside(self, answer: httpx.Response, place: str) -> str:
        """Follow a link to another place of the same registry: what opens it is for no other host."""
        try:
            url = answer.url.join(place)
        except httpx.InvalidURL:
            url = httpx.URL()
        if (url.scheme, url.netloc) != (answer.url.scheme, answer.url.netloc):
            raise nonsense(self.host, "a link to another place")
        return str(url)

    async def _content(self, path: str, repository: str, digest: str | None) -> bytes | None:
        """Read a manifest or a blob, and hold it against its digest where that is known."""
        answer = await self._ask("GET", path, follow=True)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        _expect_success(answer, repository, "a look")
        promised = digest or answer.headers.get(_DIGEST)
        if promised and promised != _digest_of(answer.content):
            raise nonsense(self.host, f"content that has not the digest {promised[:80]}")
        return answer.content

    async def _json(self, path: str, repository: str, digest: str | None) -> dict[str, Any] | None:
        body = await self._content(path, repository, digest)
        return None if body is None else _read_object(self.host, body)

    async def _config_of(self, repository: str, manifest: Mapping[str, Any]) -> dict[str, Any] | None:
        about = manifest.get("config")
        if not isinstance(about, dict) or not is_digest(str(about.get("digest"))):
            raise nonsense(self.host, "a manifest without a configuration")
        if not isinstance(about.get("size"), int) or about["size"] > _SIZE_LIMIT:
            raise nonsense(self.host, "an image whose configuration is too large")
        return await self._json(f"{repository}/blobs/{about['digest']}", repository, about["digest"])


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    if ca_file is None:
        return _system_trust()
    made = ssl.create_default_context()
    try:
        made.load_verify_locations(ca_file)
    except OSError as error:  # ssl.SSLError is one
        said = f"The certificates in `{ca_file.name}` (registry.ca_file) cannot be used: {error.strerror or error}"
        raise Refused(Reason.RUNTIME_REFUSED, said) from None
    return made


@cache
def _system_trust() -> ssl.SSLContext:
    """The certificates of the machine, which take longer to read than a registry to answer."""
    return ssl.create_default_context()


def _expect_success(answer: httpx.Response, repository: str, doing: str) -> None:
    if not answer.is_success:
        raise judge(answer, repository=repository, doing=doing)


def _digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _read_object(host: str, body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise nonsense(host, "no JSON object")
    return found


def _read_tags(host: str, body: bytes) -> list[str]:
    """Read a page of tags; ``null`` stands for none, after the last one was deleted."""
    found = _read_object(host, body).get("tags") or []
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise nonsense(host, "a list of tags that is none")
    return found


def _pick(host: str, index: Mapping[str, Any]) -> str:
    """Choose a manifest of an index: the first that is for Linux."""
    with suppress(TypeError, AttributeError, LookupError):
        for each in index["manifests"]:
            if each["platform"]["os"] == "linux" and is_digest(each["digest"]):
                return str(each["digest"])
    raise nonsense(host, "an image for no Linux machine")


def _read_config(config: Mapping[str, Any]) -> ImageConfig:
    inner = config.get("config")
    inner = inner if isinstance(inner, dict) else {}
    labels = inner.get("Labels")
    labels = labels if isinstance(labels, dict) else {}
    return ImageConfig({str(name): str(value) for name, value in labels.items()}, str(inner.get("User") or ""))
