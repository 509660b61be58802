"""The admin API for orchestrators."""

import http.client
import json
import os
import re
import ssl
import stat
import time
import urllib.parse
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Callable, Dict, Iterator, List, Literal, Mapping, Optional, Sequence, Type, TypeVar, Union, cast

from ._connection import RESPONSE_TIMEOUT, Connection, Place, Response
from ._events import SILENCE, EventItem, EventLines, Events, Gap
from ._retry import CALL_TIMEOUT, retried
from ._shapes import fits
from .errors import AdminError, Secret
from .operations import (
    SHAPES,
    AccessRequest,
    AuditEvent,
    Changes,
    GrantAccessBody,
    IssueSessionTokenBody,
    Operations,
    PublishPolicy,
    PublishPolicyBody,
    RevokeSessionBody,
    RollBackPolicyBody,
    Session,
)

__all__ = ["Admin", "EndedSession", "IssuedToken", "Published", "StartedSession", "open_admin"]

EMPTY_PAGES_MAX = 100
_CURSOR_MAX = 1000
#: How much longer than its caller waits a call may take that a gateway holds back until that time is over (`adminConfirmGraceMs`).
_CONFIRM_GRACE = 1.0
_FILE_MAX = 1024 * 1024

#: Operations that give pages, with the field of the query that takes their cursor.
_CURSORS: Dict[str, Optional[str]] = {
    "sessions": "before",
    "access_requests": "before",
    "exchanges": "before",
    "export_events": "behind",
    "open_exchanges": "after",
    "policy_history": "before",
    "credentials": None,
    "uses": None,
    "grant_uses": None,
    "hours": None,
    "gateways": None,
    "limits": None,
    "tokens": None,
}

T = TypeVar("T")


@dataclass(frozen=True)
class IssuedToken:
    #: Starts one session.
    token: Secret
    #: The claim ``jti`` of its session.
    id: str
    principal: str
    expires: str


@dataclass(frozen=True)
class EndedSession:
    session: Session
    confirmation: Changes


@dataclass(frozen=True)
class Published:
    published: PublishPolicy
    confirmation: Changes


def open_admin(
    *,
    server: Optional[str] = None,
    unix_socket: Optional[str] = None,
    token: Union[str, Secret, None] = None,
    token_file: Optional[str] = None,
    ca: Optional[str] = None,
) -> "Admin":
    """Asks nothing yet. ``ca`` is PEM of the authority that the server's certificate must come from."""
    if (server is None) == (unix_socket is None):
        raise _invalid("give one of server and unix_socket")
    if token is not None and token_file is not None:
        raise _invalid("give one of token and token_file")
    if unix_socket is None and token is None and token_file is None:
        raise _invalid("with which token? Give token or token_file")
    if ca is not None and "-----BEGIN CERTIFICATE-----" not in ca:
        raise _invalid("ca has no certificate in PEM")
    text = token.reveal() if isinstance(token, Secret) else token
    if token_file is not None:
        text = _read_small(token_file)
    try:
        place = Place(server, unix_socket, ca)
    except (ValueError, ssl.SSLError):
        raise _invalid("ca cannot be read") from None
    return Admin(place, None if text is None else _read_token(text), token_file)


def _invalid(why: str) -> AdminError:
    return AdminError("config_invalid", f"open_admin: {why}")


def _read_small(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(_FILE_MAX)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise _invalid(f"{path} cannot be read: {reason}") from None


def _read_token(text: str) -> Secret:
    token = text.strip()
    if re.fullmatch(r"upadm_[A-Za-z0-9_-]{43}", token) is None:
        raise AdminError("config_invalid", "that is no token of the admin API; one begins with upadm_")
    return Secret(token)


class Admin(Operations):
    """Each operation is a method of its name. Calls raise AdminError."""

    def __init__(self, place: Place, token: Optional[Secret], token_file: Optional[str]) -> None:
        self._connection = Connection(place, token)
        self._token_file = token_file
        self._sleep: Callable[[float], None] = time.sleep

    def __repr__(self) -> str:
        return f"<Admin of {self._connection.place.name}>"

    def __enter__(self) -> "Admin":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        return None

    def _call(
        self,
        operation: str,
        method: str,
        path: str,
        shape: Any,
        *,
        id: Optional[str] = None,
        query: Optional[Mapping[str, Any]] = None,
        body: Optional[Mapping[str, Any]] = None,
        timeout: Optional[float] = None,
        idempotency_key: Optional[str] = None,
        if_match: Optional[str] = None,
        is_write: bool = False,
    ) -> Any:
        if "{" in path:
            if not id or id in (".", ".."):
                raise AdminError("usage", f"{operation} needs the id of what it is about", operation=operation)
            path = re.sub(r"\{\w+\}", urllib.parse.quote(id, safe="").replace("\\", "%5C"), path)
        target = _with_query(path, query or {})
        fields: Dict[str, str] = {}
        if is_write:
            # Made once, and kept over the tries of this call.
            fields["Idempotency-Key"] = idempotency_key or str(uuid.uuid4())
        if if_match is not None:
            fields["If-Match"] = if_match
        for name, value in fields.items():
            if re.fullmatch(r"[ -~]+", value) is None:
                raise AdminError("usage", f"{name} takes printable characters of ASCII", operation=operation)
        accept = "text/plain" if operation == "metrics" else "application/json"

        def attempt(deadline: float) -> Any:
            value = self._connection.ask(
                operation, method, target, deadline=deadline, accept=accept, body=body, fields=fields
            )
            if not fits(value, shape, SHAPES):
                raise self._connection.strange(operation)
            return value

        until = time.monotonic() + (CALL_TIMEOUT if timeout is None else timeout)
        return self._with_token(lambda: retried(attempt, until - time.monotonic(), self._sleep))

    def _tell(
        self,
        operation: str,
        method: str,
        path: str,
        shape: Any,
        body: Mapping[str, Any],
        on_progress: Optional[Callable[[Any], None]],
    ) -> Any:
        """How far it is, and the last, which has the result. It belongs to the connection: nothing is tried again."""

        def open_once() -> Response:
            until = time.monotonic() + RESPONSE_TIMEOUT
            return self._connection.follow(operation, path, deadline=until, method=method, body=body)

        lines = EventLines()
        with self._with_token(open_once) as stream:
            while True:
                try:
                    octets = stream.piece(SILENCE)
                    told = [json.loads(data) for data in lines.push(octets)] if octets else []
                except (OSError, http.client.HTTPException) as error:
                    raise self._connection.fault(operation, error, False) from None
                except (ValueError, RecursionError):
                    raise self._connection.strange(operation) from None
                if not octets:
                    raise self._connection.error(operation, "it ended before there was a result")
                for one in told:
                    if not fits(one, shape, SHAPES):
                        raise self._connection.strange(operation)
                    if "result" in one or "report" in one:
                        return one
                    if on_progress is not None:
                        on_progress(one)

    def _with_token(self, act: Callable[[], T]) -> T:
        """A token file may have been renewed."""
        try:
            return act()
        except AdminError as error:
            if error.code != "operator_unknown" or self._token_file is None:
                raise
            known = self._connection.token
            now = _read_token(_read_small(self._token_file))
            if known is not None and now.reveal() == known.reveal():
                raise
            self._connection.token = now
        return act()

    def pages(self, operation: str, **query: Any) -> Iterator[List[Any]]:
        """Pages of a list, such as ``pages("sessions", all="true")``. One is in memory."""
        return self._pages(operation, query, None)

    def _pages(self, operation: str, query: Mapping[str, Any], deadline: Optional[float]) -> Iterator[List[Any]]:
        if operation not in _CURSORS:
            raise AdminError("usage", f"{operation} gives no pages: {', '.join(_CURSORS)} do", operation=operation)
        field = "after" if query.get("after") is not None else _CURSORS[operation]
        ask = getattr(self, operation)
        cursor: Optional[str] = None
        kept: Optional[str] = None
        pages, kept_for, empty = 0, 1, 0
        while True:
            at = {} if cursor is None or field is None else {field: cursor}
            within = {} if deadline is None else {"timeout": _left(deadline)}
            page = ask(**{**query, **at, **within})
            items, following = page["items"], page.get("next")
            if items:
                yield items
            if following is None:
                return
            if following in (cursor, kept):
                raise self._connection.error(operation, "its pages lead back to where they were")
            if len(following) > _CURSOR_MAX:
                raise self._connection.error(operation, "its cursor is longer than any of ours")
            empty = 0 if items else empty + 1
            if empty >= EMPTY_PAGES_MAX:
                raise self._connection.error(operation, f"it leads on over {empty} pages with nothing on them")
            # Each cursor is compared with one that is kept for twice as many pages as the one before (Brent).
            pages += 1
            if pages == kept_for:
                kept, kept_for, pages = following, kept_for * 2, 0
            cursor = following

    def each(self, operation: str, **query: Any) -> Iterator[Any]:
        """The items of all pages."""
        return self._each(operation, query, None)

    def _each(self, operation: str, query: Mapping[str, Any], deadline: Optional[float]) -> Iterator[Any]:
        for items in self._pages(operation, query, deadline):
            yield from items

    def events(self, *, after: Optional[str] = None, **query: Any) -> Events:
        """Follows the audit. Nothing that is stored once it returns is missed without a Gap. Close it."""
        return self._follow(after, query, None)

    def _follow(self, after: Optional[str], query: Mapping[str, Any], deadline: Optional[float]) -> Events:
        def path(cursor: Optional[str]) -> str:
            return _with_query("/v1/exchanges/follow", {**query, "after": cursor})

        # Known from the start, so that a stream that is cut before its first event goes on without a gap.
        begin = after if after is not None else self._newest_id(deadline)

        def open_once(until: float) -> Events:
            return Events(self._connection, path, self._newest_id, begin, self._sleep, until)

        return self._with_token(lambda: retried(open_once, _left(deadline), self._sleep))

    def _newest_id(self, deadline: Optional[float] = None) -> Optional[str]:
        items = self.exchanges(count=1, timeout=_left(deadline))["items"]
        return items[0]["id"] if items else None

    def next_event(
        self,
        *,
        timeout: float,
        after: Optional[str] = None,
        fits: Callable[[AuditEvent], bool] = lambda _: True,
        **query: Any,
    ) -> AuditEvent:
        """The next event that ``fits`` takes. Raises ``timeout``, and ``operation_unknown`` where events are lost."""
        deadline = time.monotonic() + timeout
        late = AdminError("timeout", f"no such event came within {timeout} s", operation="follow")
        with _in_time(deadline, late), self._follow(after, query, deadline) as events:
            while True:
                item = events.next(max(0.0, deadline - time.monotonic()))
                if isinstance(item, Gap):
                    raise AdminError(
                        "operation_unknown",
                        "events are lost, and the one that is waited for may be among them: look at what is now, and wait anew",
                        operation="follow",
                    )
                if isinstance(item, EventItem) and fits(item.event):
                    return item.event

    def confirm(self, *, timeout: float = 30.0) -> Changes:
        """Waits until every gateway has taken what was revoked, granted and published until now."""
        end = time.monotonic() + timeout
        why = f"it is done, and within {timeout} s nobody said which gateways have it"
        late = AdminError("timeout", why, operation="changes")
        while True:
            began = time.monotonic()
            left = max(0.0, end - began)
            wait = min(10, int(left))
            with _in_time(end, late):
                said = self.changes(wait=wait, timeout=min(left + _CONFIRM_GRACE, CALL_TIMEOUT))
            if not said["missing"]:
                return said
            # It gave back sooner than it was asked to wait.
            pause = min(1.0, max(0.0, wait - (time.monotonic() - began)))
            if wait == 0 or time.monotonic() + pause >= end:
                raise AdminError(
                    "timeout",
                    f"it is done, and within {timeout} s not confirmed by {', '.join(said['missing'])}",
                    operation="changes",
                )
            self._sleep(pause)

    def issue_token(
        self,
        subject: str,
        *,
        claims: Optional[Mapping[str, Any]] = None,
        seconds: Optional[int] = None,
        kind: Optional[Literal["session", "proxy"]] = None,
        networks: Optional[Sequence[str]] = None,
    ) -> IssuedToken:
        """A token that starts one session, or with ``kind="proxy"`` one for clients without an agent.

        The gateway must let this role issue them (``admin.sessionTokens``).
        """
        body: IssueSessionTokenBody = {"subject": subject}
        if kind is not None:
            body["kind"] = kind
        if networks is not None:
            body["networks"] = list(networks)
        if claims is not None:
            body["claims"] = dict(claims)
        if seconds is not None:
            body["seconds"] = seconds
        issued = self.issue_session_token(body)
        return IssuedToken(Secret(issued["token"]), issued["id"], issued["principal"], issued["expires"])

    def start_session(
        self,
        subject: str,
        *,
        gateway: str,
        token_file: str,
        gateway_ca_file: Optional[str] = None,
        token_file_in_container: Optional[str] = None,
        claims: Optional[Mapping[str, Any]] = None,
        seconds: Optional[int] = None,
    ) -> "StartedSession":
        """Writes a token to a new file of mode 0600, and says which environment goes with it."""
        if not gateway.startswith("https://"):
            raise AdminError("usage", "gateway must be the https:// address of the gateway")
        # Before the token: what the agent does with it comes behind this event.
        after = self._newest_id()
        issued = self.issue_token(subject, claims=claims, seconds=seconds)
        _write_private(token_file, issued.token.reveal())
        env = {"UPSTREAMPROXY_GATEWAY": gateway, "UPSTREAMPROXY_TOKEN_FILE": token_file_in_container or token_file}
        if gateway_ca_file is not None:
            env["UPSTREAMPROXY_GATEWAY_CA"] = gateway_ca_file
        return StartedSession(self, issued, token_file, env, after)

    def end_session(self, id: str, *, reason: Optional[str] = None, timeout: float = 30.0) -> EndedSession:
        """Ends a session and waits until every gateway has confirmed it. One that is over already is no fault."""
        body: RevokeSessionBody = {}
        if reason is not None:
            body["reason"] = reason
        try:
            session = self.revoke_session(id, body)
        except AdminError as error:
            if error.code != "state_changed":
                raise
            session = self.session(id)
            if session["state"] not in ("ended", "revoked"):
                raise
        return EndedSession(session, self.confirm(timeout=timeout))

    def next_access_request(self, *, timeout: float, session: Optional[str] = None) -> AccessRequest:
        """The oldest request for access that waits for a decision, or the next one."""
        deadline = time.monotonic() + timeout
        late = AdminError("timeout", f"nobody asked for access within {timeout} s", operation="accessRequests")
        of = {} if session is None else {"session": session}
        with _in_time(deadline, late), self._follow(None, {"kind": "session", **of}, deadline) as events:
            while True:
                found: Optional[AccessRequest] = None
                for found in self._each("access_requests", {"state": "pending", **of}, deadline):
                    pass
                if found is not None:
                    return found
                while True:
                    item = events.next(max(0.0, deadline - time.monotonic()))
                    if not isinstance(item, EventItem) or item.event.get("action") == "access_requested":
                        break

    def grant(self, id: str, *, seconds: int, **terms: Any) -> AccessRequest:
        """Grants what was asked for: ``scope``, ``subject``, ``refs`` and ``note`` are its terms."""
        return self.grant_access(id, cast(GrantAccessBody, {"seconds": seconds, **terms}))

    def publish(self, name: str, body: PublishPolicyBody) -> Published:
        """Publishes a policy on the version that is published, or on ``seen``, and waits for every gateway."""
        whole = cast(PublishPolicyBody, {"seen": self._number(name), **body}) if "seen" not in body else body
        return Published(self.publish_policy(name, whole), self.confirm())

    def roll_back(self, name: str, to: int, *, note: Optional[str] = None) -> Published:
        """Publishes an earlier version again, and waits for every gateway."""
        body: RollBackPolicyBody = {"to": to, "seen": self._number(name)}
        if note is not None:
            body["note"] = note
        return Published(self.roll_back_policy(name, body), self.confirm())

    def _number(self, name: str) -> int:
        try:
            return self.published_policy(name)["number"]
        except AdminError as error:
            if error.code == "operation_unknown":
                return 0
            raise


class StartedSession:
    """What was begun for one container."""

    def __init__(
        self, admin: Admin, issued: IssuedToken, token_file: str, env: Dict[str, str], after: Optional[str]
    ) -> None:
        self._admin = admin
        self._after = after
        self._session: Optional[Session] = None
        #: What the container's environment needs. There is no secret in it.
        self.env = env
        self.token_file = token_file
        #: The claim ``jti`` of the session.
        self.token_id = issued.id
        self.principal = issued.principal
        self.expires = issued.expires

    def ready(self, *, timeout: float) -> Session:
        """Waits until the agent has begun the session, and gives it."""
        deadline = time.monotonic() + timeout
        late = AdminError("timeout", f"no agent started the session within {timeout} s", operation="follow")
        with _in_time(deadline, late):
            return self._ready(deadline)

    def _ready(self, deadline: float) -> Session:
        own = set()
        found = self._find(deadline)
        if found is not None:
            if found["state"] == "committed":
                self._session = found
                return found
            own.add(found["id"])

        def is_commit(event: AuditEvent) -> bool:
            session = event.get("sessionId")
            if session is None:
                return False
            claims = event.get("details", {}).get("claims")
            if event.get("action") == "enrolled" and isinstance(claims, dict) and claims.get("jti") == self.token_id:
                own.add(session)
            return event.get("action") == "committed" and session in own

        event = self._admin.next_event(
            kind="session",
            principal=self.principal,
            after=self._after,
            timeout=max(0.0, deadline - time.monotonic()),
            fits=is_commit,
        )
        self._session = self._admin.session(event.get("sessionId", ""), timeout=_left(deadline))
        return self._session

    def end(self, *, reason: Optional[str] = None, timeout: float = 30.0) -> Optional[EndedSession]:
        """Takes the token back, so that it starts nothing from here on, and ends the session, if there is one.

        The token's file is overwritten and removed. None: no agent had begun a session.
        """
        body: RevokeSessionBody = {}
        if reason is not None:
            body["reason"] = reason
        fault: Optional[AdminError] = None
        id = None if self._session is None else self._session["id"]
        try:
            taken = self._admin.withdraw_session_token(self.token_id, body)
            id = id or taken.get("session")
        except AdminError as error:
            # A session ends also where the token could not be taken back.
            fault = error
        left: Optional[OSError] = None
        try:
            _erase(self.token_file)
        except OSError as error:
            left = error
        if id is None and fault is not None:
            found = self._find()
            id = None if found is None else found["id"]
        ended = None if id is None else self._admin.end_session(id, reason=reason, timeout=timeout)
        if fault is not None:
            raise fault
        if left is not None:
            raise left
        return ended

    def _find(self, deadline: Optional[float] = None) -> Optional[Session]:
        for session in self._admin._each("sessions", {}, deadline):
            if session["claims"].get("jti") == self.token_id:
                return cast(Session, session)
        return None


def _left(deadline: Optional[float]) -> float:
    """For a call that must be over by then."""
    return CALL_TIMEOUT if deadline is None else max(0.0, min(CALL_TIMEOUT, deadline - time.monotonic()))


@contextmanager
def _in_time(deadline: float, late: AdminError) -> Iterator[None]:
    """What fails because the time is over raises ``late``."""
    try:
        yield
    except AdminError as error:
        if error.code == "timeout" or (error.is_passing and time.monotonic() >= deadline):
            raise late from None
        raise


def _with_query(path: str, query: Mapping[str, Any]) -> str:
    given = {name: str(value) for name, value in query.items() if value is not None}
    return path if not given else f"{path}?{urllib.parse.urlencode(given)}"


def _erase(path: str) -> None:
    """A mount of the file itself sees it empty. What the container put in its place is removed, and not written to."""
    try:
        _overwrite(path)
    except OSError:
        pass
    try:
        os.unlink(path)
    except FileNotFoundError:
        # The agent erases it.
        pass


def _overwrite(path: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "wb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1:
            return
        file.write(b"\0" * min(facts.st_size, _FILE_MAX))
        file.flush()
        os.fsync(descriptor)
        os.ftruncate(descriptor, 0)


def _write_private(path: str, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise AdminError("config_invalid", f"cannot write {path}: {error.strerror}") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
