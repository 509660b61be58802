"""The client against a server that lies."""

import os
import socket
import ssl
import tempfile
import threading
import time
import unittest
import unittest.mock
from json import dumps
from pathlib import Path
from typing import Any, Callable, List

from upstreamproxy_admin import Admin, AdminError, EventItem, Gap, Secret, _events, open_admin

TOKEN = "upadm_" + "A" * 43
WHO = {"name": "ada", "role": "viewer", "by": "token"}


def event(id: str) -> Any:
    return {
        "v": 1,
        "id": id,
        "time": "2030-01-01T00:00:00.000Z",
        "kind": "exchange",
        "traceId": "a" * 32,
        "verdict": "allow",
    }


def head(status: int, type: str = "application/json", **fields: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", "Connection: close"] + ([f"Content-Type: {type}"] if type else [])
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def sent(value: Any, status: int = 200, **fields: str) -> bytes:
    return head(status, **fields) + dumps(value).encode()


def problem(status: int, code: str, **fields: str) -> bytes:
    body = {"code": code, "detail": f"a test\x1b of {code}", "trace_id": "a" * 32}
    return sent(body, status, type="application/problem+json", **fields)


class Liar:
    """Gives each connection what it is told, and keeps the heads that it is asked by."""

    def __init__(self, respond: Callable[[int, str], Any]) -> None:
        self._respond = respond
        self.asked: List[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: List[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        asked = b""
        try:
            while b"\r\n\r\n" not in asked:
                asked += connection.recv(65536)
            self.asked.append(asked.decode())
            response = self._respond(len(self.asked) - 1, asked.decode().split(" ", 2)[1])
            if callable(response):
                response(connection)
            else:
                connection.sendall(response)
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        connection.close()

    def admin(self) -> Admin:
        admin = open_admin(server=f"http://127.0.0.1:{self.port}", token=TOKEN)
        # Pauses are counted, and not waited for.
        admin._sleep = lambda _: None
        return admin

    def __enter__(self) -> "Liar":
        return self

    def __exit__(self, *_: Any) -> None:
        self._listener.close()
        for one in self._open:
            one.close()


class Lies(unittest.TestCase):
    def fault(self, call: Callable[[], Any]) -> AdminError:
        with self.assertRaises(AdminError) as caught:
            call()
        self.assertNotIn(TOKEN, str(caught.exception) + repr(vars(caught.exception)))
        return caught.exception

    def test_a_write_keeps_its_key_over_its_tries(self) -> None:
        issued = {"token": "t", "id": "i", "principal": "p", "expires": "2030-01-01T00:00:00.000Z"}
        with Liar(lambda n, _: problem(503, "shutting_down") if n < 2 else sent(issued, 201)) as liar:
            token = liar.admin().issue_token("build-17")
            self.assertEqual(token.token.reveal(), "t")
            self.assertNotIn("'t'", repr(token))
            liar.admin().issue_token("build-18")
            keys = [line for one in liar.asked for line in one.split("\r\n") if line.startswith("Idempotency-Key")]
            self.assertEqual(len(keys), 4)
            self.assertEqual(len(set(keys[:3])), 1)
            self.assertNotEqual(keys[3], keys[0])

    def test_a_response_that_says_its_length_and_closes_is_whole(self) -> None:
        issued = {"token": "t", "id": "i", "principal": "p", "expires": "2030-01-01T00:00:00.000Z"}
        body = dumps(issued).encode()
        with Liar(lambda *_: head(201, Content_Length=str(len(body))) + body) as liar:
            self.assertEqual(liar.admin().issue_token("build-17").id, "i")

    def test_tries_are_bounded(self) -> None:
        with Liar(lambda _, path: problem(429 if path == "/v1/who" else 403, "limit_exceeded")) as liar:
            fault = self.fault(liar.admin().who)
            self.assertEqual((fault.code, fault.status, fault.operation), ("limit_exceeded", 429, "who"))
            self.assertEqual(str(fault), "a test  of limit_exceeded [limit_exceeded]")
            self.assertEqual(len(liar.asked), 5)
            self.fault(liar.admin().health)
            self.assertEqual(len(liar.asked), 6)

    def test_a_pause_without_time_is_not_begun(self) -> None:
        for after in ("1000000000", "9" * 15, "Fri, 31 Dec 9999 23:59:59 GMT"):
            with Liar(lambda *_: problem(503, "shutting_down", Retry_After=after)) as liar:
                self.assertGreaterEqual(self.fault(liar.admin().who).retry_after or 0, 1e9)
                self.assertEqual(len(liar.asked), 1)

    def test_what_is_no_response_of_the_api(self) -> None:
        cases = {
            "a page": head(200, "text/html") + dumps(WHO).encode(),
            "cut": head(200) + b'{"name":"a',
            "another form": sent({**WHO, "role": "emperor"}),
            "a number for a text": sent({**WHO, "name": True}),
            "a list": sent([]),
            "nothing": head(200),
            "a redirect": head(307, Location="https://thief.example.com/"),
            "deep": head(200) + b"[" * 200_000,
            "no HTTP": b"\x00\x01\x02\r\n\r\n",
        }
        for name, response in cases.items():
            with self.subTest(name), Liar(lambda *_: response) as liar:
                self.assertEqual(self.fault(liar.admin().who).code, "admin_unreachable")
                self.assertEqual(len(liar.asked), 1)

    def test_a_truth_value_is_no_number(self) -> None:
        said = {"change": True, "confirmed": [], "missing": [], "seconds": 0}
        with Liar(lambda n, _: sent(said if n == 0 else {**said, "change": 1})) as liar:
            self.fault(liar.admin().changes)
            self.assertEqual(liar.admin().changes()["change"], 1)

    def test_a_body_that_ends_too_soon_is_asked_for_again(self) -> None:
        whole = dumps(WHO).encode()
        first = head(200, Content_Length="100") + whole
        with Liar(lambda n, _: first if n == 0 else head(200) + whole) as liar:
            self.assertEqual(liar.admin().who()["name"], "ada")
            self.assertEqual(len(liar.asked), 2)

    def test_a_response_without_end_has_a_bound(self) -> None:
        def endless(connection: socket.socket) -> None:
            connection.sendall(head(200))
            while True:
                connection.sendall(b"x" * (1 << 20))

        with Liar(lambda *_: endless) as liar:
            self.assertIn("longer than", str(self.fault(liar.admin().who)))

    def test_octet_by_octet_is_no_way_around_a_deadline(self) -> None:
        def drip(connection: socket.socket) -> None:
            for octet in head(200) + b" " * 1000:
                connection.sendall(bytes([octet]))
                time.sleep(0.02)

        with Liar(lambda *_: drip) as liar:
            began = time.monotonic()
            self.assertIn("no response in time", str(self.fault(lambda: liar.admin().who(timeout=0.3))))
            self.assertLess(time.monotonic() - began, 10)

    def test_cursors_that_lead_nowhere_end(self) -> None:
        cases: Any = {
            "lead back": lambda n, _: sent({"items": [], "next": "a"}),
            "lead  back": lambda n, _: sent({"items": [], "next": str(n % 7)}),
            "100 pages": lambda n, _: sent({"items": [], "next": str(n)}),
            "longer": lambda n, _: sent({"items": [], "next": "x" * 5000}),
        }
        for why, respond in cases.items():
            with self.subTest(why), Liar(respond) as liar:
                fault = self.fault(lambda: list(liar.admin().each("sessions")))
                self.assertIn(why.replace("  ", " "), str(fault))
                self.assertLessEqual(len(liar.asked), 100)

    def test_a_stream_that_is_cut_goes_on_behind_the_last_event(self) -> None:
        def sse(id: str) -> bytes:
            return f"id: {id}\ndata: {dumps(event(id))}\n\n".encode()

        def respond(_: int, path: str) -> bytes:
            if "/follow" not in path:
                return sent({"items": [event("e0")]})
            if "after=e0" in path:
                return head(200, "text/event-stream") + b": follows\n\n" + sse("e1") + sse("e2")[:30]
            if "after=e1" in path:
                return head(200, "text/event-stream") + sse("e1") + sse("e2").replace(b"\n", b"\r\n")
            if "after=e2" in path:
                return head(200, "text/html")
            return head(200, "text/event-stream") + b"data: {}\n\n"

        with Liar(respond) as liar, liar.admin().events(verdict="allow") as events:
            self.assertEqual([events.next(), events.next()], [EventItem(event("e1")), EventItem(event("e2"))])
            self.assertIn("admin API", str(self.fault(events.next)))
            self.assertEqual(events.cursor, "e2")

    def test_an_event_that_is_gone_is_a_gap(self) -> None:
        def respond(_: int, path: str) -> bytes:
            if "/follow" not in path:
                return sent({"items": [event("new")]})
            if "after=old" in path:
                return problem(404, "operation_unknown")
            return head(200, "text/event-stream") + f"data: {dumps(event('e9'))}\n\n".encode()

        with Liar(respond) as liar, liar.admin().events(after="old") as events:
            self.assertEqual([events.next(), events.next()], [Gap("old"), EventItem(event("e9"))])

    def test_an_event_without_end_has_a_bound(self) -> None:
        def endless(connection: socket.socket) -> None:
            connection.sendall(head(200, "text/event-stream") + b"data: ")
            while True:
                connection.sendall(b"x" * (1 << 20))

        with Liar(lambda _, path: endless if "/follow" in path else sent({"items": []})) as liar:
            with liar.admin().events() as events:
                self.assertIn("longer than", str(self.fault(events.next)))

    def test_lines_end_in_three_ways_and_pieces_may_cut_them(self) -> None:
        whole = b": a\ndata: 1\r\ndata: 2\r\n\r\ndata:3\r\rid: x\nother\ndata: \xc3\xa4\n\n"
        for size in range(1, len(whole)):
            lines = _events.EventLines()
            found = [one for at in range(0, len(whole), size) for one in lines.push(whole[at : at + size])]
            self.assertEqual(found, ["1\n2", "3", "\u00e4"], size)

    def test_what_is_given_is_checked_first(self) -> None:
        server = "https://admin.example.com"
        for wrong in (
            dict(server=server, token=TOKEN[:20] + "\nx-evil: 1"),
            dict(server=server, token="Bearer " + TOKEN),
            dict(server="http://admin.example.com", token=TOKEN),
            dict(server="https://user:secret@admin.example.com", token=TOKEN),
            dict(server=server + "/v1", token=TOKEN),
            dict(server=server + ":99999", token=TOKEN),
            dict(server=server + "\r\nx: y", token=TOKEN),
            dict(server=server),
            dict(server=server, unix_socket="/a", token=TOKEN),
            dict(server=server, token=TOKEN, ca="no PEM"),
            dict(server=server, token=TOKEN, ca="-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            dict(server=server, token_file="/nonexistent/token"),
        ):
            with self.subTest(str(sorted(wrong))):
                fault = self.fault(lambda: open_admin(**wrong))  # type: ignore[arg-type]
                self.assertEqual(fault.code, "config_invalid")
                self.assertNotIn("secret", str(fault))
        admin = open_admin(server=server, token=f" {TOKEN}\n")
        self.assertNotIn(TOKEN, repr(admin) + repr(vars(admin)) + repr(vars(admin._connection)))

    def test_an_id_is_a_segment_of_the_path(self) -> None:
        with Liar(lambda *_: problem(404, "operation_unknown")) as liar:
            for id in ("", ".", ".."):
                self.assertEqual(self.fault(lambda: liar.admin().session(id)).code, "usage")
            for id in ("../a", "a?b", "a#b", "%2e", "a\r\nx: y", "\\1"):
                self.assertEqual(self.fault(lambda: liar.admin().session(id)).code, "operation_unknown")
                path = liar.asked[-1].split(" ")[1]
                self.assertEqual(path.count("/"), 3)
                self.assertNotIn("?", path)

    def test_a_renewed_token_file_is_read_again(self) -> None:
        other = "upadm_" + "B" * 43

        def respond(n: int, _: str) -> bytes:
            return sent(WHO) if other in liar.asked[n] else problem(401, "operator_unknown")

        with tempfile.TemporaryDirectory() as folder, Liar(respond) as liar:
            file = os.path.join(folder, "token")
            Path(file).write_text(TOKEN + "\n")
            admin = open_admin(server=f"http://127.0.0.1:{liar.port}", token_file=file)
            self.assertEqual(self.fault(admin.who).code, "operator_unknown")
            self.assertEqual(len(liar.asked), 1)
            Path(file).write_text(other)
            self.assertEqual(admin.who()["name"], "ada")

    def test_a_wait_ends_at_its_time_whatever_does_not_respond(self) -> None:
        ended = threading.Event()

        def hang(_: socket.socket) -> None:
            ended.wait(60)

        issued = {"token": "t", "id": "i", "principal": "p", "expires": "2030-01-01T00:00:00.000Z"}
        places = {"gateway": "https://gateway.example.com"}
        for silent in ("/v1/changes", "/v1/exchanges", "/v1/exchanges/follow", "/v1/sessions", "/v1/access"):

            def respond(_: int, path: str) -> Any:
                if path.split("?")[0] == silent:
                    return hang
                if "/follow" in path:
                    return lambda connection: (connection.sendall(head(200, "text/event-stream")), ended.wait(60))
                return sent(issued, 201) if path == "/v1/session-tokens" else sent({"items": []})

            with self.subTest(silent), tempfile.TemporaryDirectory() as folder, Liar(respond) as liar:
                admin = liar.admin()
                waits = [
                    lambda: admin.next_event(timeout=0.2),
                    lambda: admin.next_access_request(timeout=0.2),
                ]
                if silent == "/v1/changes":
                    waits = [lambda: admin.confirm(timeout=0.2)]
                if silent == "/v1/sessions":
                    file = os.path.join(folder, "token")
                    started = admin.start_session("build-17", token_file=file, **places)
                    waits = [lambda: started.ready(timeout=0.2)]
                for wait in waits:
                    began = time.monotonic()
                    self.assertEqual(self.fault(wait).code, "timeout")
                    # The bound of a response, which held before, is 30 s.
                    self.assertLess(time.monotonic() - began, 20)
        ended.set()

    def test_the_end_takes_the_token_back_first(self) -> None:
        issued = {"token": "t" * 100, "id": "i", "principal": "p", "expires": "2030-01-01T00:00:00.000Z"}
        refused = problem(403, "operator_refused")
        for taken in (sent({"id": "i", "state": "withdrawn"}), refused):

            def respond(_: int, path: str) -> Any:
                if path == "/v1/session-tokens":
                    return sent(issued, 201)
                return taken if "/withdraw" in path else sent({"items": []})

            with tempfile.TemporaryDirectory() as folder, Liar(respond) as liar:
                path = os.path.join(folder, "token")
                started = liar.admin().start_session("a", gateway="https://gateway.example.com", token_file=path)
                asked = len(liar.asked)
                with open(path) as mounted:
                    if taken is refused:
                        self.assertEqual(self.fault(started.end).code, "operator_refused")
                    else:
                        self.assertIsNone(started.end())
                    self.assertEqual(os.fstat(mounted.fileno()).st_size, 0)
                self.assertIn("POST /v1/session-tokens/i/withdraw ", liar.asked[asked])
                self.assertFalse(os.path.exists(path))

    def test_keys_of_the_connection_are_written_nowhere(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "keys")
            with unittest.mock.patch.dict(os.environ, {"SSLKEYLOGFILE": file}):
                context = open_admin(server="https://admin.example.com", token=TOKEN)._connection.place.context
                assert context is not None
                self.assertIsNone(context.keylog_filename)
                self.assertEqual((context.verify_mode, context.check_hostname), (ssl.CERT_REQUIRED, True))
            self.assertFalse(os.path.exists(file))

    def test_what_goes_on_tells_how_far_it_is_and_its_result(self) -> None:
        report = {"events": 1, "notChained": 0, "removed": 0, "uncovered": 0, "chains": 1, "findings": [], "findingsTotal": 0}
        told = [{"looked": 1}, {"looked": 2, "report": report}]
        body = "".join(f"data: {dumps(one)}\n\n" for one in told).encode()
        with Liar(lambda *_: head(200, type="text/event-stream") + body) as liar:
            seen: List[int] = []
            said = liar.admin().verify_audit({}, on_progress=lambda one: seen.append(one["looked"]))
            self.assertEqual((said["report"]["events"], seen), (1, [1]))
            self.assertIn("POST /v1/audit/verify ", liar.asked[0])
        for wrong in (b"", b'data: {"looked": 1}\n\n', b"data: [\n\n", b'data: {"looked": "x"}\n\n'):
            with self.subTest(wrong), Liar(lambda *_: head(200, type="text/event-stream") + wrong) as liar:
                self.assertEqual(self.fault(lambda: liar.admin().verify_audit({})).code, "admin_unreachable")
                # It belongs to its connection.
                self.assertEqual(len(liar.asked), 1)

    def test_a_field_of_the_request_is_one_line(self) -> None:
        with Liar(lambda *_: sent(WHO)) as liar:
            for wrong in ("a\r\nx-evil: 1", "a\n", "", "\u00e4", "\u20ac"):
                with self.subTest(repr(wrong)):
                    call = lambda: liar.admin().revoke_session("a", {}, if_match=wrong)
                    self.assertEqual(self.fault(call).code, "usage")
            call = lambda: liar.admin().revoke_session("a", {}, idempotency_key="a\r\nx: y")
            self.assertEqual(self.fault(call).code, "usage")
            self.assertEqual(liar.asked, [])

    def test_a_secret_shows_nothing(self) -> None:
        self.assertEqual([repr(Secret("x")), str(Secret("x")), f"{Secret('x')}"], ["[secret]"] * 3)


if __name__ == "__main__":
    unittest.main()
