"""A Kubernetes cluster as the place where environments run: a namespace each.

``login`` opens the ``connection``, ``api`` talks over it and ``answers`` says what is refused; ``mirror`` keeps a copy
of what is ours. ``enclosure``, ``handed``, ``workload`` and ``routes`` write manifests, ``room`` says what fits.
``drift``, ``changes`` and ``losses`` see what somebody changed or took away; ``sights``, ``verdicts``, ``words`` and
``endings`` say what the cluster knows. ``runtime`` and ``front_door`` act, with ``homes`` to make namespaces and
``removals`` to take things away. ``tunnel`` leads into a pod of others, such as BuildKit's.
"""

from previewbot.adapters.kubernetes.api import Api
from previewbot.adapters.kubernetes.drawing import draw, draw_fence, draw_routes, place_of
from previewbot.adapters.kubernetes.front_door import KubernetesFrontDoor
from previewbot.adapters.kubernetes.handed import CERTIFICATE
from previewbot.adapters.kubernetes.login import connect
from previewbot.adapters.kubernetes.mirror import Mirror
from previewbot.adapters.kubernetes.names import Names
from previewbot.adapters.kubernetes.options import Gateway, Network, Options, Patience, Routing, Sizes, cpu, memory
from previewbot.adapters.kubernetes.place import Certificate, Handed
from previewbot.adapters.kubernetes.rights import lacking, shortcomings, unknown
from previewbot.adapters.kubernetes.runtime import KubernetesRuntime, watched
from previewbot.adapters.kubernetes.tunnel import Inside, Tunnel

__all__ = [
    "CERTIFICATE",
    "Api",
    "Certificate",
    "Gateway",
    "Handed",
    "Inside",
    "KubernetesFrontDoor",
    "KubernetesRuntime",
    "Mirror",
    "Names",
    "Network",
    "Options",
    "Patience",
    "Routing",
    "Sizes",
    "Tunnel",
    "connect",
    "cpu",
    "draw",
    "draw_fence",
    "draw_routes",
    "lacking",
    "memory",
    "place_of",
    "shortcomings",
    "unknown",
    "watched",
]
