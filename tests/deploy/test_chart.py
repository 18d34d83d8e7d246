"""The chart: what it makes of values, what Helm, the API server and two judges say of that, and what it refuses."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import BaseModel

from previewbot.settings import load
from tests.cluster.state import Cluster
from tests.deploy.chart import CHART, HOME, LEAST, SETS, Thing, one, render, things, write
from tests.judges.manifests import checked, validated

# The first test that asks the judges installs them.
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

WORKLOADS = [name for name in SETS if name != "account"]
SNAPSHOTS = Path("tests/adapters/kubernetes/snapshots")
CHECKOV = {
    ("CKV_K8S_35", "Deployment"): "the URL of PostgreSQL is a setting, and previewbot reads settings as variables",
    ("CKV_K8S_38", "Deployment"): "previewbot works through the cluster's API; its account's rights are the least",
}
"""Rules of checkov that do not hold of the chart, each with the reason."""

CHECKOV_PREVIEWS = {
    ("CKV_K8S_8", "Deployment"): "a preview that hangs is to be looked at; what dies is started again without a probe",
    ("CKV_K8S_9", "Deployment"): "a worker has no port that could be asked; where there is one, there is a probe",
    ("CKV_K8S_22", "Deployment"): "apps write beside their code; what they write is limited and goes with the pod",
    ("CKV_K8S_22", "Job"): "the same of jobs and hooks",
    ("CKV_K8S_35", "Deployment"): "apps read their secrets from variables, on every runtime alike",
    ("CKV_K8S_35", "Job"): "the same of jobs and hooks",
    ("CKV_K8S_40", "Deployment"): "an image that names its own user, not root, keeps it, as its files are that user's",
}
"""The same of what previewbot applies for an environment."""


@pytest.mark.parametrize("name", SETS)
def test_helm_finds_nothing_to_complain_of(name: str, cluster: Cluster, tmp_path: Path) -> None:
    said = cluster._run([cluster.programs["helm"], "lint", "--strict", str(CHART), "--values",
                         str(write(SETS[name], tmp_path))])  # fmt: skip
    assert "[ERROR]" not in said
    assert "[WARNING]" not in said


@pytest.fixture(scope="module")
def home(cluster: Cluster) -> Iterator[str]:
    """A namespace in which Pod Security lets nothing through but what is restricted."""
    cluster.kubectl("create", "namespace", HOME)
    cluster.kubectl("label", "namespace", HOME, "pod-security.kubernetes.io/warn=restricted")
    yield HOME
    cluster.kubectl("delete", "namespace", HOME, "--wait=false")


@pytest.mark.parametrize("name", SETS)
def test_the_api_server_takes_all_of_it_without_a_warning(
    name: str, cluster: Cluster, home: str, tmp_path: Path
) -> None:
    made = [each for each in things(render(cluster, SETS[name], tmp_path)) if each["kind"] != "ServiceMonitor"]
    dry = ("--server-side", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f", "-")
    said = cluster.kubectl("apply", *dry, given=json.dumps({"apiVersion": "v1", "kind": "List", "items": made}))
    assert len(said.splitlines()) == len(made)


@pytest.mark.parametrize("name", SETS)
def test_its_manifests_have_no_field_that_kubernetes_does_not_know(name: str, cluster: Cluster, tmp_path: Path) -> None:
    made = [each for each in things(render(cluster, SETS[name], tmp_path)) if each["kind"] != "ServiceMonitor"]
    assert validated("\n---\n".join(map(json.dumps, made))) == []


def test_checkov_finds_what_is_known_of_the_chart_and_nothing_else(cluster: Cluster, tmp_path: Path) -> None:
    passed, failed = checked("\n---\n".join(render(cluster, SETS[name], tmp_path) for name in SETS))
    assert failed == set(CHECKOV)
    assert passed > 300


def test_a_preview_has_no_field_that_kubernetes_does_not_know() -> None:
    shown = [each.read_text() for each in SNAPSHOTS.glob("*.yaml") if each.stem != "gateway"]
    assert len(shown) >= 3
    assert validated("\n---\n".join(shown)) == []


def test_checkov_finds_what_is_known_of_a_preview_and_nothing_else() -> None:
    passed, failed = checked("\n---\n".join(each.read_text() for each in SNAPSHOTS.glob("*.yaml")))
    assert failed == set(CHECKOV_PREVIEWS)
    assert passed > 100


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_configuration_in_it_is_one_that_previewbot_reads(name: str, cluster: Cluster, tmp_path: Path) -> None:
    made = things(render(cluster, SETS[name], tmp_path))
    file = tmp_path / "previewbot.yaml"
    file.write_text(one(made, "ConfigMap")["data"]["previewbot.yaml"])
    settings = load(file)
    assert (settings.runtime, settings.instance_name, settings.previews.domain) == (
        "kubernetes", "main", "preview.example.com",
    )  # fmt: skip
    assert settings.github.app_id == 12345678
    mounted = {each["mountPath"] for each in _container(made)["volumeMounts"]}
    files = [each for each in _paths(settings) if each != settings.storage.folder]
    assert files
    assert {str(each.parent) for each in files} <= mounted
    assert str(settings.storage.folder) in mounted


def test_every_value_has_a_default_and_a_place_in_the_schema(cluster: Cluster) -> None:
    defaults = json.loads(json.dumps(things((CHART / "values.yaml").read_text())[0]))
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert set(schema["properties"]) - {"global"} == set(defaults)
    for name, shape in schema["properties"].items():
        if name not in {"config", "global"} and shape.get("properties"):
            assert set(shape["properties"]) == set(defaults[name]), name


def test_sqlite_has_one_replica_and_a_disk_and_postgres_as_many_as_are_asked_for(
    cluster: Cluster, tmp_path: Path
) -> None:
    sqlite = things(render(cluster, SETS["least"], tmp_path))
    postgres = things(render(cluster, SETS["postgres"], tmp_path))
    assert one(sqlite, "Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    assert one(sqlite, "PersistentVolumeClaim")["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert "env" not in _container(sqlite)
    spec = one(postgres, "Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (3, "RollingUpdate")
    modes = [one(made, "PersistentVolumeClaim")["spec"]["accessModes"] for made in (sqlite, postgres)]
    assert modes == [["ReadWriteOnce"], ["ReadWriteMany"]]
    alone = {each["name"] for each in spec["template"]["spec"]["volumes"] if "emptyDir" in each}
    assert alone == {"source", "tmp"}
    assert _container(postgres)["env"][0]["valueFrom"]["secretKeyRef"]["name"] == "previewbot-database"


@pytest.mark.parametrize("name", WORKLOADS)
def test_no_path_of_the_ingress_leads_to_the_metrics(name: str, cluster: Cluster, tmp_path: Path) -> None:
    made = [each for each in things(render(cluster, SETS[name], tmp_path)) if each["kind"] == "Ingress"]
    paths = [path for each in made for path in each["spec"]["rules"][0]["http"]["paths"]]
    assert ("/", "Prefix") not in {(each["path"], each["pathType"]) for each in paths}
    assert not {each["path"] for each in paths} & {"/metrics", "/readyz", "/healthz", "/front-door"}
    assert bool(paths) == (name != "gateway")


def test_the_values_of_the_instructions_are_ones_that_the_chart_takes(cluster: Cluster, tmp_path: Path) -> None:
    shown = re.findall(r"```yaml\n(.*?)```", Path("deploy/kubernetes.md").read_text(), re.DOTALL)
    (values,) = [found for each in shown for found in things(textwrap.dedent(each)) if "image" in found]
    made = things(render(cluster, values, tmp_path))
    assert _container(made)["image"] == "registry.example.com/previewbot:0.1.0"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "two on SQLite": ({"replicas": 2}, "name a Secret with the URL of a PostgreSQL in secrets.database"),
    "a password in the values": ({"config": {**LEAST["config"], "storage": {"database_url": "postgresql://u:p@h/d"}}},
                                 "'database_url' not allowed"),
    "a slip of the pen": ({"persistance": {}}, "'persistance' not allowed"),
    "a Gateway that is not named": ({"gateway": True}, "gateway and config.kubernetes.gateway belong together"),
    "pages for everybody": ({"ingress": {"host": "a.example.com", "pages": True}}, "name its Secret in secrets.pages"),
    "no host": ({"ingress": {"host": ""}}, "/ingress/host"),
    "no image": ({"image": {"repository": ""}}, "/image/repository"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_values_that_cannot_work_are_refused_with_their_place(what: str, cluster: Cluster, tmp_path: Path) -> None:
    values, said = REFUSED[what]
    with pytest.raises(AssertionError) as refused:
        render(cluster, {**LEAST, **values}, tmp_path)
    assert said in str(refused.value)


@pytest.mark.parametrize("name", SETS)
def test_there_is_no_secret_in_it(name: str, cluster: Cluster, tmp_path: Path) -> None:
    assert not [each for each in things(render(cluster, SETS[name], tmp_path)) if each["kind"] == "Secret"]


def _container(made: Sequence[Thing]) -> Thing:
    (container,) = one(made, "Deployment")["spec"]["template"]["spec"]["containers"]
    return cast("Thing", container)


def _paths(settings: BaseModel) -> list[Path]:
    """Every path in the configuration, at any depth."""
    found = []
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            found += _paths(value)
        found += [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, Path)]
    return found
