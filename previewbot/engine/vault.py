"""What an app's secrets are to one environment: which there are, which are made for it, and their values at a start.

Only the scope of the environment's own kind is ever asked for, and of an untrusted commit none.
"""

from __future__ import annotations

import secrets as chance
import string
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from previewbot.core.blueprint import PREVIEW, Blueprint, Resource
from previewbot.core.errors import Refused, Transient
from previewbot.core.ids import Key
from previewbot.core.model import ImageOrder, Reason, Record, ReleaseSpec
from previewbot.core.resources import Shelf
from previewbot.core.secrets import (
    Scope,
    Seal,
    SecretName,
    Versions,
    asked,
    credentials,
    generated,
    missing,
    open_all,
    seals,
)
from previewbot.core.situation import Held
from previewbot.engine.world import World
from previewbot.ports import Sealed, Secrets, Value

_ALPHABET = string.ascii_letters + string.digits
"""What needs no quoting in a URL, a shell or a configuration file."""


async def look(world: World, record: Record, blueprint: Blueprint, shelf: Shelf) -> tuple[Versions, Record]:
    """Find which secrets there are, and make those that are made for each environment; saves the record before that.

    Nothing is made for what cannot start, since somebody has to set a secret first.
    """
    record = replace(record, app=blueprint.app)
    wished = asked(blueprint)
    shared = await world.secrets.versions(Scope(blueprint.app, PREVIEW), wished) if wished else {}
    wanted = generated(blueprint, shelf.clouds)
    clouds = [each for each in blueprint.resources if shelf.clouds(each)]
    if missing(blueprint, Versions(shared)) or not (wanted or clouds):
        return Versions(shared), record
    own = Scope.own(record.key)
    names = wanted.keys() | {name for each in clouds for name in credentials(each.name)}
    if not record.keeps_secrets:
        # Known to be there before they are: whatever ends this process now, they go with the environment.
        record = replace(record, keeps_secrets=True)
        await world.store.save(record)
    there = dict(await world.secrets.versions(own, names))
    lacking = {name: length for name, length in wanted.items() if name not in there}
    strange = [each for each in clouds if not there.keys() >= set(credentials(each.name))]
    for name, length in lacking.items():
        there[name] = await world.secrets.put(own, name, generate(length))
    for resource in strange:
        there |= await _provide(world, record, resource, own)
    return Versions(shared, there), record


async def _provide(world: World, record: Record, resource: Resource, own: Scope) -> Mapping[SecretName, str]:
    """Have a cloud make a resource; whatever ends this before its credentials are kept, it makes others then."""
    if world.cloud is None or record.app is None:
        raise Refused(Reason.RUNTIME_REFUSED, f"{resource.name} should come from a cloud, and none is configured.")
    made = await world.cloud.provide(record.key, record.app, resource)
    values = (Value(made.access_key), made.secret_key)
    return {
        name: await world.secrets.put(own, name, value)
        for name, value in zip(credentials(resource.name), values, strict=True)
    }


async def unseal(world: World, release: ReleaseSpec, services: Collection[str]) -> Sealed:
    """Read the values that services are started with; ``Transient`` where one is gone since it was looked for."""
    specs = [each for each in release.services if each.name in services and each.sealed]
    wanted = frozenset(seal for each in specs for seal in seals(each.sealed))
    values = await _read(world, release.key, release.app, wanted)
    if lost := sorted(str(seal.name) for seal in wanted - values.keys()):
        raise Transient(f"Secrets were removed just now: {', '.join(lost)}.")
    return {each.name: open_all(each.sealed, lambda seal: values[seal].text) for each in specs}


async def mounted(world: World, app: str, order: ImageOrder) -> Mapping[str, str]:
    """Read the values that steps of a build may mount; ``Transient`` where one is gone since it was looked for."""
    found = await _read(world, order.key, app, frozenset(order.sealed.values()))
    if lost := sorted(name for name, seal in order.sealed.items() if seal not in found):
        raise Transient(f"Secrets were removed just now: {', '.join(lost)}.")
    return {name: found[seal].text for name, seal in order.sealed.items()}


async def worth_hiding(secrets: Secrets, held: Held) -> Collection[str]:
    """Every value that must not be shown of an environment; ``Changed`` where one that may be shown cannot be had."""
    if held.seals is None:
        raise Changed(())
    found, changed = list[str](), set[str]()
    for own, scope in ((True, Scope.own(held.key)), (False, Scope(held.app, PREVIEW))):
        wanted = [seal for seal in held.seals if seal.own is own]
        names = {seal.name for seal in wanted}
        every = names | (await secrets.versions(scope)).keys()
        found += [each.text for each in (await secrets.values(scope, every)).values()]
        # Asked after the values: what is of the same version now was so when its value was read.
        now = await secrets.versions(scope, names) if names else {}
        changed |= {seal.name.name for seal in wanted if now.get(seal.name) != seal.version}
    if changed:
        raise Changed(tuple(sorted(changed)))
    return found


class Changed(Exception):  # noqa: N818 - it says what happened, and is no error
    """Secrets were changed since programs were started with them, and no store tells what they were."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(", ".join(names))
        self.names = names


async def remains(world: World, key: Key) -> bool:
    """Whether anything may be left that was made for an environment which no record tells of."""
    try:
        return bool(await world.secrets.versions(Scope.own(key))) or bool(
            world.cloud and key in await world.cloud.keys()
        )
    except (Transient, Refused):  # whatever runs can go meanwhile
        return True


async def kept(world: World) -> frozenset[Key]:
    """Every environment for which anything was made."""
    return await world.secrets.keys() | (await world.cloud.keys() if world.cloud else frozenset())


async def forget(world: World, key: Key) -> bool:
    """Delete what was made for one environment alone; ``False`` where there was too much of it for one call."""
    # What a cloud has goes first: without its credentials nobody would know that it is there.
    if world.cloud and not await world.cloud.delete(key):
        return False
    await world.secrets.forget(Scope.own(key))
    return True


async def _read(world: World, key: Key, app: str, wanted: Collection[Seal]) -> Mapping[Seal, Value]:
    found: dict[tuple[bool, SecretName], Value] = {}
    for own, scope in ((True, Scope.own(key)), (False, Scope(app, PREVIEW))):
        if names := {seal.name for seal in wanted if seal.own is own}:
            values = await world.secrets.values(scope, names)
            found |= {(own, name): value for name, value in values.items()}
    return {seal: found[seal.own, seal.name] for seal in wanted if (seal.own, seal.name) in found}


def generate(length: int) -> Value:
    """Make a value that needs no quoting anywhere."""
    return Value("".join(chance.choice(_ALPHABET) for _ in range(length)))
