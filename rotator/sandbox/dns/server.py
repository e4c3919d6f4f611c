"""A real DNS server (UDP and TCP) that answers with the present data of the sandbox's Route 53 and RDS.

Authoritative for all names, never queries other servers. Every answer carries the record's own TTL, so that a
client that honours it (the write canary does) sees a flip as late as it would in production.
"""

from __future__ import annotations

import logging
import socket
import socketserver
import struct
import threading
from typing import cast

from dnslib import AAAA, CNAME, NS, QTYPE, RCODE, RR, TXT, A, DNSError, DNSRecord

from rotator.sandbox.errors import SandboxPortTaken
from rotator.sandbox.interface import Answer, Lookup

LOG = logging.getLogger(__name__)
UDP_SIZE = 512  # a longer answer is sent truncated, and the client asks again over TCP (RFC 1035)
PORT_ATTEMPTS = 16
OTHER_KINDS = ("A", "AAAA", "CNAME", "TXT", "NS")
TCP_IDLE_SECONDS = 10.0


class DnsServer:
    """A running server; `port` is the one it really listens on."""

    def __init__(self, udp: socketserver.BaseServer, tcp: socketserver.BaseServer, port: int) -> None:
        self.port = port
        self._servers = (udp, tcp)
        self._threads = tuple(
            threading.Thread(target=server.serve_forever, args=(0.05,), name=f"dns-{kind}", daemon=True)
            for server, kind in zip(self._servers, ("udp", "tcp"), strict=True)
        )
        self._open = True
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop listening and wait for the listeners' end; idempotent."""
        if not self._open:
            return
        self._open = False
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()


def serve(host: str, port: int, lookup: Lookup) -> DnsServer:
    """Listen on `host`:`port` (0: any port that is free for both UDP and TCP). Raises SandboxPortTaken."""
    problem: OSError | None = None
    for _ in range(PORT_ATTEMPTS if port == 0 else 1):
        udp: socketserver.BaseServer | None = None
        try:
            udp = _UdpServer((host, port), lookup)
            number = cast("tuple[str, int]", udp.server_address)[1]
            return DnsServer(udp, _TcpServer((host, number), lookup), number)
        except OSError as error:
            problem = error
            if udp is not None:
                udp.server_close()
    raise SandboxPortTaken(
        f"the DNS server cannot listen on {host}:{port}",
        why=str(problem),
        fix="remove dns.resolver from rotation.toml (a free port is then chosen), or stop the program there",
    )


def respond(request: bytes, lookup: Lookup, *, limit: int | None) -> bytes:
    """The answer to one message, in wire format; longer than `limit` bytes it is truncated. Raises DNSError."""
    query = DNSRecord.parse(request)
    reply = query.reply(aa=1, ra=0)
    try:
        _fill(reply, str(query.q.qname), QTYPE.get(query.q.qtype), lookup)
    except Exception:  # the lookup is the caller's: whatever it does, a resolver must get an answer
        LOG.exception("DNS lookup failed")
        reply = query.reply(aa=1, ra=0)
        reply.header.rcode = RCODE.SERVFAIL
    packed: bytes = reply.pack()
    return packed if limit is None or len(packed) <= limit else cast(bytes, reply.truncate().pack())


def _fill(reply: DNSRecord, question: str, kind: str, lookup: Lookup) -> None:
    name = question.rstrip(".").lower()
    answers = lookup(name, kind)
    for answer in answers:
        # the owner is spelled as the client spelled it: some compare it byte by byte (RFC draft dns0x20)
        reply.add_answer(_record(question if answer.name.lower() == name else answer.name, answer))
    if not answers and not any(lookup(name, other) for other in OTHER_KINDS if other != kind):
        reply.header.rcode = RCODE.NXDOMAIN


def _record(owner: str, answer: Answer) -> RR:
    data = {"A": A, "AAAA": AAAA, "CNAME": CNAME, "NS": NS, "TXT": TXT}[answer.kind](answer.value)
    return RR(owner, getattr(QTYPE, answer.kind), rdata=data, ttl=answer.ttl)


class _UdpHandler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, reply_socket = self.request
        try:
            answer = respond(data, cast(_UdpServer, self.server).lookup, limit=UDP_SIZE)
        except DNSError as error:
            LOG.warning("unreadable DNS message from %s: %s", self.client_address, error)
            return
        reply_socket.sendto(answer, self.client_address)


class _TcpHandler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        connection: socket.socket = self.request
        connection.settimeout(TCP_IDLE_SECONDS)
        with connection.makefile("rb") as stream:
            try:
                while len(length := stream.read(2)) == 2:
                    answer = respond(
                        stream.read(struct.unpack("!H", length)[0]), cast(_TcpServer, self.server).lookup, limit=None
                    )
                    connection.sendall(struct.pack("!H", len(answer)) + answer)
            except (DNSError, OSError) as error:
                LOG.warning("DNS connection from %s ended: %s", self.client_address, error)


class _UdpServer(socketserver.ThreadingUDPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], lookup: Lookup) -> None:
        self.lookup = lookup
        super().__init__(address, _UdpHandler)


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], lookup: Lookup) -> None:
        self.lookup = lookup
        super().__init__(address, _TcpHandler)
