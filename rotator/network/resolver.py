"""DNS as a client of the database sees it; implements rotator.network.interface.Resolver with dnspython.

Nothing is cached: what is asked for is how things are now.
"""

from __future__ import annotations

from dataclasses import dataclass

import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver

from rotator.domain.errors import DatabaseUnreachable, UsageError
from rotator.network.interface import CnameAnswer
from rotator.network.watch import NameWatch

DEFAULT_PORT = 53


@dataclass(frozen=True)
class Link:
    """One record: owner and value without trailing dots, in lower case; `kind` CNAME, A or AAAA; `ttl` in seconds."""

    owner: str
    kind: str
    value: str
    ttl: int


class ClientResolver:
    """Asks one name server ('HOST:PORT', host an IP address), or the system's own when none is given.

    `timeout` in seconds bounds a whole question, retries included. Raises UsageError for a malformed name server and
    DatabaseUnreachable when no server answers.
    """

    def __init__(self, nameserver: str | None = None, timeout: float = 5.0) -> None:
        self._timeout = timeout
        self._nameserver = nameserver
        self._resolver = _system() if nameserver is None else _at(nameserver)

    def cname(self, name: str) -> str | None:
        """Target of the CNAME at `name`, without trailing dot; None when there is none."""
        found = self.answer(name)
        return found.target if found is not None else None

    def answer(self, name: str) -> CnameAnswer | None:
        """The CNAME at `name` with the time to live that the server gives it; None when there is none."""
        answer = self._ask(name, dns.rdatatype.CNAME)
        if answer is None or answer.rrset is None:
            return None
        return CnameAnswer(_plain(answer.rrset[0].target), answer.rrset.ttl)

    def watch(self, name: str, target: str) -> NameWatch:
        """Begin to look for the moment at which the CNAME at `name` becomes `target`."""
        return NameWatch(lambda: self.cname(name) == target)

    def addresses(self, name: str) -> tuple[str, ...]:
        """IPv4, then IPv6 addresses that `name` leads to, following CNAMEs; empty when there are none."""
        return tuple(link.value for link in self.links(name) if link.kind != "CNAME")

    def links(self, name: str) -> tuple[Link, ...]:
        """All records on the way from `name` to its addresses, each once, each with its own TTL."""
        found: dict[Link, None] = {}
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            answer = self._ask(name, kind)
            if answer is not None and answer.rrset is not None:
                for rrset in (*answer.chaining_result.cnames, answer.rrset):
                    owner, of_kind = _plain(rrset.name), dns.rdatatype.to_text(rrset.rdtype)
                    found.update((Link(owner, of_kind, _plain(record), rrset.ttl), None) for record in rrset)
        return tuple(sorted(found, key=lambda link: link.kind != "CNAME"))

    def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> dns.resolver.Answer | None:
        try:
            return self._resolver.resolve(
                dns.name.from_text(name), kind, lifetime=self._timeout, raise_on_no_answer=False, search=False
            )
        except dns.resolver.NXDOMAIN:
            return None
        except (dns.resolver.NoNameservers, dns.exception.Timeout) as error:
            where = self._nameserver or "the system's name servers"
            raise DatabaseUnreachable(
                f"cannot resolve {name}: no answer from {where}",
                why=str(error),
                fix="check dns.resolver in rotation.toml, and that the name server can be reached from here",
            ) from error
        except dns.exception.DNSException as error:
            raise UsageError(f"{name!r} is not a DNS name that can be asked for", why=str(error)) from error


def _plain(name: object) -> str:
    return str(name).rstrip(".").lower()


def _system() -> dns.resolver.Resolver:
    try:
        return dns.resolver.Resolver()
    except dns.resolver.NoResolverConfiguration as error:
        raise UsageError(
            "this system has no DNS resolver",
            why=str(error),
            fix="set dns.resolver in rotation.toml to HOST:PORT of a name server",
        ) from error


def _at(nameserver: str) -> dns.resolver.Resolver:
    host, port = parse_host_port(nameserver)
    resolver = dns.resolver.Resolver(configure=False)
    try:
        resolver.nameservers = [host]
    except ValueError as error:
        raise _malformed(nameserver, "the host must be an IP address") from error
    resolver.port = port
    return resolver


def parse_host_port(text: str) -> tuple[str, int]:
    """'127.0.0.1:5353', '[::1]:5353', '10.0.0.2' -> (host, port; 53 when absent). Raises UsageError."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise _malformed(text, "the bracket is not closed, or something other than :PORT follows it")
        port = rest[1:] or str(DEFAULT_PORT)
    elif text.count(":") > 1:
        host, port = text, str(DEFAULT_PORT)  # a bare IPv6 address
    else:
        host, colon, number = text.partition(":")
        port = number if colon else str(DEFAULT_PORT)
    if not host:
        raise _malformed(text, "the host is missing")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise _malformed(text, f"{port!r} is not a port between 1 and 65535")
    return host, int(port)


def _malformed(text: str, why: str) -> UsageError:
    return UsageError(f"{text!r} is not HOST:PORT of a name server", why=why, fix="for example: 10.0.0.2:53")
