"""Deployments and their statuses."""

from __future__ import annotations

from previewbot.demo.github.shapes.accounts import Accounts, Json, node, time
from previewbot.demo.github.state import Deployment, DeploymentStatus, Repository


class Deployments(Accounts):
    """Writes deployments."""

    def deployment(self, repository: Repository, deployment: Deployment) -> Json:
        """A deployment."""
        url = f"{self.base}/repos/{repository.full_name}/deployments/{deployment.id}"
        return {
            "url": url,
            "id": deployment.id,
            "node_id": node("Deployment", deployment.id),
            "sha": deployment.sha,
            "ref": deployment.ref,
            "task": "deploy",
            "payload": deployment.payload,
            "original_environment": deployment.environment,
            "environment": deployment.environment,
            "description": None,
            "creator": self.by(self.state.app.bot),
            "created_at": time(deployment.created_at),
            "updated_at": time(deployment.created_at),
            "statuses_url": f"{url}/statuses",
            "repository_url": f"{self.base}/repos/{repository.full_name}",
            "transient_environment": True,
            "production_environment": False,
            "performed_via_github_app": None,
        }

    def status(self, repository: Repository, deployment: Deployment, status: DeploymentStatus) -> Json:
        """A deployment's status."""
        url = f"{self.base}/repos/{repository.full_name}/deployments/{deployment.id}"
        return {
            "url": f"{url}/statuses/{status.id}",
            "id": status.id,
            "node_id": node("DeploymentStatus", status.id),
            "state": status.state,
            "creator": self.by(self.state.app.bot),
            "description": "",
            "environment": deployment.environment,
            "target_url": status.log_url,
            "created_at": time(status.created_at),
            "updated_at": time(status.created_at),
            "deployment_url": url,
            "repository_url": f"{self.base}/repos/{repository.full_name}",
            "environment_url": status.environment_url,
            "log_url": status.log_url,
        }
