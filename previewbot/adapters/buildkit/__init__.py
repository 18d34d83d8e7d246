"""Images built by BuildKit and kept in a registry.

``builder`` calls ``buildctl`` with what ``kit`` and ``recipe`` say, ``troubles`` reads what it ends with; ``registry``
asks what is there and deletes (``access`` and ``login`` get in), and ``stock`` with ``names`` knows what of it is ours.
``elsewhere`` looks at images that are not.
Registry mirrors, its certificates and its other trust in registries are BuildKit's own matter: they stand in its
``buildkitd.toml``.
"""

from previewbot.adapters.buildkit.builder import BuildKitBuilder, Limits
from previewbot.adapters.buildkit.elsewhere import Elsewhere
from previewbot.adapters.buildkit.kit import Kit, Tls
from previewbot.adapters.buildkit.login import ConfigFile, LoginSource, Nobody, PasswordFile
from previewbot.adapters.buildkit.names import Names
from previewbot.adapters.buildkit.recipe import Cache
from previewbot.adapters.buildkit.registry import Registry
from previewbot.adapters.buildkit.stock import InUse, Stock

__all__ = [
    "BuildKitBuilder",
    "Cache",
    "ConfigFile",
    "Elsewhere",
    "InUse",
    "Kit",
    "Limits",
    "LoginSource",
    "Names",
    "Nobody",
    "PasswordFile",
    "Registry",
    "Stock",
    "Tls",
]
