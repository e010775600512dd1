"""The certificate that makes the listener for devices speak HTTPS."""

import ssl

from flowmon.errors import FlowmonError


def context(certificate: str, key: str) -> ssl.SSLContext:
    """What HTTPS needs, from PEM files: the certificate with its chain, and its key ("" when in the same file).

    TLS 1.2 is the least. Raises FlowmonError when they cannot be used.
    """
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        made.load_cert_chain(certificate, key or None, password=_no_password)
    except ssl.SSLError as error:
        raise FlowmonError(
            f"the certificate for devices cannot be used ({error.reason or error}): FLOWMON_HTTP_CERTIFICATE and "
            "FLOWMON_HTTP_KEY name a PEM certificate with its chain and its key, without a password"
        ) from None
    except OSError as error:
        raise FlowmonError(
            f"the certificate for devices cannot be read ({error.strerror or error}): correct FLOWMON_HTTP_CERTIFICATE "
            "and FLOWMON_HTTP_KEY"
        ) from None
    return made


def _no_password() -> str:
    """Openssl would ask at a terminal."""
    return ""
