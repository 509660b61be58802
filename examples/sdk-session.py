# An orchestrator starts a command in a session of its own, grants what it asks for, and ends the session.
# python3 sdk-session.py COMMAND…, with UPSTREAMPROXY_ADMIN, UPSTREAMPROXY_ADMIN_CA, UPSTREAMPROXY_ADMIN_TOKEN_FILE,
# UPSTREAMPROXY_GATEWAY and UPSTREAMPROXY_GATEWAY_CA set. The command stands for your container.

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from upstreamproxy_admin import EventItem, open_admin

env = os.environ
ca = env.get("UPSTREAMPROXY_ADMIN_CA")

with tempfile.TemporaryDirectory() as folder, open_admin(
    server=env["UPSTREAMPROXY_ADMIN"],
    token_file=env["UPSTREAMPROXY_ADMIN_TOKEN_FILE"],
    ca=None if ca is None else Path(ca).read_text(),
) as admin:
    started = admin.start_session(
        "build-17",
        claims={"team": "web"},
        seconds=120,
        gateway=env["UPSTREAMPROXY_GATEWAY"],
        gateway_ca_file=env.get("UPSTREAMPROXY_GATEWAY_CA"),
        token_file=os.path.join(folder, "session-token"),
    )
    try:
        # Followed before anything runs, so nothing is missed.
        with admin.events(principal=started.principal, verdict="deny") as denials:
            command = subprocess.Popen(
                ["upstreamproxy", "run", "--", *sys.argv[1:]],
                env={**env, **started.env},
                stdin=subprocess.DEVNULL,
            )
            session = started.ready(timeout=60)
            print(f"started as {session['principal']}", flush=True)

            for item in denials:
                if isinstance(item, EventItem):
                    event = item.event
                    print(f"refused {event.get('method')} {event.get('host')}{event.get('path')}", flush=True)
                    break

        asked = admin.next_access_request(session=session["id"], timeout=60)
        granted = admin.grant(asked["id"], seconds=60, note="for this build")
        print(f"granted {granted['asked']['host']}: {granted['reason']}", flush=True)

        print(f"ended with {command.wait()}", flush=True)
    finally:
        end = started.end(reason="the build is over")
        if end is not None:
            print(f"session {end.session['state']}, missing: {len(end.confirmation['missing'])}")
