"""The chart's values beside the settings of previewbot: none is forgotten."""

from __future__ import annotations

import json

from pydantic import BaseModel

from previewbot.settings import Settings
from tests.deploy.chart import CHART

CHART_SAYS = {
    "instance", "runtime", "docker", "caddy",
    "github.private_key_file", "github.webhook_secret_files",
    "server.host", "server.port", "server.pages_token_file",
    "storage.folder", "storage.database_url",
    "previews.domain", "kubernetes.kubeconfig", "kubernetes.context",
    "kubernetes.tls_certificate_file", "kubernetes.tls_key_file",
    "buildkit.tls_ca_file", "buildkit.tls_certificate_file", "buildkit.tls_key_file", "buildkit.buildctl",
    "registry.username", "registry.password_file", "registry.docker_config_file", "registry.pull_secret_file",
    "registry.ca_file", "registry.plain_http", "secrets.key_file",
}  # fmt: skip
"""Settings that are no values: the chart knows them itself, or a pod has no use for them."""


def test_every_setting_is_a_value_or_said_by_the_chart() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    sections = schema["properties"]["config"]["properties"]
    values = {f"{section}.{name}" for section, shape in sections.items() for name in shape.get("properties", ())}
    values |= {section for section, shape in sections.items() if "properties" not in shape}
    known = set()
    for section, field in Settings.model_fields.items():
        of = field.annotation
        is_section = isinstance(of, type) and issubclass(of, BaseModel) and section not in CHART_SAYS
        known |= {f"{section}.{name}" for name in of.model_fields} if is_section else {section}  # type: ignore[union-attr]
    assert values | CHART_SAYS == known
    assert not values & CHART_SAYS
