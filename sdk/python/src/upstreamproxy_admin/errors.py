"""What went wrong with a call."""

from typing import Any, Optional


class AdminError(Exception):
    """A call of the admin API failed.

    ``code`` is one of docs/reference/errors.md; ``admin_unreachable`` also for a response that is not of this API,
    ``timeout`` for a wait whose time is over. No message has a token in it.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        server: str = "",
        operation: str = "",
        status: Optional[int] = None,
        retry_after: Optional[float] = None,
        trace_id: Optional[str] = None,
        is_passing: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        #: Origin of the admin port, or path of its socket.
        self.server = server
        self.operation = operation
        #: Of the response, where one came.
        self.status = status
        #: Seconds after which the same call may succeed.
        self.retry_after = retry_after
        #: Names this failure in the log of the gateway.
        self.trace_id = trace_id
        #: It may be over when it is tried again.
        self.is_passing = is_passing

    def __str__(self) -> str:
        return f"{self.message} [{self.code}]"

    @property
    def advice(self) -> str:
        """Where it stands what to do."""
        return f"upstreamproxy explain {self.code}; docs/reference/errors.md#{self.code}"


class Secret:
    """A secret whose printed forms do not show it."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        return self.__value

    def __repr__(self) -> str:
        return "[secret]"

    __str__ = __repr__

    def __reduce__(self) -> Any:
        raise TypeError("a secret is not copied into other forms")
