"""One request: verified TLS, no redirects, bounded in time and octets."""

import http.client
import json
import re
import socket
import ssl
import sys
import threading
import time
import urllib.parse
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Dict, Mapping, Optional, Tuple, Type, Union

from .errors import AdminError, Secret

RESPONSE_TIMEOUT = 30.0
RESPONSE_BYTES_MAX = 64 * 1024 * 1024
_PIECE = 65536
_PASSING_STATUSES = (429, 502, 503, 504)
_JSON = "application/json"


def printable(text: str) -> str:
    """On one line, without what acts on a terminal, of a length that a person reads."""
    return "".join(c if c.isprintable() else " " for c in text[:500])


def read_retry_after(field: Optional[str]) -> Optional[float]:
    if field is None or len(field) > 40:
        return None
    if re.fullmatch(r"[0-9]{1,15}", field):
        return float(field)
    try:
        return max(0.0, parsedate_to_datetime(field).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None


class Place:
    """Where the API is, and who asks."""

    def __init__(self, server: Optional[str], unix_socket: Optional[str], ca: Optional[str]) -> None:
        self.socket_path = unix_socket
        self.host = "localhost"
        self.port = 80
        self.context: Optional[ssl.SSLContext] = None
        if unix_socket is not None:
            self.name = unix_socket
            return
        self.host, self.port, is_tls = _origin_of(server or "")
        shown = f"[{self.host}]" if ":" in self.host else self.host
        self.name = f"{'https' if is_tls else 'http'}://{shown}:{self.port}"
        if is_tls:
            self.context = _context_of(ca)


def _context_of(ca: Optional[str]) -> ssl.SSLContext:
    """Not ssl.create_default_context, which writes keys of the connection into the file that SSLKEYLOGFILE names."""
    # It verifies certificate and name.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if sys.version_info >= (3, 13):
        # As that function sets them.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    if ca is None:
        # What this machine trusts. No variable of the environment is looked at for a given one.
        context.load_default_certs()
    else:
        context.load_verify_locations(cadata=ca)
    return context


def _origin_of(server: str) -> Tuple[str, int, bool]:
    wrong = AdminError(
        "config_invalid",
        "server must be https://host:port, or http:// with a loopback address, and nothing behind it",
    )
    if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+/?", server):
        raise wrong
    try:
        parts = urllib.parse.urlsplit(server)
        port = parts.port
    except ValueError:
        raise wrong from None
    is_tls = parts.scheme == "https"
    host = parts.hostname or ""
    if host == "" or (not is_tls and host not in ("127.0.0.1", "::1")):
        raise wrong
    return host, port or (443 if is_tls else 80), is_tls


class _Exchange:
    """A connection with one request on it. A watch ends what takes too long, wherever it waits."""

    def __init__(self, place: Place, operation: str, deadline: float) -> None:
        self._place = place
        self._operation = operation
        self.connection = http.client.HTTPConnection(place.host, place.port)
        self._socket: Optional[socket.socket] = None
        self.is_late = False
        self._timer = threading.Timer(max(0.0, deadline - time.monotonic()), self._expire)
        self._timer.daemon = True
        self._timer.start()
        self._deadline = deadline

    def _expire(self) -> None:
        self.is_late = True
        self.shut()

    def shut(self) -> None:
        """Ends what waits for it, from whichever thread."""
        held = self._socket
        if held is None:
            return
        try:
            # Not that of SSLSocket, which would take away what another thread reads from.
            socket.socket.shutdown(held, socket.SHUT_RDWR)
        except OSError:
            pass

    def calm(self) -> None:
        """What goes on from here has other bounds."""
        self._timer.cancel()

    def open(self) -> None:
        place = self._place
        left = max(0.001, self._deadline - time.monotonic())
        if place.socket_path is not None:
            raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            raw.settimeout(left)
            raw.connect(place.socket_path)
        else:
            raw = socket.create_connection((place.host, place.port), timeout=left)
        self._socket = raw
        if place.context is not None:
            wrapped = place.context.wrap_socket(
                raw, server_hostname=place.host, do_handshake_on_connect=False
            )
            self._socket = wrapped
            wrapped.do_handshake()
        self.connection.sock = self._socket
        if self.is_late:
            raise TimeoutError

    def set_timeout(self, seconds: float) -> None:
        # From 3.13 on one whose response was whole with the last piece is closed.
        if self._socket is not None and self._socket.fileno() != -1:
            self._socket.settimeout(max(0.001, seconds))

    def close(self) -> None:
        self._timer.cancel()
        self.connection.close()
        if self._socket is not None:
            self._socket.close()


class Response:
    """Of a request whose head has come. Close it."""

    def __init__(self, exchange: _Exchange, response: http.client.HTTPResponse) -> None:
        self._exchange = exchange
        self._response = response
        self.status = response.status

    def field(self, name: str) -> Optional[str]:
        return self._response.headers.get(name)

    @property
    def media_type(self) -> Optional[str]:
        field = self.field("content-type")
        return None if field is None else field.split(";", 1)[0].strip().lower()

    def piece(self, timeout: float) -> bytes:
        """What comes next; nothing at the end. Raises OSError, http.client.HTTPException."""
        self._exchange.set_timeout(timeout)
        octets = self._response.read1(_PIECE)
        if not octets and self._exchange.is_late:
            # It was ended here, and is whole no more than one that was cut.
            raise TimeoutError
        # read1 does not tell a body that ends too soon.
        if not octets and self._response.length not in (None, 0):
            raise http.client.IncompleteRead(b"")
        return octets

    def calm(self) -> None:
        self._exchange.calm()

    def shut(self) -> None:
        self._exchange.shut()

    def close(self) -> None:
        self._exchange.close()

    def __enter__(self) -> "Response":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


class Connection:
    """Asks once; nothing is tried again here."""

    def __init__(self, place: Place, token: Optional[Secret]) -> None:
        self.place = place
        self.token = token

    def ask(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        deadline: float,
        accept: str = _JSON,
        body: Optional[Mapping[str, Any]] = None,
        fields: Optional[Mapping[str, str]] = None,
    ) -> Any:
        """The value of a success: JSON, or text where that was asked for."""
        until = min(deadline, time.monotonic() + RESPONSE_TIMEOUT)
        exchange = _Exchange(self.place, operation, until)
        try:
            with self._begin(exchange, method, path, accept, body, fields or {}) as response:
                text = self._text(response, operation, until)
                if response.status >= 300:
                    raise self.refusal(operation, response, text)
                if response.media_type not in (None, accept):
                    raise self.strange(operation)
                return text if accept != _JSON else self._json(operation, text)
        except (OSError, http.client.HTTPException) as error:
            raise self.fault(operation, error, exchange.is_late) from None
        finally:
            exchange.close()

    def follow(
        self,
        operation: str,
        path: str,
        *,
        deadline: float,
        method: str = "GET",
        body: Optional[Mapping[str, Any]] = None,
    ) -> Response:
        until = min(deadline, time.monotonic() + RESPONSE_TIMEOUT)
        exchange = _Exchange(self.place, operation, until)
        try:
            response = self._begin(exchange, method, path, "text/event-stream", body, {})
            if response.status != 200:
                raise self.refusal(operation, response, self._text(response, operation, until))
            if response.media_type != "text/event-stream":
                raise self.strange(operation)
            response.calm()
            return response
        except (OSError, http.client.HTTPException) as error:
            exchange.close()
            raise self.fault(operation, error, exchange.is_late) from None
        except BaseException:
            exchange.close()
            raise

    def _begin(
        self,
        exchange: _Exchange,
        method: str,
        path: str,
        accept: str,
        body: Optional[Mapping[str, Any]],
        fields: Mapping[str, str],
    ) -> Response:
        headers: Dict[str, str] = {"Accept": accept, **fields}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token.reveal()}"
        octets: Optional[bytes] = None
        if body is not None:
            octets = json.dumps(body).encode()
            headers["Content-Type"] = _JSON
        exchange.open()
        exchange.connection.request(method, path, body=octets, headers=headers)
        return Response(exchange, exchange.connection.getresponse())

    def _text(self, response: Response, operation: str, until: float) -> str:
        pieces = []
        size = 0
        while True:
            octets = response.piece(until - time.monotonic())
            if not octets:
                break
            size += len(octets)
            if size > RESPONSE_BYTES_MAX:
                raise self.error(
                    operation, f"its response is longer than {RESPONSE_BYTES_MAX} bytes"
                )
            pieces.append(octets)
        return b"".join(pieces).decode("utf-8", "replace")

    def _json(self, operation: str, text: str) -> Any:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise self.strange(operation) from None

    def refusal(self, operation: str, response: Response, text: str) -> AdminError:
        status = response.status
        after = read_retry_after(response.field("retry-after"))
        passing = status in _PASSING_STATUSES
        if 300 <= status < 400:
            return self.error(operation, "it redirects, and no redirect is followed", status=status)
        try:
            problem = json.loads(text)
        except (ValueError, RecursionError):
            problem = None
        problem = problem if isinstance(problem, dict) else {}
        code, detail, trace = problem.get("code"), problem.get("detail"), problem.get("trace_id")
        if (
            not isinstance(code, str)
            or not re.fullmatch(r"[a-z][a-z0-9_]{0,59}", code)
            or not isinstance(detail, str)
        ):
            return self.error(
                operation,
                f"it responds with status {status}",
                status=status,
                is_passing=passing,
                retry_after=after,
            )
        return AdminError(
            code,
            printable(detail),
            server=self.place.name,
            operation=operation,
            status=status,
            retry_after=after,
            trace_id=trace if isinstance(trace, str) and re.fullmatch(r"[0-9a-f]{32}", trace) else None,
            is_passing=passing,
        )

    def strange(self, operation: str) -> AdminError:
        return self.error(operation, "what responds there is no admin API that this program knows")

    def fault(
        self, operation: str, error: Union[OSError, http.client.HTTPException], is_late: bool
    ) -> AdminError:
        if is_late or isinstance(error, (socket.timeout, TimeoutError)):
            return self.error(operation, "no response in time", is_passing=True)
        if isinstance(error, ssl.SSLError):
            # A certificate that does not verify stays so. One that broke off may not.
            is_cut = isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError))
            return self.error(operation, printable(str(error.reason or error)), is_passing=is_cut)
        passing = isinstance(
            error,
            (ConnectionError, http.client.IncompleteRead, http.client.RemoteDisconnected, socket.gaierror),
        ) or (isinstance(error, OSError) and error.errno in (101, 110, 113))
        return self.error(operation, printable(str(error) or type(error).__name__), is_passing=passing)

    def error(
        self,
        operation: str,
        why: str,
        *,
        status: Optional[int] = None,
        is_passing: bool = False,
        retry_after: Optional[float] = None,
    ) -> AdminError:
        return AdminError(
            "admin_unreachable",
            f"{self.place.name}: {why}",
            server=self.place.name,
            operation=operation,
            status=status,
            is_passing=is_passing,
            retry_after=retry_after,
        )
