"""Everything that previewbot needs, checked one by one, and for each failure what to do. It leaves no trace."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from previewbot import app
from previewbot.adapters.caddy import Caddy, RouteTable
from previewbot.adapters.docker import connect, describe
from previewbot.adapters.docker.cli import find_cli
from previewbot.adapters.github import AppDescription
from previewbot.adapters.store import look
from previewbot.cli.certificate import judge
from previewbot.cli.manifest import SetupFailed, read_manifest
from previewbot.core.errors import Refused, Transient
from previewbot.settings import Faulty, Settings, read_secret

_ROOM = 2 * 1024**3
"""Bytes of disk below which builds soon fail."""

_SKEW = timedelta(seconds=30)
"""How far the clock may be off: GitHub refuses an App's tokens from the future."""

_RANK = {"read": 1, "write": 2, "admin": 3}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: ``fix`` says what to do where it is not ``ok``."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


Check = Callable[[Settings], Awaitable[list[Finding]]]
Checks = Mapping[str, Check]


async def examine(settings: Settings) -> list[Finding]:
    """Check everything at once; no check stops another."""
    places: dict[str, Checks] = {
        "docker": {"Engine": _engine, "Builder": _builder, "Front door": _front_door},
        "kubernetes": {"Cluster": _cluster, "BuildKit": _buildkit, "Registry": _registry},
    }
    checks: Checks = {
        "GitHub App": _github,
        "Webhook secret": _secret,
        **places[settings.runtime],
        **({"Certificate": _certificate} if _has_certificate(settings) else {}),
        "git": _git,
        "Database": _database,
        "Secrets": _secrets,
        **({"AWS": _aws} if app.cloud_of(settings) else {}),
        "Disk": _disk,
    }
    found = await asyncio.gather(*(_guarded(name, check, settings) for name, check in checks.items()))
    return [finding for findings in found for finding in findings]


async def _guarded(name: str, check: Check, settings: Settings) -> list[Finding]:
    try:
        async with asyncio.timeout(30):
            return await check(settings)
    except (Transient, Refused, Faulty) as error:
        return [Finding(name, ok=False, detail=str(error), fix=_FIXES[name])]
    except PermissionError as error:
        fix = "Run `previewbot doctor` as the user that `previewbot serve` runs as, or let that user in."
        return [Finding(name, ok=False, detail=f"{error.filename}: permission denied", fix=fix)]
    except TimeoutError:
        return [Finding(name, ok=False, detail="does not answer within 30 s", fix=_FIXES[name])]
    except (OSError, SetupFailed) as error:
        return [Finding(name, ok=False, detail=str(error), fix=_FIXES[name])]


_FIXES = {
    "GitHub App": "Check github.app_id, github.private_key_file and github.api_url, or run `previewbot setup` again.",
    "Webhook secret": "Write the App's webhook secret to the file that github.webhook_secret_files names.",
    "Cluster": "Check kubernetes.kubeconfig and kubernetes.context, and that the cluster's API can be reached.",
    "Engine": "Start Docker (or Podman's socket), and check docker.host and who may open the socket.",
    "Builder": "Install the `docker` command, with its plugin buildx (Debian: docker.io, docker-buildx).",
    "git": "Install git.",
    "Front door": "Start Caddy with its admin API (`caddy run`), and check caddy.admin.",
    "BuildKit": "Install buildctl, start buildkitd, and check buildkit.address and the files of buildkit.tls_….",
    "Certificate": "Check kubernetes.tls_certificate_file and tls_key_file, and what renews them.",
    "Registry": "Check registry.prefix, and what the login of registry.username or registry.docker_config_file may do.",
    "Database": "Check storage.folder and storage.database_url, and who may write there.",
    "Secrets": "Check secrets.store: the role in AWS that it needs, or secrets.key_file (or secrets.key in"
    " storage.folder), and that it is the key they were set with.",
    "AWS": "Check aws.account and aws.region, and the role or the credentials of this machine or pod.",
    "Disk": "Free some disk, or point storage.folder at a larger one.",
}


async def _github(settings: Settings) -> list[Finding]:
    hub = app.hub_of(settings)
    try:
        found = await hub.describe()
    finally:
        await hub.aclose()
    return _judge(found)


def _judge(found: AppDescription) -> list[Finding]:
    plural = "" if found.installations == 1 else "s"
    about = f"{found.slug} (id {found.id}), {found.installations} installation{plural}"
    install = "" if found.installations else f"Install it: {found.page}/installations/new"
    return [
        Finding("GitHub App", ok=bool(found.installations), detail=about, fix=install),
        _permissions(found),
        _events(found),
        _clock(found),
    ]


def _permissions(found: AppDescription) -> Finding:
    wanted: dict[str, str] = read_manifest()["default_permissions"]
    lacking = [
        f"{name}: {level}"
        for name, level in wanted.items()
        if _RANK.get(found.permissions.get(name, ""), 0) < _RANK[level]
    ]
    fix = f"Settings › Developer settings › {found.slug} › Permissions; then accept them in each installation."
    detail = f"the App lacks {', '.join(lacking)}" if lacking else f"{len(wanted)} as in app-manifest.yml"
    return Finding("  permissions", ok=not lacking, detail=detail, fix=fix)


def _events(found: AppDescription) -> Finding:
    lacking = sorted(set(read_manifest()["default_events"]) - set(found.events))
    fix = f"Settings › Developer settings › {found.slug} › Permissions & events › Subscribe to events."
    detail = f"the App does not get {', '.join(lacking)}" if lacking else "as in app-manifest.yml"
    return Finding("  events", ok=not lacking, detail=detail, fix=fix)


def _clock(found: AppDescription) -> Finding:
    off = abs(found.clock_skew) > _SKEW
    seconds = abs(found.clock_skew).total_seconds()
    detail = f"{seconds:.0f} s {'ahead of' if found.clock_skew > timedelta(0) else 'behind'} GitHub's"
    return Finding(
        "Clock",
        ok=not off,
        detail=detail if off else "within seconds of GitHub's",
        fix="Set this machine's clock, for example with an NTP client.",
    )


async def _secret(settings: Settings) -> list[Finding]:
    count = len([read_secret(each) for each in settings.github.webhook_secret_files])
    exposed = _exposed([*settings.github.webhook_secret_files, settings.github.private_key_file])
    if exposed:
        return [_tell_exposed("Webhook secret", exposed)]
    return [Finding("Webhook secret", ok=True, detail=f"{count} secret{'s' if count > 1 else ''}")]


def _exposed(files: Sequence[Path | None]) -> list[Path]:
    return [each for each in files if each and each.exists() and _is_exposed(each.stat())]


def _is_exposed(about: os.stat_result) -> bool:
    # A pod's secrets belong to root: previewbot reads them as a member of the group that they are given to.
    through_group = about.st_uid != os.geteuid() and about.st_gid in {os.getegid(), *os.getgroups()}
    return bool(about.st_mode & (0o037 if through_group else 0o077))


def _tell_exposed(name: str, files: Sequence[Path]) -> Finding:
    names = " ".join(map(str, files))
    return Finding(name, ok=False, detail=f"other users can read {names}", fix=f"chmod 600 {names}")


async def _engine(settings: Settings) -> list[Finding]:
    return [Finding("Engine", ok=True, detail=await describe(connect(settings.docker.host)))]


async def _builder(settings: Settings) -> list[Finding]:
    cli = await find_cli(connect(settings.docker.host))
    lack = "" if cli.buildkit else ", which is slow and gives builds no secrets: docker-buildx mends both"
    return [Finding("Builder", ok=True, detail=f"{cli}{lack}")]


async def _git(_: Settings) -> list[Finding]:
    asked = await asyncio.create_subprocess_exec("git", "--version", stdout=asyncio.subprocess.PIPE)
    said, _nothing = await asked.communicate()
    return [Finding("git", ok=asked.returncode == 0, detail=said.decode("utf-8", "replace").strip(), fix=_FIXES["git"])]


async def _cluster(settings: Settings) -> list[Finding]:
    from previewbot.places.kubernetes import describe as describe_cluster  # noqa: PLC0415 - only where there is one

    found = await describe_cluster(settings)
    fix = "Install the chart deploy/helm/previewbot, which grants just what is needed, and use its account."
    lacks = f"the account may not: {', '.join(found.lacking)}" if found.lacking else "all that previewbot needs"
    kinds = " ".join(found.unknown) or "all that previewbot needs"
    return [
        Finding("Cluster", ok=True, detail=found.about),
        Finding("  permissions", ok=not found.lacking, detail=lacks, fix=fix),
        Finding("  kinds", ok=not found.unknown, detail=kinds, fix="Mend that in the cluster or in the configuration."),
    ]


async def _front_door(settings: Settings) -> list[Finding]:
    table = RouteTable(Path("/nonexistent/routes.json"))
    caddy = Caddy(settings.caddy.admin, table=table, listen=tuple(settings.caddy.listen), ask="127.0.0.1:1")
    try:
        return [Finding("Front door", ok=True, detail=await caddy.check())]
    finally:
        await caddy.aclose()


async def _buildkit(settings: Settings) -> list[Finding]:
    from previewbot.places import images  # noqa: PLC0415 - only where there is a cluster

    found = [Finding("BuildKit", ok=True, detail=await images.check_buildkit(settings))]
    exposed = _exposed([settings.buildkit.tls_key_file])
    return [*found, _tell_exposed("  key", exposed)] if exposed else found


async def _registry(settings: Settings) -> list[Finding]:
    from previewbot.places import images  # noqa: PLC0415 - only where there is a cluster
    from previewbot.places.handouts import read_pull_secret  # noqa: PLC0415

    own = settings.registry
    if own.pull_secret_file:
        read_pull_secret(own.pull_secret_file)
    names, registry = images.names_of(settings), images.registry_of(settings)
    try:
        await registry.check(names.repository)
    finally:
        await registry.aclose()
    detail = f"{names.host}/{names.repository}: pull, push and delete"
    exposed = _exposed([own.password_file, own.docker_config_file, own.pull_secret_file])
    return [Finding("Registry", ok=True, detail=detail), *([_tell_exposed("  login", exposed)] if exposed else [])]


def _has_certificate(settings: Settings) -> bool:
    return settings.runtime == "kubernetes" and settings.kubernetes.tls_certificate_file is not None


async def _certificate(settings: Settings) -> list[Finding]:
    from previewbot.places.handouts import Handouts  # noqa: PLC0415 - only where there is a cluster

    handed = Handouts(settings).current.certificate
    ok, detail = judge(handed.chain, settings.previews.domain, datetime.now(UTC)) if handed else (False, "none")
    exposed = _exposed([settings.kubernetes.tls_key_file])
    found = [Finding("Certificate", ok=ok, detail=detail, fix=_FIXES["Certificate"])]
    return [*found, _tell_exposed("  key", exposed)] if exposed else found


async def _database(settings: Settings) -> list[Finding]:
    return [Finding("Database", ok=True, detail=await look(settings.database_url))]


async def _secrets(settings: Settings) -> list[Finding]:
    if settings.secrets_store != "local" or settings.secrets_key:
        return [Finding("Secrets", ok=True, detail=await app.open_secrets(settings).check())]
    folder = settings.storage.folder.absolute()
    key = settings.secrets.key_file or folder / "secrets.key"
    if settings.secrets.key_file is None and not key.exists():
        return [Finding("Secrets", ok=True, detail="none yet; the first start makes their key")]
    found = [Finding("Secrets", ok=True, detail=await app.open_secrets(settings).check())]
    exposed = _exposed([key])
    return [*found, _tell_exposed("  key", exposed)] if exposed else found


async def _aws(settings: Settings) -> list[Finding]:
    cloud = app.open_cloud(settings)
    return [Finding("AWS", ok=True, detail=await cloud.check())] if cloud else []


async def _disk(settings: Settings) -> list[Finding]:
    folder = settings.storage.folder.absolute()
    there = next(each for each in (folder, *folder.parents) if each.exists())
    return [_room(folder, shutil.disk_usage(there).free)]


def _room(folder: Path, free: int) -> Finding:
    detail = f"{free / 1024**3:.0f} GiB free for {folder}"
    return Finding("Disk", ok=free > _ROOM, detail=detail, fix=_FIXES["Disk"])
