"""Why a broker cannot be used, in words that say what to do. Pure."""

import socket
import ssl

#: MQTT 5 reason codes of CONNACK, SUBACK and DISCONNECT (3.1.1 codes are translated to these by the client).
UNSUPPORTED_PROTOCOL = 0x84
_TAKEN_OVER = 0x8E


def unreachable(error: OSError, host: str, port: int, *, tls: bool) -> str:
    """No connection could be made."""
    place = f"{host}:{port}"
    match error:
        case ssl.SSLError() | ConnectionResetError() if tls:
            return (
                f"TLS with {place} failed ({error}): use mqtt:// if it speaks no TLS, the name in its "
                "certificate as host, and SSL_CERT_FILE for the certificate of your own authority"
            )
        case socket.gaierror():
            return f"no host is called {host!r}: correct FLOWMON_MQTT"
        case ConnectionRefusedError():
            return f"no MQTT broker listens at {place}: start it, or correct FLOWMON_MQTT"
        case TimeoutError():
            return f"{place} does not answer: check the address in FLOWMON_MQTT, the network and the firewall"
        case _:
            return f"{place} cannot be reached ({error.strerror or error}): check the network and FLOWMON_MQTT"


def hangs_up(place: str) -> str:
    """A connection was made and ended before any answer."""
    return f"{place} hangs up: is it an MQTT broker? Correct FLOWMON_MQTT, and write mqtts:// if it speaks TLS there"


def refused(code: int, words: str, *, place: str, username: str, client_id: str) -> str:
    """The broker answered CONNECT with a no."""
    match code:
        case 0x86 | 0x87 if not username:
            return (
                f"the broker at {place} wants a user and a password ({words}): set FLOWMON_MQTT_USERNAME and "
                "FLOWMON_MQTT_PASSWORD"
            )
        case 0x86 | 0x87:
            return (
                f"the broker at {place} refuses user {username!r} ({words}): correct FLOWMON_MQTT_USERNAME and "
                "FLOWMON_MQTT_PASSWORD, or create that user on the broker"
            )
        case 0x85:
            return f"the broker at {place} refuses the client id {client_id!r} ({words}): change FLOWMON_MQTT_CLIENT"
        case _:
            return f"the broker at {place} refuses the connection ({words}): see the broker's log"


def ended(code: int, words: str, *, place: str, client_id: str) -> str:
    """The broker ended a connection that stood."""
    if code == _TAKEN_OVER:
        return twins(place, client_id)
    return f"the broker at {place} ended the connection ({words})"


def twins(place: str, client_id: str) -> str:
    """Connections break as soon as they stand: brokers end the older of two with the same name, some without a word."""
    return (
        f"{place} ends each connection at once: if another gateway is called {client_id!r} too, give each its own "
        "FLOWMON_MQTT_CLIENT; otherwise see the broker's log"
    )


def unsubscribable(topic: str, words: str, *, place: str, username: str) -> str:
    """A subscription was refused."""
    return (
        f"the broker at {place} does not let user {username or 'anonymous'!r} read {topic!r} ({words}): "
        "grant it in the broker's access list"
    )
