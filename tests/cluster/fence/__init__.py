"""What enforces NetworkPolicies in the tests' cluster, as the network plugins of real ones do.

``policies`` says what they allow · ``table`` writes that as a table of nftables · ``world`` keeps up with the API
server · ``__main__`` puts one table in force after the other · ``gate`` is the CNI plugin that holds each new pod back
until its rules are in force. Where anything of it is missing, a pod does not start or is not let through.
"""
