"""What a cluster would be told to run releases: the same manifests that the runtime applies, and nothing is sent."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from previewbot.adapters.kubernetes import enclosure, handed, routes, workload
from previewbot.adapters.kubernetes.kinds import Thing
from previewbot.adapters.kubernetes.names import Names
from previewbot.adapters.kubernetes.options import Options
from previewbot.adapters.kubernetes.place import Place
from previewbot.adapters.kubernetes.workload import Berth, Program
from previewbot.core.ids import Key
from previewbot.core.model import ReleaseSpec
from previewbot.ports import Sealed


def place_of(key: Key, names: Names, options: Options) -> Place:
    """The namespace that an environment has where nobody has one of that name; the API's own networks are unknown."""
    return Place(names, key, next(names.namespaces(key)), options)


def draw_fence(place: Place) -> list[Thing]:
    """Describe the namespace and everything that fences it in."""
    return [enclosure.namespace(place), *map(_readable, handed.secrets(place)), *enclosure.enclosure(place)]


def draw(place: Place, release: ReleaseSpec, digests: Mapping[str, str], sealed: Sealed) -> list[Thing]:
    """Describe a release: volumes, addresses, and for each service its secrets and what runs it.

    The address of a sibling is the cluster's to choose. A built image that names nobody by a number runs as the
    operator's user, and so does any of them here: who it names is known only once it is built.
    """
    berths = [Berth(place, release.revision, each, release.resource) for each in release.services]
    ported = [each for each in berths if each.spec.port is not None]
    siblings = {} if release.resource else {each.spec.name: f"<address of {each.name}>" for each in ported}
    made = [workload.claim(place, each) for each in sorted(release.volumes)]
    made += [workload.service(each) for each in ported]
    for berth in berths:
        spec, own = berth.spec, sealed.get(berth.spec.name, {})
        image = digests[spec.image] if spec.build else spec.image
        user = spec.user if spec.user is not None else place.options.run_as_user if spec.build else None
        made += [_readable(workload.secret(berth, own))] if own else []
        made.append(workload.workload(berth, Program(image, user, siblings, sorted(own))))
    return made


def draw_routes(place: Place, release: ReleaseSpec) -> Sequence[Thing]:
    """Describe how visitors come to the public services of a release."""
    berths = [Berth(place, release.revision, each) for each in release.public]
    return [routes.route(place, str(each.spec.host), f"{each.name}:{each.spec.port}") for each in berths]


def _readable(secret: Thing) -> Thing:
    """The same Secret with its values as texts: they are hidden already, and nobody reads base64."""
    texts = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
    return {key: value for key, value in secret.items() if key != "data"} | {"stringData": texts}
