"""Where the values of secrets are: a file of previewbot's own, or a service of the cloud."""

from previewbot.adapters.secrets.local import LocalSecrets, make_key, read_key

__all__ = ["LocalSecrets", "make_key", "read_key"]
