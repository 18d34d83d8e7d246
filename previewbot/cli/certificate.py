"""Whether a certificate is good for previews, as the doctor says it. Pure but for the time that it is given."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509


def judge(chain: str, domain: str, now: datetime) -> tuple[bool, str]:
    """Say whether the first certificate of a chain is good for hosts below a domain now, and what it is."""
    try:
        first = x509.load_pem_x509_certificates(chain.encode())[0]
        names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        hosts = names.get_values_for_type(x509.DNSName)
    except (ValueError, IndexError, x509.ExtensionNotFound):
        return False, "it names no host"
    wanted, end = f"*.{domain}", first.not_valid_after_utc
    if wanted not in hosts:
        return False, f"it is for {', '.join(hosts)}, and previews are {wanted}"
    if not first.not_valid_before_utc <= now < end:
        return False, f"for {wanted}; it holds from {first.not_valid_before_utc:%Y-%m-%d} until {end:%Y-%m-%d}"
    return True, f"for {wanted}, until {end:%Y-%m-%d}"
