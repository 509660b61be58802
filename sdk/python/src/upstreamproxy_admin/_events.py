"""Events as they are stored: opened again behind the last one when the stream is cut."""

import codecs
import http.client
import json
import socket
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Callable, Iterator, List, Optional, Type, Union, cast

from ._connection import Connection, Response
from ._retry import pause_before
from ._shapes import fits
from .errors import AdminError
from .operations import SHAPES, AuditEvent

EVENT_CHARACTERS_MAX = 4 * 1024 * 1024
SILENCE = 45.0
AWAY = 300.0
_STEADY = 10.0
_ID_MAX = 200


@dataclass(frozen=True)
class EventItem:
    event: AuditEvent


@dataclass(frozen=True)
class Gap:
    """What was stored between the event of that id and the next one is not told. None: there was none yet."""

    after: Optional[str]


Followed = Union[EventItem, Gap]


class EventLines:
    """Server-sent events (WHATWG HTML, section 9.2) out of octets. Gives the data of each."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._pieces: List[str] = []
        self._size = 0
        self._data: List[str] = []
        self._after_cr = False

    def push(self, octets: bytes) -> List[str]:
        text = self._decoder.decode(octets)
        if self._after_cr and text:
            text = text[1:] if text.startswith("\n") else text
            self._after_cr = False
        if text.endswith("\r"):
            self._after_cr = True
        found: List[str] = []
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        for line in lines[:-1]:
            self._keep(line)
            self._line("".join(self._pieces), found)
            self._pieces = []
        self._keep(lines[-1])
        return found

    def _keep(self, piece: str) -> None:
        if piece:
            self._size += len(piece)
            if self._size > EVENT_CHARACTERS_MAX:
                raise ValueError(f"an event is longer than {EVENT_CHARACTERS_MAX} characters")
            self._pieces.append(piece)

    def _line(self, line: str, found: List[str]) -> None:
        if line == "":
            if self._data:
                found.append("\n".join(self._data))
            self._data = []
            self._size = 0
            return
        name, _, value = line.partition(":")
        if name == "data":
            self._data.append(value[1:] if value.startswith(" ") else value)
        else:
            # What is not kept does not count.
            self._size -= len(line)


class Events:
    """Iterates over EventItem and Gap. Close it, or use it in a ``with``."""

    def __init__(
        self,
        connection: Connection,
        path: Callable[[Optional[str]], str],
        newest_id: Callable[[Optional[float]], Optional[str]],
        after: Optional[str],
        sleep: Callable[[float], None],
        deadline: Optional[float] = None,
    ) -> None:
        self._connection = connection
        self._path = path
        self._newest_id = newest_id
        self._sleep = sleep
        self._stream: Optional[Response] = None
        self._lines = EventLines()
        self._waiting: List[str] = []
        self._gap: Optional[Gap] = None
        self._failures = 0
        self._good = self._began = time.monotonic()
        self._closed = False
        #: Id of the last event: to be kept, and given as ``after`` to go on behind it.
        self.cursor = after
        self._open(deadline)

    def __iter__(self) -> Iterator[Followed]:
        while True:
            item = self.next()
            if item is None:
                return
            yield item

    def next(self, timeout: Optional[float] = None) -> Optional[Followed]:
        """The next one; None when it was closed. Raises AdminError ``timeout`` where none comes in time."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._closed:
            if self._gap is not None:
                gap, self._gap = self._gap, None
                return gap
            while self._waiting:
                event = self._event(self._waiting.pop(0))
                if event["id"] == self.cursor:
                    continue
                self.cursor = event["id"]
                self._failures = 0
                self._good = time.monotonic()
                return EventItem(event)
            if deadline is not None and time.monotonic() >= deadline:
                raise AdminError("timeout", f"no event came within {timeout} s", operation="follow")
            self._read(deadline)
        return None

    def _read(self, deadline: Optional[float]) -> None:
        stream = self._stream
        if stream is None:
            self._reopen(deadline)
            return
        left = SILENCE if deadline is None else min(SILENCE, deadline - time.monotonic())
        try:
            octets = stream.piece(left)
        except (socket.timeout, TimeoutError):
            if deadline is not None and time.monotonic() >= deadline:
                # Who waits has no more time; the stream is none that can be read on from.
                self._cut()
                return
            octets = b""
        except (OSError, http.client.HTTPException):
            octets = b""
        if not octets:
            self._cut()
            return
        try:
            self._waiting.extend(self._lines.push(octets))
        except ValueError as error:
            raise self._refuse(str(error)) from None

    def _cut(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream = None
        if time.monotonic() - self._began >= _STEADY:
            self._good = time.monotonic()
            self._failures = 0

    def _reopen(self, deadline: Optional[float]) -> None:
        error = self._refuse("the stream ended")
        end = self._good + AWAY
        while not self._closed:
            seconds = pause_before(self._failures, error)
            self._failures += 1
            now = time.monotonic()
            if now + seconds >= end:
                raise error
            if deadline is not None and now + seconds >= deadline:
                self._sleep(max(0.0, deadline - now))
                return
            self._sleep(seconds)
            try:
                if self.cursor is None:
                    # What came since the stream was cut is not told, where no event tells behind which to go on.
                    self.cursor = self._newest_id(deadline)
                    self._gap = None if self.cursor is None else Gap(None)
                self._open(deadline)
                return
            except AdminError as fault:
                if not fault.is_passing:
                    raise
                error = fault

    def _open(self, deadline: Optional[float]) -> None:
        after = self.cursor
        try:
            self._begin(after, deadline)
        except AdminError as error:
            if after is None or error.code != "operation_unknown":
                raise
            # The audit does not keep that event any more.
            newest = self._newest_id(deadline)
            self._begin(newest, deadline)
            self.cursor = newest
            self._gap = Gap(after)

    def _begin(self, after: Optional[str], deadline: Optional[float]) -> None:
        late = time.monotonic() + SILENCE
        until = late if deadline is None else min(late, deadline)
        self._stream = self._connection.follow("follow", self._path(after), deadline=until)
        self._began = time.monotonic()
        self._lines = EventLines()
        self._waiting = []

    def _event(self, data: str) -> AuditEvent:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            value = None
        if not fits(value, ["is", "AuditEvent"], SHAPES):
            raise self._refuse("what it sends is no event")
        event = cast(AuditEvent, value)
        if len(event["id"]) > _ID_MAX:
            raise self._refuse("the id of an event is longer than any of ours")
        return event

    def _refuse(self, why: str) -> AdminError:
        return self._connection.error("follow", why)

    def close(self) -> None:
        self._closed = True
        if self._stream is not None:
            self._stream.shut()
            self._stream.close()
        self._stream = None

    def __enter__(self) -> "Events":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()
