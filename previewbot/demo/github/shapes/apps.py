"""The App, where it is installed, and what was delivered to it."""

from __future__ import annotations

from previewbot.demo.github.rights import reached
from previewbot.demo.github.shapes.accounts import Json, node, time
from previewbot.demo.github.shapes.repositories import Repositories
from previewbot.demo.github.state import App, Attempt, Installation, Token


class Apps(Repositories):
    """Writes what concerns the App as such."""

    def app(self, app: App) -> Json:
        """The App."""
        return {
            "id": app.id,
            "node_id": node("App", app.id),
            "slug": app.slug,
            "client_id": app.client_id,
            "owner": self.account(self.state.account("acme", "Organization")),
            "name": app.slug,
            "description": None,
            "external_url": f"{self.base}/apps/{app.slug}",
            "html_url": f"{self.base}/apps/{app.slug}",
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
            "permissions": app.permissions,
            "events": app.events,
            "installations_count": len(self.state.installations),
        }

    def installation(self, installation: Installation) -> Json:
        """The App in an account."""
        app, owner = self.state.app, self.state.account(installation.owner, "Organization")
        url = f"{self.base}/app/installations/{installation.id}"
        suspended = "2026-01-02T00:00:00Z" if installation.is_suspended else None
        return {
            "id": installation.id,
            "account": self.account(owner),
            "repository_selection": "selected",
            "access_tokens_url": f"{url}/access_tokens",
            "repositories_url": f"{self.base}/installation/repositories",
            "html_url": url,
            "app_id": app.id,
            "app_slug": app.slug,
            "target_id": owner.id,
            "target_type": "Organization",
            "permissions": app.permissions,
            "events": app.events,
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
            "single_file_name": None,
            "suspended_by": self.account(owner) if suspended else None,
            "suspended_at": suspended,
        }

    def installation_reference(self, installation: Installation) -> Json:
        """An installation, as payloads of events name it."""
        return {"id": installation.id, "node_id": node("IntegrationInstallation", installation.id)}

    def token(self, token: Token) -> Json:
        """A token, with all that it opens."""
        only = (
            {}
            if token.repositories is None
            else {"repositories": [self.repository(each) for each in reached(self.state, token)]}
        )
        return {
            "token": token.text,
            "expires_at": time(token.expires_at),
            "permissions": token.permissions,
            "repository_selection": "selected",
            **only,
        }

    def attempt(self, attempt: Attempt) -> Json:
        """One attempt to deliver, as the list of deliveries shows it."""
        return {
            "id": attempt.id,
            "guid": attempt.guid,
            "delivered_at": time(attempt.delivered_at),
            "redelivery": attempt.redelivery,
            "duration": round(attempt.seconds, 2),
            "status": "OK" if 200 <= attempt.status_code < 300 else "Invalid HTTP Response",  # noqa: PLR2004
            "status_code": attempt.status_code,
            "event": attempt.event,
            "action": attempt.action,
            "installation_id": attempt.about("installation"),
            "repository_id": attempt.about("repository"),
            "throttled_at": None,
        }
