"""A real one-node Kubernetes for development, tests and CI, made from package registries alone; no image is pulled.

Everything runs in a *box*: Linux namespaces of its own for processes, mounts and network. The machine outside sees one
network interface, one folder and two ports on its loopback, and taking the cluster down is killing the box's first
process: the kernel then ends every other one and takes every mount, interface and firewall rule with it.

``tools`` builds the programs · ``box`` holds them · ``trust``, ``parts`` and ``images`` say with what they run ·
``fence`` enforces NetworkPolicies · ``lifecycle`` brings all of it up and takes it down · ``state`` is what a developer
or a test is told.
"""
