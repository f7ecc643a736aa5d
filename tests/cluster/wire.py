"""A server on a real socket that plays a script: one entry a request, in order."""

import contextlib
import datetime
import json
import queue
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Play = Callable[["Wire"], None]


@dataclass
class Wire:
    """The server's end of one connection, with the request that came last."""

    sock: socket.socket
    line: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    kept: bool = True
    stop: threading.Event = field(default_factory=threading.Event)

    def write(self, data: bytes) -> None:
        self.sock.sendall(data)

    def head(self, status: int = 200, **headers: str) -> None:
        lines = [f"HTTP/1.1 {status} X"] + [f"{k.replace('_', '-')}: {v}" for k, v in headers.items()]
        self.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    def chunk(self, data: bytes) -> None:
        self.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def end(self) -> None:
        self.write(b"0\r\n\r\n")

    def reset(self) -> None:
        """Ends the connection with a TCP reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.kept = False

    def hold(self) -> None:
        """Says nothing until the server is closed."""
        self.stop.wait()
        self.kept = False

    def cut(self) -> None:
        """Ends the connection in the ordinary way."""
        self.kept = False


def answer(status: int, body: Any = None, **headers: str) -> Play:
    """A whole answer with Content-Length; a dict goes as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body or {}).encode()

    def play(wire: Wire) -> None:
        wire.head(status, Content_Length=str(len(data)), **headers)
        wire.write(data)

    return play


def early(play: Play) -> Play:
    """Answers before the answer: RFC 9110 §15.2, RFC 8297."""

    def after(wire: Wire) -> None:
        wire.head(102)
        wire.head(103, Link="</a>", Content_Length="7")
        play(wire)

    return after


class Server:
    """Plays `script`; requests beyond its end are held open. `seen` has all request lines, `asked`
    gets each as it comes."""

    def __init__(self, script: list[Play], context: ssl.SSLContext | None = None) -> None:
        self.script = list(script)
        self.seen: list[str] = []
        self.requests: list[Wire] = []
        self.asked: queue.Queue[str] = queue.Queue()
        self.stop = threading.Event()
        self._context = context
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(None)
        self.port = self._listener.getsockname()[1]
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.stop.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(60)

    def _accept(self) -> None:
        while not self.stop.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, raw: socket.socket) -> None:
        sock, reader = raw, None
        try:
            if self._context:
                sock = self._context.wrap_socket(raw, server_side=True)
            self._open.add(sock)
            reader = sock.makefile("rb")
            wire = Wire(sock, stop=self.stop)
            while wire.kept and _read(reader, wire):
                with self._lock:
                    self.seen.append(wire.line)
                    self.requests.append(Wire(sock, wire.line, dict(wire.headers), wire.body))
                    play = self.script.pop(0) if self.script else None
                self.asked.put(wire.line)
                if play is None:
                    self.stop.wait()
                    return
                play(wire)
        except (OSError, ValueError):
            pass
        finally:
            self._open.discard(sock)
            if reader:
                reader.close()
            sock.close()


def _read(reader: Any, wire: Wire) -> bool:
    line = reader.readline()
    if not line:
        return False
    wire.line = line.decode().rsplit(" ", 1)[0]
    wire.headers = {}
    while (text := reader.readline().decode().strip()) != "":
        name, _, value = text.partition(":")
        wire.headers[name.lower()] = value.strip()
    wire.body = reader.read(int(wire.headers.get("content-length", "0")))
    return True


@contextlib.contextmanager
def serving(*script: Play, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(list(script), context)
    try:
        yield server
    finally:
        server.close()


def unknown_certificate() -> ssl.SSLContext:
    """That of a server with a certificate that no one knows."""
    cert, key = certificate()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(cert + key)
        file.flush()
        context.load_cert_chain(file.name)
    return context


@contextlib.contextmanager
def encrypted(*script: Play) -> Iterator[Server]:
    """The same over TLS, with a certificate that no one knows: credentials only go there."""
    with serving(*script, context=unknown_certificate()) as server:
        yield server


def certificate(host: str = "127.0.0.1") -> tuple[bytes, bytes]:
    """A self-signed certificate for loopback and its key, as PEM."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return cert.public_bytes(pem), key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
