"""The manifests, as they are sent: each snapshot is a file that a person can read and compare with ``kubectl``."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from previewbot.adapters.kubernetes import drift, enclosure, handed, routes, workload
from previewbot.adapters.kubernetes.kinds import Thing
from previewbot.adapters.kubernetes.names import Names, object_name
from previewbot.adapters.kubernetes.options import Gateway, Network, Options, Routing
from previewbot.adapters.kubernetes.place import Certificate, Handed, Place
from previewbot.adapters.kubernetes.workload import Berth, Program
from previewbot.core.blueprint import Build, Health, Kind, Resource, ResourceType, Schedule
from previewbot.core.ids import Key
from previewbot.core.model import ServiceSpec, Size
from previewbot.core.resources import Shelf, Spot, server
from previewbot.core.secrets import SecretName, Versions

SNAPSHOTS = Path(__file__).parent / "snapshots"
KEY = Key(1296269, 42)
REVISION = "4f2a9c01d7e3b8aa"
PLACE = Place(Names("app-1"), KEY, "preview-pr-42-1296269-57a1", Options(), ("192.0.2.7/32",))
GIVEN = replace(PLACE, handed=Handed('{"auths":{}}', Certificate("the chain", "the key")))
WEB = ServiceSpec(
    name="web",
    image="web-1",
    build=Build(),
    command=("serve", "--price", "$5", "$(HOME)"),
    port=80,
    host="pr-42-shop.preview.example.com",
    health=Health("/healthz", timedelta(seconds=30)),
    env={"PREVIEWBOT_COMMIT": "c0ffee", "DOLLARS": "$$ and $(PATH)"},
    replicas=2,
)
WORKER = replace(WEB, name="worker", port=None, host=None, health=Health(), command=None, replicas=1)
PROGRAM = Program("registry.example.com/previews@sha256:0123", 10001, {"web": "10.96.0.7", "api": "10.96.0.8"})
SEED = replace(WORKER, name="seed", kind=Kind.JOB, command=("seed", "--all"))
NIGHTLY = replace(SEED, name="nightly", kind=Kind.CRON, schedule=Schedule("0 2 * * *", "Europe/Berlin"))
_PASSWORD = Versions(own={SecretName("db", "password"): "1"})
_MADE = server(Resource("db", ResourceType.POSTGRES, version="17"), _PASSWORD, Spot(KEY, "shop", Shelf()))
DATABASE = Berth(PLACE, REVISION, _MADE.services[0], _MADE.resource)


def _yaml(things: Sequence[Thing]) -> str:
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 200
    yaml.representer.ignore_aliases = lambda _: True
    stream = io.StringIO()
    yaml.dump_all(things, stream)
    return stream.getvalue()


def _made(thing: Thing) -> Thing:
    """As the API server answers: what owns something has an id."""
    return thing | {"metadata": thing["metadata"] | {"uid": "5b0c5a3e"}}


CASES = {
    "namespace": [
        enclosure.namespace(GIVEN),
        *handed.secrets(GIVEN),
        *enclosure.enclosure(GIVEN),
    ],
    "release": [
        workload.service(Berth(PLACE, REVISION, WEB)),
        workload.deployment(Berth(PLACE, REVISION, WEB), PROGRAM),
        workload.deployment(Berth(PLACE, REVISION, WORKER), replace(PROGRAM, user=None)),
    ],
    "job": [
        workload.job(Berth(PLACE, REVISION, SEED), replace(PROGRAM, sealed=("TOKEN",))),
        workload.job(Berth(PLACE, REVISION, NIGHTLY), PROGRAM),
        workload.run(PLACE, workload.job(Berth(PLACE, REVISION, NIGHTLY), PROGRAM), "20260101020000"),
        workload.secret(
            Berth(PLACE, REVISION, SEED),
            {"TOKEN": "hunter2"},
            _made(workload.job(Berth(PLACE, REVISION, SEED), PROGRAM)),
        ),
    ],
    "resource": [
        *(workload.claim(PLACE, each) for each in DATABASE.spec.volumes.values()),
        workload.service(DATABASE),
        workload.secret(DATABASE, {"POSTGRES_PASSWORD": "hunter2"}, _made(workload.deployment(DATABASE, PROGRAM))),
        workload.deployment(DATABASE, replace(PROGRAM, user=999, siblings={}, sealed=("POSTGRES_PASSWORD",))),
    ],
    "ingress": [routes.route(PLACE, "pr-42-shop.preview.example.com", "web-4f2a9c01d7:80")],
    "gateway": [
        routes.route(
            replace(PLACE, options=Options(routing=Routing(gateway=Gateway("public", "gateways", "https")))),
            "pr-42-shop.preview.example.com",
            "web-4f2a9c01d7:80",
        )
    ],
}


@pytest.mark.parametrize("case", CASES)
def test_a_manifest_is_what_its_snapshot_shows(case: str) -> None:
    """``PREVIEWBOT_SNAPSHOTS=write`` writes them anew; what changed is then there to read in the diff."""
    file = SNAPSHOTS / f"{case}.yaml"
    shown = _yaml(CASES[case])
    if os.environ.get("PREVIEWBOT_SNAPSHOTS") == "write":
        file.write_text(shown)
    assert file.read_text() == shown


def test_what_was_given_once_and_is_not_any_more_is_emptied_and_nothing_else_is_made() -> None:
    given = {"metadata": {"annotations": enclosure.namespace(GIVEN)["metadata"]["annotations"]}}
    assert handed.secrets(PLACE) == []
    emptied = handed.secrets(PLACE, given)
    assert [each["metadata"]["name"] for each in emptied] == ["registry", "certificate"]
    assert [each["type"] for each in emptied] == [each["type"] for each in handed.secrets(GIVEN)]
    values = [value for each in emptied for value in each["data"].values()]
    assert [base64.b64decode(each).decode() for each in values] == ['{"auths":{}}', "", ""]
    assert "annotations" not in enclosure.namespace(PLACE)["metadata"]


def test_a_mark_changes_with_what_is_given_and_with_whose_it_is_and_shows_nothing_of_it() -> None:
    others = (
        replace(GIVEN, handed=replace(GIVEN.handed, pull_secret='{"auths":{"x":{}}}')),
        replace(GIVEN, names=Names("app-2")),
        GIVEN,
        replace(GIVEN),
    )
    marks = [handed.marks(each)["previewbot.dev/given-registry"] for each in others]
    assert len(set(marks)) == 3
    assert marks[2] == marks[3]
    assert all(len(each) == 16 for each in marks)
    for secret in (GIVEN.handed, GIVEN.handed.certificate):
        assert "the key" not in repr(secret)
        assert "auths" not in repr(secret)


def test_tls_comes_from_a_wildcard_secret_or_from_an_issuer() -> None:
    host, target = "pr-1-shop.example.com", "web-1:80"
    wildcard = replace(PLACE, options=Options(routing=Routing(ingress_class="traefik", tls_secret="wildcard")))
    made = routes.route(wildcard, host, target)
    assert made["spec"]["tls"] == [{"hosts": [host], "secretName": "wildcard"}]
    assert made["spec"]["ingressClassName"] == "traefik"
    issued = routes.route(replace(PLACE, options=Options(routing=Routing(cluster_issuer="letsencrypt"))), host, target)
    assert issued["metadata"]["annotations"] == {"cert-manager.io/cluster-issuer": "letsencrypt"}
    assert issued["spec"]["tls"] == [{"hosts": [host], "secretName": "pr-1-shop-example-com-tls"}]


@pytest.mark.parametrize("case", ["ingress", "gateway"])
def test_a_route_is_read_as_it_was_written(case: str) -> None:
    (thing,) = CASES[case]
    assert routes.read(thing) == {"pr-42-shop.preview.example.com": ("web-4f2a9c01d7:80",)}


def test_nobody_comes_in_where_no_front_door_is_named() -> None:
    network = Network(ingress_namespaces=())
    things = enclosure.enclosure(replace(PLACE, options=Options(network=network)))
    (door,) = (each for each in things if each["metadata"]["name"] == "front-door")
    assert "ingress" not in door["spec"]
    assert door["spec"]["policyTypes"] == ["Ingress"]


@pytest.mark.parametrize(
    "network", [Network(dns_namespaces=()), Network(dns_namespaces=(), dns_cidrs=("192.0.2.53/32",))]
)
def test_port_53_leads_to_the_dns_that_is_named_and_nowhere_else(network: Network) -> None:
    things = enclosure.enclosure(replace(PLACE, options=Options(network=network)))
    (dns,) = (each for each in things if each["metadata"]["name"] == "dns")
    assert dns["spec"]["policyTypes"] == ["Egress"]
    rules = dns["spec"].get("egress", [])
    assert [each["to"] for each in rules] == [[{"ipBlock": {"cidr": each}}] for each in network.dns_cidrs]


def test_names_fit_however_long_a_service_and_a_number_are() -> None:
    assert len(object_name("a" * 32, REVISION)) <= 63
    huge = Key(2**63 - 1, 2**63 - 1)
    assert all(len(each) <= 63 for each in Names("an-instance").namespaces(huge))
    assert len(set(Names("an-instance").namespaces(huge))) == 20


@pytest.mark.parametrize("thing", [thing for case in CASES.values() for thing in case], ids=lambda each: each["kind"])
def test_a_sealed_manifest_is_up_to_date_as_long_as_all_its_fields_are_ours(thing: Thing) -> None:
    found = _as_kept(drift.seal(thing))
    assert drift.is_up_to_date(found, thing)
    taken = _as_kept(drift.seal(thing))
    del taken["metadata"]["managedFields"][0]["fieldsV1"]["f:metadata"]["f:labels"]
    assert drift.has_drifted(taken)
    assert not drift.is_up_to_date(None, thing)


def _as_kept(sealed: Thing) -> Thing:
    """What the API server would keep of it, were every list of objects kept as a whole."""
    fields = {part: _fields(value) for part, value in sealed.items() if part not in ("apiVersion", "kind")}
    named = {f"f:{part}": value for part, value in fields.items()}
    for own in ("f:name", "f:namespace"):
        named["f:metadata"].pop(own, None)
    entry = {"manager": "previewbot", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": named}
    about = {**sealed["metadata"], "managedFields": [entry], "resourceVersion": "7", "uid": "u"}
    return {**sealed, "metadata": about, "status": {"phase": "Active"}}


def _fields(value: object) -> dict[str, object]:
    return {f"f:{name}": _fields(each) for name, each in value.items()} if isinstance(value, dict) else {}


def test_a_named_size_is_what_a_container_may_use_and_promises_nothing_more() -> None:
    sized = replace(WEB, size=Size(0.5, 256 * 1024**2))
    made = workload.deployment(Berth(PLACE, REVISION, sized), PROGRAM)
    resources = made["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert (resources["limits"]["cpu"], resources["limits"]["memory"]) == ("500m", "256Mi")
    assert resources["requests"] == PLACE.options.sizes.requests()


def test_a_secret_is_in_an_object_of_its_own_and_nowhere_else() -> None:
    command = ("serve", "", "--now")
    berth = Berth(PLACE, REVISION, replace(WEB, command=command))
    program = replace(PROGRAM, sealed=("PREVIEWBOT_ARGUMENT_1", "TOKEN"))
    made = workload.deployment(berth, program)
    container = made["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == ["serve", "$(PREVIEWBOT_ARGUMENT_1)", "--now"]
    (token,) = [each for each in container["env"] if each["name"] == "TOKEN"]
    assert token["valueFrom"]["secretKeyRef"] == {"name": berth.name, "key": "TOKEN"}
    secret = workload.secret(berth, {"TOKEN": "hunter2"}, made | {"metadata": made["metadata"] | {"uid": "1"}})
    assert secret["data"] == {"TOKEN": "aHVudGVyMg=="}
    assert secret["metadata"]["ownerReferences"][0]["uid"] == "1"


@pytest.mark.parametrize("user", [999, None])
def test_files_of_a_volume_are_opened_to_the_group_of_its_pod_once_and_not_at_every_start(user: int | None) -> None:
    spec = replace(WORKER, volumes={"/var/lib/files": "files"})
    made = workload.deployment(Berth(PLACE, REVISION, spec), replace(PROGRAM, user=user))
    security = made["spec"]["template"]["spec"]["securityContext"]
    assert (security["fsGroup"], security["fsGroupChangePolicy"]) == (user or 10001, "OnRootMismatch")


def test_every_version_of_a_resource_is_an_object_of_its_own_however_long_its_name() -> None:
    versions = Versions(own={SecretName("analytics-events", "password"): "1"})
    names = set()
    for version in ("16", "17"):
        resource = Resource("analytics-events", ResourceType.POSTGRES, version=version)
        made = server(resource, versions, Spot(PLACE.key, "shop", Shelf()))
        names.add(Berth(PLACE, made.revision, made.services[0], made.resource).name)
    assert len(names) == 2
