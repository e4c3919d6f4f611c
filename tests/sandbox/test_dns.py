"""The sandbox's DNS server as any client sees it, over UDP and TCP."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from rotator.sandbox.dns.server import DnsServer, serve
from rotator.sandbox.errors import SandboxPortTaken
from rotator.sandbox.interface import Answer


def lookup(name: str, kind: str) -> tuple[Answer, ...]:
    if name == "broken.internal":
        raise RuntimeError("the caller's fault")
    if name == "many.internal" and kind == "A":
        return tuple(Answer(name, "A", f"127.0.1.{last}", 5) for last in range(60))
    if name == "db.internal":
        cname = Answer(name, "CNAME", "blue.rds", 60)
        return (cname,) if kind == "CNAME" else (cname, Answer("blue.rds", "A", "127.1.2.3", 5))
    if name == "blue.rds" and kind == "A":
        return (Answer(name, "A", "127.1.2.3", 5),)
    if name == "note.internal" and kind == "TXT":
        return (Answer(name, "TXT", "v=1", 5),)
    return ()


@pytest.fixture
def server() -> Iterator[DnsServer]:
    running = serve("127.0.0.1", 0, lookup)
    yield running
    running.close()


def ask(server: DnsServer, name: str, kind: str = "A") -> dns.message.Message:
    return dns.query.udp(dns.message.make_query(name, kind), "127.0.0.1", port=server.port, timeout=3)


@pytest.mark.parametrize("transport", [dns.query.udp, dns.query.tcp])
def test_the_chain_is_in_one_answer_with_its_ttls(server: DnsServer, transport: object) -> None:
    assert callable(transport)
    reply = transport(dns.message.make_query("DB.internal", "A"), "127.0.0.1", port=server.port, timeout=3)
    assert [rrset.to_text() for rrset in reply.answer] == [
        "DB.internal. 60 IN CNAME blue.rds.",
        "blue.rds. 5 IN A 127.1.2.3",
    ]
    assert reply.flags & dns.flags.AA
    assert not reply.flags & dns.flags.RA


def test_a_question_for_the_cname_gets_only_the_cname(server: DnsServer) -> None:
    assert [rrset.to_text() for rrset in ask(server, "db.internal", "CNAME").answer] == [
        "db.internal. 60 IN CNAME blue.rds."
    ]


def test_nxdomain_is_told_from_no_data(server: DnsServer) -> None:
    assert ask(server, "nobody.internal").rcode() == dns.rcode.NXDOMAIN
    nodata = ask(server, "note.internal")
    assert (nodata.rcode(), nodata.answer) == (dns.rcode.NOERROR, [])


def test_a_long_answer_goes_over_tcp(server: DnsServer) -> None:
    query = dns.message.make_query("many.internal", "A")
    reply, over_tcp = dns.query.udp_with_fallback(query, "127.0.0.1", port=server.port, timeout=3)
    assert over_tcp
    assert len(reply.answer[0]) == 60


def test_a_failing_lookup_is_servfail_and_not_silence(server: DnsServer) -> None:
    assert ask(server, "broken.internal").rcode() == dns.rcode.SERVFAIL
    assert ask(server, "blue.rds").rcode() == dns.rcode.NOERROR


def test_rubbish_does_not_stop_it(server: DnsServer) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"\x00\x01rubbish", ("127.0.0.1", server.port))
    assert ask(server, "blue.rds").rcode() == dns.rcode.NOERROR


def test_a_taken_port_is_one_clear_error(server: DnsServer) -> None:
    with pytest.raises(SandboxPortTaken, match=str(server.port)):
        serve("127.0.0.1", server.port, lookup)


def test_after_close_the_port_is_free() -> None:
    first = serve("127.0.0.1", 0, lookup)
    first.close()
    first.close()
    second = serve("127.0.0.1", first.port, lookup)
    assert ask(second, "blue.rds").rcode() == dns.rcode.NOERROR
    second.close()
