"""The admin API of upstreamproxy, for orchestrators. Standard library only."""

from ._events import EventItem, Events, Followed, Gap
from .client import Admin, EndedSession, IssuedToken, Published, StartedSession, open_admin
from .errors import AdminError, Secret

__all__ = [
    "Admin",
    "AdminError",
    "EndedSession",
    "EventItem",
    "Events",
    "Followed",
    "Gap",
    "IssuedToken",
    "Published",
    "Secret",
    "StartedSession",
    "open_admin",
]
