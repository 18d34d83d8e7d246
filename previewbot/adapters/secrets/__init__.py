"""Where the values of secrets are: a file of previewbot's own, or a service of the cloud."""

from previewbot.adapters.secrets.local import LocalSecrets, make_key, read_key
from previewbot.adapters.secrets.parameter_store import ParameterSecrets
from previewbot.adapters.secrets.secrets_manager import ManagedSecrets

__all__ = ["LocalSecrets", "ManagedSecrets", "ParameterSecrets", "make_key", "read_key"]
