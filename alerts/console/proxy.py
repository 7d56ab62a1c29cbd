"""Where a request comes from, and who a trusted reverse proxy says that it is from.

Headers count only in a connection that comes from a trusted address. From elsewhere a request that bears the header of
a user is refused, whatever else it bears: somebody tries, or the proxy is not in the settings.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from aiohttp import web

from alerts.console.config import ProxyConfig
from alerts.console.identity import ROLES, Role
from alerts.console.refused import Refused
from schemas.ids import MAX_ID_LENGTH

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

NOWHERE: Final = "unknown"


def best_role(values: list[str], roles: dict[str, Role], default: Role | None) -> Role | None:
    """Return the highest role that these values stand for; `default` when none does."""
    found = [roles[each] for each in values if each in roles]
    return max(found, key=ROLES.index) if found else default


def person_name(text: str) -> str | None:
    """Return a name that another system gives; None when it cannot be the name of an actor."""
    name = text.strip()
    return name if 0 < len(name) <= MAX_ID_LENGTH and name.isprintable() else None


class Proxy:
    """Reads addresses and users. Without a configuration the address is that of the connection and nobody is named."""

    def __init__(self, config: ProxyConfig | None) -> None:
        self._config = config

    def client(self, request: web.Request) -> str:
        """Return the address of whoever asks: the last one in the header that is no trusted proxy's."""
        peer = _peer(request)
        if self._config is None or not self._is_trusted(peer):
            return str(peer) if peer else NOWHERE
        named = ",".join(request.headers.getall(self._config.address_header, [])).split(",")
        client = peer
        for each in reversed(named):
            address = _address(each.strip())
            if address is None:
                break
            client = address
            if not self._is_trusted(address):
                break
        return str(client)

    def person(self, request: web.Request) -> tuple[str, Role] | None:
        """Return who asks by the word of the proxy; None when no proxy says so. Raises Refused (403)."""
        config = self._config
        if config is None:
            return None
        headers = [config.user_header, *([config.role_header] if config.role_header else [])]
        given = {each: request.headers.getall(each, []) for each in headers}
        if not any(given.values()):
            return None
        if not self._is_trusted(_peer(request)):
            raise Refused(403, "proxy_not_trusted", "Only a trusted proxy may say who asks.")
        if any(len(values) > 1 for values in given.values()):
            raise Refused(403, "proxy_header", "The proxy names more than one user.")
        # aiohttp keeps bytes that are no UTF-8 as surrogates, which no name may hold.
        name = person_name("".join(given[config.user_header]))
        if name is None:
            return None
        said = "".join(given[config.role_header]) if config.role_header else ""
        role = best_role([each.strip() for each in said.split(",")], dict(config.roles), config.default_role)
        if role is None:
            raise Refused(403, "no_role", "This user has no role here.")
        return name, role

    def _is_trusted(self, address: Address | None) -> bool:
        trusted = self._config.trusted if self._config else ()
        return address is not None and any(address.version == each.version and address in each for each in trusted)


def _peer(request: web.Request) -> Address | None:
    name = request.transport.get_extra_info("peername") if request.transport else None
    return _address(str(name[0])) if isinstance(name, tuple) else None


def _address(text: str) -> Address | None:
    """Return an address as it is written in a header: perhaps with a port, in brackets, or IPv4 within IPv6."""
    host = text
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
