"""A cluster that somebody has already is used as variables tell of it, and what they leave out is said at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from previewbot.demo import ground, sample
from previewbot.demo.given import build_base, given, is_plain
from previewbot.demo.machine import MachineError
from tests.cluster.state import Cluster, reuse

VARIABLES = {
    "PREVIEWBOT_TEST_REGISTRY": "registry.example.com",
    "PREVIEWBOT_TEST_BUILDKIT": "tcp://127.0.0.1:1234",
    "PREVIEWBOT_TEST_INGRESS": "localhost:8080",
}


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    file = tmp_path / "config"
    file.write_text("{}")
    return file


def test_variables_tell_what_a_kubeconfig_does_not(kubeconfig: Path) -> None:
    found = given(kubeconfig, VARIABLES | {"PREVIEWBOT_TEST_INGRESS_CLASS": "nginx"})
    assert (found["ingress"], found["ingress_class"], found["network"]) == ("127.0.0.1:8080", "nginx", "")
    assert not is_plain(found)
    assert is_plain({"registry": "localhost:5000"})


def test_everything_that_is_missing_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(MachineError) as raised:
        given(tmp_path / "nothing", {"PREVIEWBOT_TEST_REGISTRY": ""})
    for each in (str(tmp_path / "nothing"), *VARIABLES):
        assert each in str(raised.value)


@pytest.mark.parametrize("address", ["ingress.example.com:80", "127.0.0.1", "10.0.0.1:80", "127.0.0.1:x"])
def test_an_ingress_elsewhere_is_refused_with_what_leads_there(kubeconfig: Path, address: str) -> None:
    with pytest.raises(MachineError, match="kubectl port-forward"):
        given(kubeconfig, VARIABLES | {"PREVIEWBOT_TEST_INGRESS": address})


def test_every_variable_stands_in_the_instructions(kubeconfig: Path) -> None:
    source = Path("previewbot/demo/given.py").read_text()
    told = Path("CONTRIBUTING.md").read_text()
    for each in set(re.findall(r"PREVIEWBOT_TEST_[A-Z_]+", source)):
        assert f"`{each}`" in told


def test_the_sample_app_starts_from_the_image_that_the_cluster_can_have() -> None:
    images = [text for path, text in sample.files("registry.example.com/base:1").items() if path.endswith("Dockerfile")]
    assert images
    assert all(text.startswith("FROM registry.example.com/base:1\n") for text in images)


@pytest.mark.cluster
def test_the_base_image_is_made_by_buildkit(cluster: Cluster, tmp_path: Path) -> None:
    state = {"registry": cluster.registry, "buildkit": cluster.buildkit, "programs": cluster.programs}
    image = build_base(state)
    (tmp_path / "Dockerfile").write_text(f"FROM {image}\nRUN test -x /bin/busybox && sh -c true\n")
    assert cluster.build(tmp_path, "given/check:1")


@pytest.mark.cluster
async def test_a_cluster_without_a_state_is_used_by_demo_and_tests(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config"
    file.write_text(Path(cluster.kubeconfig).read_text())
    for name, value in (("REGISTRY", cluster.registry), ("BUILDKIT", cluster.buildkit), ("INGRESS", cluster.ingress)):
        monkeypatch.setenv(f"PREVIEWBOT_TEST_{name}", value)
    for program in ("kubectl", "buildctl"):
        monkeypatch.setenv("PATH", str(Path(cluster.programs[program]).parent), prepend=":")
    async with ground.cluster_ground(file) as found:
        assert found.base == f"{cluster.registry}/previewbot/base:1"
        assert f":{found.door}" in cluster.ingress
        assert not any((await found.things("nobody")).values())
    assert reuse(file).kubectl("version")
