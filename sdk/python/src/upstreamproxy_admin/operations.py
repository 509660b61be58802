# Generated from schema/admin.openapi.json by scripts/build-python-sdk.ts: change neither here.
"""The operations of the admin API: their types, and one method each."""

from typing import Any, Callable, Dict, List, Literal, Mapping, Optional, TypedDict, Union, cast

_WhoPersonMust = TypedDict(
    "_WhoPersonMust",
    {
        "issuer": str,
        # With `issuer` it is who it is.
        "subject": str,
    },
)


_WhoPersonMay = TypedDict(
    "_WhoPersonMay",
    {
        # To be read; it says nothing of who it is.
        "name": str,
        # To be read; it says nothing of who it is.
        "email": str,
    },
    total=False,
)


class WhoPerson(_WhoPersonMust, _WhoPersonMay):
    pass


_WhoMust = TypedDict(
    "_WhoMust",
    {
        "name": str,
        "role": Literal["viewer", "approver", "operator", "administrator"],
        "by": Literal["socket", "token", "link", "oidc"],
    },
)


_WhoMay = TypedDict(
    "_WhoMay",
    {
        # Only sessions with these claims.
        "sees": Dict[str, Any],
        "expires": str,
        # Of a session by log-in.
        "person": WhoPerson,
        # Of a session by log-in: its writes send it as `X-CSRF-Token`.
        "csrf": str,
    },
    total=False,
)


class Who(_WhoMust, _WhoMay):
    pass


_LogInMust = TypedDict(
    "_LogInMust",
    {
        "token": str,
        "expires": str,
    },
)


_LogInMay = TypedDict(
    "_LogInMay",
    {
    },
    total=False,
)


class LogIn(_LogInMust, _LogInMay):
    pass


_LogInWaysMust = TypedDict(
    "_LogInWaysMust",
    {
    },
)


_LogInWaysMay = TypedDict(
    "_LogInWaysMay",
    {
        # Where people log in by OpenID Connect, begun at `/log-in/oidc`.
        "provider": str,
    },
    total=False,
)


class LogInWays(_LogInWaysMust, _LogInWaysMay):
    pass


_LogOutMust = TypedDict(
    "_LogOutMust",
    {
    },
)


_LogOutMay = TypedDict(
    "_LogOutMay",
    {
        # Where the person logs out of the identity provider, too.
        "providerLogOut": str,
    },
    total=False,
)


class LogOut(_LogOutMust, _LogOutMay):
    pass


_HealthPolicyMust = TypedDict(
    "_HealthPolicyMust",
    {
        "version": str,
        "staleSeconds": float,
    },
)


_HealthPolicyMay = TypedDict(
    "_HealthPolicyMay",
    {
    },
    total=False,
)


class HealthPolicy(_HealthPolicyMust, _HealthPolicyMay):
    pass


_HealthAdvisoriesRegistriesItemMust = TypedDict(
    "_HealthAdvisoriesRegistriesItemMust",
    {
        "registry": str,
        "packages": int,
        "advisories": int,
    },
)


_HealthAdvisoriesRegistriesItemMay = TypedDict(
    "_HealthAdvisoriesRegistriesItemMay",
    {
        # When the newest record was changed.
        "newest": str,
    },
    total=False,
)


class HealthAdvisoriesRegistriesItem(_HealthAdvisoriesRegistriesItemMust, _HealthAdvisoriesRegistriesItemMay):
    pass


_HealthAdvisoriesMust = TypedDict(
    "_HealthAdvisoriesMust",
    {
        # Without an index that can be read, rules that look at advisories allow nothing.
        "state": Literal["fresh", "stale", "unreadable"],
        "staleSeconds": float,
        "registries": List[HealthAdvisoriesRegistriesItem],
    },
)


_HealthAdvisoriesMay = TypedDict(
    "_HealthAdvisoriesMay",
    {
        "imported": str,
    },
    total=False,
)


class HealthAdvisories(_HealthAdvisoriesMust, _HealthAdvisoriesMay):
    pass


_HealthMust = TypedDict(
    "_HealthMust",
    {
        "version": str,
        "started": str,
        # By the gateway's clock.
        "now": str,
        "ready": bool,
        "audit": Literal["written", "failing"],
        "policy": HealthPolicy,
    },
)


_HealthMay = TypedDict(
    "_HealthMay",
    {
        # Absent for who sees only some sessions.
        "tunnels": int,
        # What is known against packages. Absent where the configuration names no index.
        "advisories": HealthAdvisories,
        # How many follow events now. Absent for who sees only some sessions.
        "followers": int,
    },
    total=False,
)


class Health(_HealthMust, _HealthMay):
    pass


_ChangesMust = TypedDict(
    "_ChangesMust",
    {
        # Number of the newest change.
        "change": int,
        # Gateways that have taken it.
        "confirmed": List[str],
        # Gateways that serve, and had not said that they have it.
        "missing": List[str],
        # How long that took.
        "seconds": float,
    },
)


_ChangesMay = TypedDict(
    "_ChangesMay",
    {
    },
    total=False,
)


class Changes(_ChangesMust, _ChangesMay):
    pass


_AuditEventGitRefsItemMust = TypedDict(
    "_AuditEventGitRefsItemMust",
    {
        # Full name, such as `refs/heads/main`.
        "ref": str,
        # `create`, `update` or `delete`.
        "change": Literal["create", "update", "delete"],
    },
)


_AuditEventGitRefsItemMay = TypedDict(
    "_AuditEventGitRefsItemMay",
    {
    },
    total=False,
)


class AuditEventGitRefsItem(_AuditEventGitRefsItemMust, _AuditEventGitRefsItemMay):
    pass


_AuditEventGitMust = TypedDict(
    "_AuditEventGitMust",
    {
        # As the path names it, without `.git`.
        "repository": str,
        # `fetch` or `push`.
        "operation": Literal["fetch", "push"],
    },
)


_AuditEventGitMay = TypedDict(
    "_AuditEventGitMay",
    {
        # Of a push whose commands were read: the refs that it changes, the first 64.
        "refs": List[AuditEventGitRefsItem],
        # Of a push whose commands were read: its options (`git push -o`), the first 64.
        "options": List[str],
        # How many options there are, where that is more.
        "optionsTotal": int,
        # How many refs there are, where that is more.
        "refsTotal": int,
    },
    total=False,
)


class AuditEventGit(_AuditEventGitMust, _AuditEventGitMay):
    pass


_AuditEventMcpMust = TypedDict(
    "_AuditEventMcpMust",
    {
        # Such as `tools/call`; empty in a response to the server.
        "method": str,
    },
)


_AuditEventMcpMay = TypedDict(
    "_AuditEventMcpMay",
    {
        # The tool that was called.
        "tool": str,
        # URI of the resource.
        "resource": str,
        # Name of the prompt.
        "prompt": str,
    },
    total=False,
)


class AuditEventMcp(_AuditEventMcpMust, _AuditEventMcpMay):
    pass


_AuditEventGraphqlOperationsItemMust = TypedDict(
    "_AuditEventGraphqlOperationsItemMust",
    {
        # What kind of operation.
        "type": Literal["query", "mutation", "subscription"],
        # Fields of its root, each once, the first 32; aliases are not told.
        "fields": List[str],
    },
)


_AuditEventGraphqlOperationsItemMay = TypedDict(
    "_AuditEventGraphqlOperationsItemMay",
    {
        # The name that the client gives it.
        "name": str,
    },
    total=False,
)


class AuditEventGraphqlOperationsItem(_AuditEventGraphqlOperationsItemMust, _AuditEventGraphqlOperationsItemMay):
    pass


_AuditEventGraphqlMust = TypedDict(
    "_AuditEventGraphqlMust",
    {
        # The first 16.
        "operations": List[AuditEventGraphqlOperationsItem],
    },
)


_AuditEventGraphqlMay = TypedDict(
    "_AuditEventGraphqlMay",
    {
        # How many operations there are, where that is more.
        "operationsTotal": int,
        # Documents that the server keeps and that were asked for by their id, the first 16.
        "persisted": List[str],
    },
    total=False,
)


class AuditEventGraphql(_AuditEventGraphqlMust, _AuditEventGraphqlMay):
    pass


_AuditEventLeaksItemMust = TypedDict(
    "_AuditEventLeaksItemMust",
    {
        # `credential`, `canary`, `shape`; `unsearched` where it could not be searched.
        "kind": Literal["credential", "canary", "shape", "unsearched"],
        # Of the credential, the canary or the shape, or why it could not be searched.
        "name": str,
        # `url`, `field`, `body`, `trailer`, or `message` of a WebSocket.
        "place": Literal["url", "field", "body", "trailer", "message"],
        # `blocked`, `redacted` or `told`.
        "action": Literal["blocked", "redacted", "told"],
    },
)


_AuditEventLeaksItemMay = TypedDict(
    "_AuditEventLeaksItemMay",
    {
        # Of a shape: by which `leaks.allow` lets this text through.
        "hash": str,
    },
    total=False,
)


class AuditEventLeaksItem(_AuditEventLeaksItemMust, _AuditEventLeaksItemMay):
    pass


_AuditEventScreenedItemMust = TypedDict(
    "_AuditEventScreenedItemMust",
    {
        # `hidden-text`, `canary`, `phrase`; `decider` where one does not allow it; `unscreened` where it came encoded, switched to a WebSocket, is a stream of events that goes on, or a decider said nothing.
        "mark": Literal["hidden-text", "canary", "phrase", "decider", "unscreened"],
        # Which one of its kind; the name of the decider.
        "name": str,
        # `blocked`, `annotated` or `told`.
        "action": Literal["blocked", "annotated", "told"],
    },
)


_AuditEventScreenedItemMay = TypedDict(
    "_AuditEventScreenedItemMay",
    {
    },
    total=False,
)


class AuditEventScreenedItem(_AuditEventScreenedItemMust, _AuditEventScreenedItemMay):
    pass


_AuditEventLlmMust = TypedDict(
    "_AuditEventLlmMust",
    {
        # Such as `openai-chat`.
        "api": str,
        # As the request names it, cut at 256 characters.
        "model": str,
        # Whether the response is a stream.
        "streams": bool,
    },
)


_AuditEventLlmMay = TypedDict(
    "_AuditEventLlmMay",
    {
        # It asked how many tokens a call would have.
        "isCount": Literal[True],
        # Members that the gateway set in the request, such as `max_tokens`.
        "set": List[str],
        # Tokens that were read anew.
        "inputTokens": int,
        # Tokens that were read from a cache.
        "cachedTokens": int,
        # Tokens that were read and written into a cache.
        "cacheWrittenTokens": int,
        # Tokens that the model wrote.
        "outputTokens": int,
        # What it cost, in billionths of one US dollar, rounded up; absent where no price is known.
        "nanoUsd": int,
        # Nobody said what was used: the numbers are the most that it could have been.
        "isEstimate": Literal[True],
    },
    total=False,
)


class AuditEventLlm(_AuditEventLlmMust, _AuditEventLlmMay):
    pass


_AuditEventQuestionMust = TypedDict(
    "_AuditEventQuestionMust",
    {
        # Of the question, by which a client joins it again.
        "id": str,
        # `allowed`, `denied`, or `open` where nobody had answered when its client was told, or left.
        "outcome": Literal["allowed", "denied", "open"],
        # How long the request waited.
        "heldMs": int,
    },
)


_AuditEventQuestionMay = TypedDict(
    "_AuditEventQuestionMay",
    {
        # How far it was allowed.
        "answer": Literal["once", "session", "minutes", "always"],
        # Who answered.
        "by": str,
    },
    total=False,
)


class AuditEventQuestion(_AuditEventQuestionMust, _AuditEventQuestionMay):
    pass


_AuditEventPackageMust = TypedDict(
    "_AuditEventPackageMust",
    {
        # How the registry speaks, such as `npm`.
        "registry": str,
        # In the form in which the registry compares names.
        "name": str,
    },
)


_AuditEventPackageMay = TypedDict(
    "_AuditEventPackageMay",
    {
        # Of a request for one version.
        "version": str,
        # The request is for what is installed, and not for a list or a description of it.
        "isArchive": Literal[True],
        # What the request does, where it does not fetch: `publish`, `tag`, `deprecate`, `unpublish`, `yank`, `unyank` or `owners`.
        "operation": Literal["publish", "tag", "deprecate", "unpublish", "yank", "unyank", "owners"],
        # When the version came out, or of PyPI the file, as far as the gateway had to know it. Of Go and Maven: when it was seen first.
        "published": str,
        # What came, where it was checked to be what the registry promises: `sha512-` and base64. Of `operation: publish`: what was sent.
        "digest": str,
        # Whether clients run something of the archive when they install it, as far as the registry says; of a rule with `installScripts: tell`.
        "installScripts": Literal["yes", "no", "unknown"],
        # `hit`: it came from the cache; `joined`: by the fetch of another request. Of metadata also `revalidated`: the registry said that what the cache has did not change; `stale`: the registry was away. Absent where the origin was asked for this one.
        "cache": Literal["hit", "joined", "revalidated", "stale"],
    },
    total=False,
)


class AuditEventPackage(_AuditEventPackageMust, _AuditEventPackageMay):
    pass


_AuditEventDecidersItemMust = TypedDict(
    "_AuditEventDecidersItemMust",
    {
        # In the gateway's configuration.
        "name": str,
        # `allowed`, `denied`, `undefined` (it said nothing), `unavailable` (it could not be asked).
        "outcome": Literal["allowed", "denied", "undefined", "unavailable"],
        # How long it took.
        "durationMs": int,
    },
)


_AuditEventDecidersItemMay = TypedDict(
    "_AuditEventDecidersItemMay",
    {
        # `screen` of the rule asked it about the response.
        "of": Literal["response"],
        # What it had said before was used.
        "isCached": Literal[True],
        # Its rule observes: the request was let through whatever it said.
        "isOnTrial": Literal[True],
        # Why, cut at 256 characters; of `unavailable`, what failed.
        "said": str,
        # By which its own log has it.
        "decisionId": str,
        # Request fields that it set.
        "set": List[str],
        # Request fields that it took out.
        "removed": List[str],
    },
    total=False,
)


class AuditEventDecidersItem(_AuditEventDecidersItemMust, _AuditEventDecidersItemMay):
    pass


_AuditEventCapturedMust = TypedDict(
    "_AuditEventCapturedMust",
    {
    },
)


_AuditEventCapturedMay = TypedDict(
    "_AuditEventCapturedMay",
    {
        # How much of the request's body is kept, in bytes.
        "request": int,
        # The same of the response.
        "response": int,
        # How long the recording of a shell is, in bytes.
        "recording": int,
        # The machine whose gateway keeps them, and no other one.
        "machine": str,
        # The rule asked for it, and there was no room.
        "dropped": Literal[True],
    },
    total=False,
)


class AuditEventCaptured(_AuditEventCapturedMust, _AuditEventCapturedMay):
    pass


_AuditEventTimesMust = TypedDict(
    "_AuditEventTimesMust",
    {
    },
)


_AuditEventTimesMay = TypedDict(
    "_AuditEventTimesMay",
    {
        # Its turn in the queue had come.
        "queuedMs": float,
        # The policy had decided.
        "decidedMs": float,
        # Name resolved and addresses checked, for the connection that carried it.
        "resolvedMs": float,
        # TCP connected, directly or through `upstream.proxy`.
        "dialledMs": float,
        # TLS up and the origin's certificate verified.
        "securedMs": float,
        # The last piece of the request was on its way.
        "sentMs": float,
        # The head of the response had come.
        "firstByteMs": float,
        # The response was whole.
        "lastByteMs": float,
    },
    total=False,
)


class AuditEventTimes(_AuditEventTimesMust, _AuditEventTimesMay):
    pass


_AuditEventCutValueMust = TypedDict(
    "_AuditEventCutValueMust",
    {
        # How long it was, in bytes of UTF-8.
        "bytes": int,
        # Hash of the whole, in hex.
        "sha256": str,
    },
)


_AuditEventCutValueMay = TypedDict(
    "_AuditEventCutValueMay",
    {
    },
    total=False,
)


class AuditEventCutValue(_AuditEventCutValueMust, _AuditEventCutValueMay):
    pass


_AuditEventMust = TypedDict(
    "_AuditEventMust",
    {
        # Version of this form.
        "v": Literal[1],
        # UUID version 7: sorts by time.
        "id": str,
        # RFC 3339 in UTC with milliseconds; when an exchange began.
        "time": str,
        # `exchange`: a request; `stream`: a connection that carried none; `session`: a step in the life of one; `alarm`.
        "kind": Literal["exchange", "stream", "session", "alarm"],
        # 32 hex digits; the same as in the response that the client got.
        "traceId": str,
        # `allow`, `deny`, `error`; `unknown` where the gateway was killed first; `info` for steps of a session.
        "verdict": Literal["allow", "deny", "error", "info", "unknown"],
    },
)


_AuditEventMay = TypedDict(
    "_AuditEventMay",
    {
        # Of a session or an alarm: which step, see below.
        "action": str,
        # Where `count` requests share the event: the trace of the last one; `traceId` is of the first.
        "lastTraceId": str,
        # Where the rule goes on with the client's trace: the `traceparent` that the client sent, whose trace the exchange is in.
        "traceparent": str,
        # How many requests share the event, because more were refused than may have one each.
        "count": int,
        # Whose it was.
        "sessionId": str,
        # The principal of that session, `issuer|subject`, with `%7C` and `%25` for a bar and a percent sign in the issuer.
        "principal": str,
        # Where the verdict is `unknown`: what the policy had said, if it was asked by then.
        "decided": Literal["allow", "deny"],
        # The rule that decided.
        "rule": str,
        # Which published policy the rule is of: that of the session, or `ceiling`.
        "policyName": str,
        # Short hash of the policy that decided.
        "policyVersion": str,
        # What observe mode would have denied: the rule.
        "observed": str,
        # The request field for which a rule that else would have allowed it did not; values of fields are not recorded.
        "deniedField": str,
        # What was judged, and what the origin got.
        "method": str,
        # `https`, `http` or `tcp`.
        "scheme": str,
        # In canonical form.
        "host": str,
        # Of the destination.
        "port": int,
        # Path and query, in canonical form: what was judged, and what the origin got.
        "path": str,
        # How the client spoke.
        "protocol": str,
        # How the origin spoke.
        "upstreamProtocol": str,
        # The names that disagreed, where they did.
        "claimed": Dict[str, str],
        # The address that was dialled for the connection that carried it, however it ended; of a request that was sent once more, the last one. `via HOST:PORT` behind `upstream.proxy`, which alone knows it.
        "address": str,
        # Where the host is an alias (CNAME): the names that it leads to, in order and in canonical form, at most eight; see below.
        "aliases": List[str],
        # Whether the connection was opened for this request, or had carried others.
        "connection": Literal["new", "kept"],
        # Status of the response.
        "status": int,
        # Why it did not go as asked: a code of [errors](errors.md).
        "errorCode": str,
        # The limit that was reached, by its name in [limits](limits.md).
        "limit": str,
        # That in a sentence, for the operator.
        "message": str,
        # Names of the credentials that were put on the request.
        "injected": List[str],
        # Names of those that its rule has, where they are not the same: a placeholder that the request did not hold.
        "offered": List[str],
        # Name of the credential that could not be had, where that is why it failed.
        "failedCredential": str,
        # Of a request by git.
        "git": AuditEventGit,
        # Of a request whose body a rule looked into and that is a JSON-RPC message; each text is cut at 256 characters.
        "mcp": AuditEventMcp,
        # Of a request whose operations of GraphQL a rule looked at; each text is cut at 256 characters.
        "graphql": AuditEventGraphql,
        # What a rule with `leaks` found in the request, never the text itself; the first 16. `requestBytes` says how much of the body had left.
        "leaks": List[AuditEventLeaksItem],
        # Marks that a rule with `screen` found at the beginning of the response; the first 16.
        "screened": List[AuditEventScreenedItem],
        # Of a call of a model that a rule with `llm` looked into.
        "llm": AuditEventLlm,
        # What a person was asked about a request of a rule with `ask`.
        "question": AuditEventQuestion,
        # Of a request for a package, where rules for its host are about packages.
        "package": AuditEventPackage,
        # Systems of the operator that a rule with `decide`, or `screen`, asked, in their order.
        "deciders": List[AuditEventDecidersItem],
        # Size of the body that was sent on, or of what a stream sent.
        "requestBytes": int,
        # Size of the body that came back, or of what came on a stream.
        "responseBytes": int,
        # Where the rule says `capture`, or a shell of SSH was recorded: what is kept beside the event;
        "captured": AuditEventCaptured,
        # When a stage was over, in milliseconds since `time`, by a clock that does not jump:
        "times": AuditEventTimes,
        # From beginning to end.
        "durationMs": float,
        # What was too long for an event, by the name of the field, such as `path` or `details.claims`: only its beginning is there, or nothing. Of what is no text, the JSON was counted.
        "cut": Dict[str, AuditEventCutValue],
        # What only this action has.
        "details": Dict[str, Any],
    },
    total=False,
)


class AuditEvent(_AuditEventMust, _AuditEventMay):
    pass


_VerifyAuditReportFindingsItemMust = TypedDict(
    "_VerifyAuditReportFindingsItemMust",
    {
        "kind": Literal["removed", "cut_tail", "changed", "reordered", "inserted", "forged"],
        "message": str,
    },
)


_VerifyAuditReportFindingsItemMay = TypedDict(
    "_VerifyAuditReportFindingsItemMay",
    {
        "chain": int,
        "link": int,
        # The place in the store.
        "sequence": int,
        "id": str,
    },
    total=False,
)


class VerifyAuditReportFindingsItem(_VerifyAuditReportFindingsItemMust, _VerifyAuditReportFindingsItemMay):
    pass


_VerifyAuditReportMust = TypedDict(
    "_VerifyAuditReportMust",
    {
        # Events that were looked at.
        "events": int,
        # Stored before there was a chain: nothing is known of them.
        "notChained": int,
        # Links that retention removed, and says so.
        "removed": int,
        # Events behind the last head of their chain.
        "uncovered": int,
        "chains": int,
        # The first of them.
        "findings": List[VerifyAuditReportFindingsItem],
        "findingsTotal": int,
    },
)


_VerifyAuditReportMay = TypedDict(
    "_VerifyAuditReportMay",
    {
    },
    total=False,
)


class VerifyAuditReport(_VerifyAuditReportMust, _VerifyAuditReportMay):
    pass


_VerifyAuditMust = TypedDict(
    "_VerifyAuditMust",
    {
        # Events that were read so far.
        "looked": int,
    },
)


_VerifyAuditMay = TypedDict(
    "_VerifyAuditMay",
    {
        # In the last one alone.
        "report": VerifyAuditReport,
    },
    total=False,
)


class VerifyAudit(_VerifyAuditMust, _VerifyAuditMay):
    pass


_ExchangeBodiesRequestMust = TypedDict(
    "_ExchangeBodiesRequestMust",
    {
        # How much is kept, as it was sent.
        "bytes": int,
        # Nothing is missing behind it.
        "whole": bool,
        # How many values were left out.
        "redacted": int,
    },
)


_ExchangeBodiesRequestMay = TypedDict(
    "_ExchangeBodiesRequestMay",
    {
        # Content-Type, as it was said.
        "type": str,
        # Content-Encoding, as it was said.
        "coding": str,
        # Decoded, where it is text. Written by a workload or an origin: never render it.
        "text": str,
        # As it was sent, where it is no text.
        "base64": str,
        # Why it is not shown as it is.
        "note": str,
    },
    total=False,
)


class ExchangeBodiesRequest(_ExchangeBodiesRequestMust, _ExchangeBodiesRequestMay):
    pass


_ExchangeBodiesRecordingMust = TypedDict(
    "_ExchangeBodiesRecordingMust",
    {
        # Lines of asciicast (version 2) in ASCII: its head, and what the shell showed. To play them is to do with a terminal what the shell said.
        "cast": str,
        # How much is kept of all of it.
        "bytes": int,
        # It goes on to the end of the shell.
        "whole": bool,
    },
)


_ExchangeBodiesRecordingMay = TypedDict(
    "_ExchangeBodiesRecordingMay",
    {
        # `from` of the lines behind these; absent where there are none.
        "next": int,
    },
    total=False,
)


class ExchangeBodiesRecording(_ExchangeBodiesRecordingMust, _ExchangeBodiesRecordingMay):
    pass


_ExchangeBodiesMust = TypedDict(
    "_ExchangeBodiesMust",
    {
    },
)


_ExchangeBodiesMay = TypedDict(
    "_ExchangeBodiesMay",
    {
        "request": ExchangeBodiesRequest,
        "response": ExchangeBodiesRequest,
        # Of a shell of SSH.
        "recording": ExchangeBodiesRecording,
    },
    total=False,
)


class ExchangeBodies(_ExchangeBodiesMust, _ExchangeBodiesMay):
    pass


_SessionMust = TypedDict(
    "_SessionMust",
    {
        "id": str,
        "principal": str,
        # Of its token.
        "claims": Dict[str, Any],
        "state": Literal["enrolled", "committed", "ended", "revoked"],
        "created": str,
        # How many tunnels it has now, over all gateways.
        "tunnels": int,
        # The facts of its posture that hold.
        "posture": List[str],
        # Why others do not.
        "notes": List[str],
        "agentVersion": str,
        "expires": str,
    },
)


_SessionMay = TypedDict(
    "_SessionMay",
    {
        "lastSeen": str,
        # How it came in: `proxy` is the listener for clients without an agent, whose token is in the container.
        "way": Literal["agent", "proxy"],
        "ended": str,
        # Version of the policy that it is judged by.
        "policy": str,
        # Why it ended.
        "reason": str,
    },
    total=False,
)


class Session(_SessionMust, _SessionMay):
    pass


_IssueSessionTokenMust = TypedDict(
    "_IssueSessionTokenMust",
    {
        # It starts one session. No store has it. For two minutes at the most, the same `Idempotency-Key` gets it again.
        "token": str,
        # The `jti` among the claims of its session.
        "id": str,
        # Of its session.
        "principal": str,
        "expires": str,
    },
)


_IssueSessionTokenMay = TypedDict(
    "_IssueSessionTokenMay",
    {
    },
    total=False,
)


class IssueSessionToken(_IssueSessionTokenMust, _IssueSessionTokenMay):
    pass


_WithdrawSessionTokenMust = TypedDict(
    "_WithdrawSessionTokenMust",
    {
        # The `jti`.
        "id": str,
        # `used`: a session was committed by it before, and goes on until it is ended. That of a proxy token ends with it.
        "state": Literal["withdrawn", "used"],
    },
)


_WithdrawSessionTokenMay = TypedDict(
    "_WithdrawSessionTokenMay",
    {
        # The session that used it; of a withdrawn one, that which was revoked with it.
        "session": str,
    },
    total=False,
)


class WithdrawSessionToken(_WithdrawSessionTokenMust, _WithdrawSessionTokenMay):
    pass


_AccessRequestQuestionBoundItemMust = TypedDict(
    "_AccessRequestQuestionBoundItemMust",
    {
        "name": str,
        "value": str,
    },
)


_AccessRequestQuestionBoundItemMay = TypedDict(
    "_AccessRequestQuestionBoundItemMay",
    {
    },
    total=False,
)


class AccessRequestQuestionBoundItem(_AccessRequestQuestionBoundItemMust, _AccessRequestQuestionBoundItemMay):
    pass


_AccessRequestQuestionAnsweredMust = TypedDict(
    "_AccessRequestQuestionAnsweredMust",
    {
        "decision": Literal["once", "session", "minutes", "always", "deny"],
        "by": str,
    },
)


_AccessRequestQuestionAnsweredMay = TypedDict(
    "_AccessRequestQuestionAnsweredMay",
    {
        # Absent: as long as its session.
        "ends": str,
    },
    total=False,
)


class AccessRequestQuestionAnswered(_AccessRequestQuestionAnsweredMust, _AccessRequestQuestionAnsweredMay):
    pass


_AccessRequestQuestionMust = TypedDict(
    "_AccessRequestQuestionMust",
    {
        # Until when a client waits; then it is refused, and the answer holds for the one that comes back.
        "until": str,
        # The rule that asks.
        "rule": str,
        # What a decision holds for, in the order in which people read it.
        "bound": List[AccessRequestQuestionBoundItem],
        # `unseen`: nobody could look at the body. A decision holds for any; `once` for that of the digest in `bound`, if there is one.
        "body": Literal["seen", "unseen"],
        # How far a decision may hold, as the rule says.
        "choices": List[Literal["once", "session", "minutes", "always"]],
    },
)


_AccessRequestQuestionMay = TypedDict(
    "_AccessRequestQuestionMay",
    {
        # The beginning of the body, where it is text, until somebody has answered: the workload's own words.
        "shown": str,
        # What somebody said.
        "answered": AccessRequestQuestionAnswered,
    },
    total=False,
)


class AccessRequestQuestion(_AccessRequestQuestionMust, _AccessRequestQuestionMay):
    pass


_AccessRequestAskedMust = TypedDict(
    "_AccessRequestAskedMust",
    {
        "scheme": Literal["http", "https"],
        "host": str,
        "port": int,
    },
)


_AccessRequestAskedMay = TypedDict(
    "_AccessRequestAskedMay",
    {
        "method": str,
        "path": str,
    },
    total=False,
)


class AccessRequestAsked(_AccessRequestAskedMust, _AccessRequestAskedMay):
    pass


_AccessRequestTermsMust = TypedDict(
    "_AccessRequestTermsMust",
    {
        "scope": Literal["host", "path", "exact"],
        "subject": Literal["session", "principal"],
        "ends": str,
    },
)


_AccessRequestTermsMay = TypedDict(
    "_AccessRequestTermsMay",
    {
        # Only pushes that create or update these refs.
        "refs": List[str],
    },
    total=False,
)


class AccessRequestTerms(_AccessRequestTermsMust, _AccessRequestTermsMay):
    pass


_AccessRequestMust = TypedDict(
    "_AccessRequestMust",
    {
        "id": str,
        "session": str,
        "principal": str,
        "state": Literal["pending", "granted", "denied", "revoked", "ended"],
        "asked": AccessRequestAsked,
        # The workload's own words.
        "reason": str,
        "created": str,
        "pendingUntil": str,
    },
)


_AccessRequestMay = TypedDict(
    "_AccessRequestMay",
    {
        # `request`, also where it is absent: what was asked for stays refused until somebody decides. `question`: a rule holds a request back until somebody decides.
        "kind": Literal["request", "question"],
        "question": AccessRequestQuestion,
        # Of the denial that led to it, as the workload says.
        "trace": str,
        "decided": str,
        "note": str,
        "terms": AccessRequestTerms,
    },
    total=False,
)


class AccessRequest(_AccessRequestMust, _AccessRequestMay):
    pass


_PolicyRulesItemMust = TypedDict(
    "_PolicyRulesItemMust",
    {
        "name": str,
        "effect": Literal["allow", "deny"],
    },
)


_PolicyRulesItemMay = TypedDict(
    "_PolicyRulesItemMay",
    {
        "place": str,
        # Which published policy it is of.
        "policy": str,
    },
    total=False,
)


class PolicyRulesItem(_PolicyRulesItemMust, _PolicyRulesItemMay):
    pass


_PolicyRefusedItemMust = TypedDict(
    "_PolicyRefusedItemMust",
    {
        "policy": str,
        "number": int,
        "since": str,
        "problems": List[str],
    },
)


_PolicyRefusedItemMay = TypedDict(
    "_PolicyRefusedItemMay",
    {
    },
    total=False,
)


class PolicyRefusedItem(_PolicyRefusedItemMust, _PolicyRefusedItemMay):
    pass


_PolicyMust = TypedDict(
    "_PolicyMust",
    {
        "version": str,
        "ageSeconds": float,
        # How long there has been something newer that cannot be taken.
        "staleSeconds": float,
        "mode": Literal["files", "store", "observe", "deny"],
        "rules": List[PolicyRulesItem],
        # Published versions that this gateway cannot take.
        "refused": List[PolicyRefusedItem],
    },
)


_PolicyMay = TypedDict(
    "_PolicyMay",
    {
    },
    total=False,
)


class Policy(_PolicyMust, _PolicyMay):
    pass


_CheckPolicyProblemsItemMust = TypedDict(
    "_CheckPolicyProblemsItemMust",
    {
        "severity": Literal["error", "warning"],
        "message": str,
    },
)


_CheckPolicyProblemsItemMay = TypedDict(
    "_CheckPolicyProblemsItemMay",
    {
        "file": str,
        "line": int,
        "column": int,
    },
    total=False,
)


class CheckPolicyProblemsItem(_CheckPolicyProblemsItemMust, _CheckPolicyProblemsItemMay):
    pass


_CheckPolicyMust = TypedDict(
    "_CheckPolicyMust",
    {
        "ok": bool,
        "problems": List[CheckPolicyProblemsItem],
    },
)


_CheckPolicyMay = TypedDict(
    "_CheckPolicyMay",
    {
        "version": str,
        "rules": int,
    },
    total=False,
)


class CheckPolicy(_CheckPolicyMust, _CheckPolicyMay):
    pass


_ExplainPolicyStepsItemStopsAtMust = TypedDict(
    "_ExplainPolicyStepsItemStopsAtMust",
    {
        "condition": str,
        "wanted": str,
    },
)


_ExplainPolicyStepsItemStopsAtMay = TypedDict(
    "_ExplainPolicyStepsItemStopsAtMay",
    {
    },
    total=False,
)


class ExplainPolicyStepsItemStopsAt(_ExplainPolicyStepsItemStopsAtMust, _ExplainPolicyStepsItemStopsAtMay):
    pass


_ExplainPolicyStepsItemMust = TypedDict(
    "_ExplainPolicyStepsItemMust",
    {
        "rule": str,
        "effect": Literal["allow", "deny"],
        "outcome": str,
        "because": str,
        # Conditions that the rule has beside its hosts, in the order in which they are asked.
        "looksAt": List[str],
    },
)


_ExplainPolicyStepsItemMay = TypedDict(
    "_ExplainPolicyStepsItemMay",
    {
        "place": str,
        # Of a rule that does not match: by which condition, and what it would have.
        "stopsAt": ExplainPolicyStepsItemStopsAt,
        # Which published policy it is of.
        "policy": str,
    },
    total=False,
)


class ExplainPolicyStepsItem(_ExplainPolicyStepsItemMust, _ExplainPolicyStepsItemMay):
    pass


_ExplainPolicyMust = TypedDict(
    "_ExplainPolicyMust",
    {
        "request": str,
        # Version of the policy that was asked.
        "policy": str,
        "effect": Literal["allow", "deny"],
        "rule": str,
        # Names of the credentials that would be put on it.
        "inject": List[str],
        "steps": List[ExplainPolicyStepsItem],
        # The same for a terminal.
        "text": str,
    },
)


_ExplainPolicyMay = TypedDict(
    "_ExplainPolicyMay",
    {
        # Which published policy the rule is of.
        "policyName": str,
        "place": str,
        # What the body was read as, where one was given.
        "body": str,
        # What the workload would be told.
        "reason": str,
    },
    total=False,
)


class ExplainPolicy(_ExplainPolicyMust, _ExplainPolicyMay):
    pass


_PolicyTextFilesItemMust = TypedDict(
    "_PolicyTextFilesItemMust",
    {
        "name": str,
        "text": str,
    },
)


_PolicyTextFilesItemMay = TypedDict(
    "_PolicyTextFilesItemMay",
    {
        "policy": str,
    },
    total=False,
)


class PolicyTextFilesItem(_PolicyTextFilesItemMust, _PolicyTextFilesItemMay):
    pass


_PolicyTextMust = TypedDict(
    "_PolicyTextMust",
    {
        "version": str,
        "files": List[PolicyTextFilesItem],
    },
)


_PolicyTextMay = TypedDict(
    "_PolicyTextMay",
    {
    },
    total=False,
)


class PolicyText(_PolicyTextMust, _PolicyTextMay):
    pass


_PolicyVersionFilesItemMust = TypedDict(
    "_PolicyVersionFilesItemMust",
    {
        "name": str,
        "text": str,
    },
)


_PolicyVersionFilesItemMay = TypedDict(
    "_PolicyVersionFilesItemMay",
    {
    },
    total=False,
)


class PolicyVersionFilesItem(_PolicyVersionFilesItemMust, _PolicyVersionFilesItemMay):
    pass


_PolicyVersionMust = TypedDict(
    "_PolicyVersionMust",
    {
        # `policy@number`.
        "id": str,
        "policy": str,
        "number": int,
        # Hash of what the files say.
        "version": str,
        "withdrawn": bool,
        "published": str,
        "publishedBy": str,
        "files": List[PolicyVersionFilesItem],
    },
)


_PolicyVersionMay = TypedDict(
    "_PolicyVersionMay",
    {
        # Only sessions with these claims; absent: all.
        "for": Dict[str, Any],
        "note": str,
        # It is this earlier version again.
        "backTo": int,
    },
    total=False,
)


class PolicyVersion(_PolicyVersionMust, _PolicyVersionMay):
    pass


_PublishPolicyMust = TypedDict(
    "_PublishPolicyMust",
    {
        "version": PolicyVersion,
        "warnings": List[str],
    },
)


_PublishPolicyMay = TypedDict(
    "_PublishPolicyMay",
    {
        # What the change means, for people.
        "diff": str,
    },
    total=False,
)


class PublishPolicy(_PublishPolicyMust, _PublishPolicyMay):
    pass


_DiffPolicyMust = TypedDict(
    "_DiffPolicyMust",
    {
        "opened": List[str],
        "closed": List[str],
        "added": List[str],
        "removed": List[str],
        "changed": List[str],
        # All of it, for people.
        "text": str,
    },
)


_DiffPolicyMay = TypedDict(
    "_DiffPolicyMay",
    {
        # Why nothing is said of what opens and closes: the policies name too much.
        "notCompared": str,
    },
    total=False,
)


class DiffPolicy(_DiffPolicyMust, _DiffPolicyMay):
    pass


_ReplayPolicyFlipsItemWasMust = TypedDict(
    "_ReplayPolicyFlipsItemWasMust",
    {
        "effect": Literal["allow", "deny", "failed"],
        "rule": str,
        "injected": List[str],
    },
)


_ReplayPolicyFlipsItemWasMay = TypedDict(
    "_ReplayPolicyFlipsItemWasMay",
    {
    },
    total=False,
)


class ReplayPolicyFlipsItemWas(_ReplayPolicyFlipsItemWasMust, _ReplayPolicyFlipsItemWasMay):
    pass


_ReplayPolicyFlipsItemMust = TypedDict(
    "_ReplayPolicyFlipsItemMust",
    {
        "change": str,
        "request": str,
        "was": ReplayPolicyFlipsItemWas,
        "would": ReplayPolicyFlipsItemWas,
        "count": int,
        # Of one of them.
        "traceId": str,
    },
)


_ReplayPolicyFlipsItemMay = TypedDict(
    "_ReplayPolicyFlipsItemMay",
    {
    },
    total=False,
)


class ReplayPolicyFlipsItem(_ReplayPolicyFlipsItemMust, _ReplayPolicyFlipsItemMay):
    pass


_ReplayPolicyNotReplayedItemMust = TypedDict(
    "_ReplayPolicyNotReplayedItemMust",
    {
        "reason": str,
        "count": int,
    },
)


_ReplayPolicyNotReplayedItemMay = TypedDict(
    "_ReplayPolicyNotReplayedItemMay",
    {
    },
    total=False,
)


class ReplayPolicyNotReplayedItem(_ReplayPolicyNotReplayedItemMust, _ReplayPolicyNotReplayedItemMay):
    pass


_ReplayPolicyUnsureItemMust = TypedDict(
    "_ReplayPolicyUnsureItemMust",
    {
        "request": str,
        "reason": str,
        "count": int,
    },
)


_ReplayPolicyUnsureItemMay = TypedDict(
    "_ReplayPolicyUnsureItemMay",
    {
    },
    total=False,
)


class ReplayPolicyUnsureItem(_ReplayPolicyUnsureItemMust, _ReplayPolicyUnsureItemMay):
    pass


_ReplayPolicyMust = TypedDict(
    "_ReplayPolicyMust",
    {
        # Version of the policy that was asked.
        "policy": str,
        # Events that hold a decision.
        "replayed": int,
        "unchanged": int,
        # Requests whose decision, or whose credentials, would differ.
        "flipped": int,
        # The most frequent of them, alike ones together.
        "flips": List[ReplayPolicyFlipsItem],
        # The same decision by another rule, or refused by something else then.
        "others": List[ReplayPolicyFlipsItem],
        # Events without a decision, and why.
        "notReplayed": List[ReplayPolicyNotReplayedItem],
        # What cannot be told from what is recorded.
        "unsure": List[ReplayPolicyUnsureItem],
        "fieldsUnseen": int,
    },
)


_ReplayPolicyMay = TypedDict(
    "_ReplayPolicyMay",
    {
        # Up to which time was looked; absent: nothing is older.
        "searchedTo": str,
    },
    total=False,
)


class ReplayPolicy(_ReplayPolicyMust, _ReplayPolicyMay):
    pass


_ReplayWholeMust = TypedDict(
    "_ReplayWholeMust",
    {
        # Events that were looked at so far.
        "looked": int,
    },
)


_ReplayWholeMay = TypedDict(
    "_ReplayWholeMay",
    {
        # The newest come first: up to this time.
        "searchedTo": str,
        # Of the oldest event that will be looked at.
        "oldest": str,
        # In the last one alone.
        "result": ReplayPolicy,
    },
    total=False,
)


class ReplayWhole(_ReplayWholeMust, _ReplayWholeMay):
    pass


_ForgetPackagesRecordsItemMust = TypedDict(
    "_ForgetPackagesRecordsItemMust",
    {
        # Where the registry begins.
        "at": str,
        "name": str,
        # A version, or a file of one.
        "item": str,
        "firstSeen": str,
        # With which the registry was asked, by name.
        "credentials": List[str],
    },
)


_ForgetPackagesRecordsItemMay = TypedDict(
    "_ForgetPackagesRecordsItemMay",
    {
        # What was promised of it first.
        "digest": str,
    },
    total=False,
)


class ForgetPackagesRecordsItem(_ForgetPackagesRecordsItemMust, _ForgetPackagesRecordsItemMay):
    pass


_ForgetPackagesMust = TypedDict(
    "_ForgetPackagesMust",
    {
        # What was forgotten, or would be.
        "records": List[ForgetPackagesRecordsItem],
        # How many more there are: ask again.
        "left": int,
    },
)


_ForgetPackagesMay = TypedDict(
    "_ForgetPackagesMay",
    {
    },
    total=False,
)


class ForgetPackages(_ForgetPackagesMust, _ForgetPackagesMay):
    pass


_MakeTokenRecordMust = TypedDict(
    "_MakeTokenRecordMust",
    {
        "id": str,
        "name": str,
        "role": Literal["viewer", "approver", "operator", "administrator"],
        "created": str,
        "createdBy": str,
        "expires": str,
    },
)


_MakeTokenRecordMay = TypedDict(
    "_MakeTokenRecordMay",
    {
        "sees": Dict[str, Any],
        "lastUsed": str,
        # Of a session by log-in.
        "person": WhoPerson,
    },
    total=False,
)


class MakeTokenRecord(_MakeTokenRecordMust, _MakeTokenRecordMay):
    pass


_MakeTokenMust = TypedDict(
    "_MakeTokenMust",
    {
        # No store has it. For two minutes at the most, the same `Idempotency-Key` gets it again.
        "token": str,
        "record": MakeTokenRecord,
    },
)


_MakeTokenMay = TypedDict(
    "_MakeTokenMay",
    {
    },
    total=False,
)


class MakeToken(_MakeTokenMust, _MakeTokenMay):
    pass


_ExchangesMust = TypedDict(
    "_ExchangesMust",
    {
        "items": List[AuditEvent],
    },
)


_ExchangesMay = TypedDict(
    "_ExchangesMay",
    {
        # Cursor of the next page; absent where there is none.
        "next": str,
        # Up to which time was looked. More may be found behind `next`, though no item was.
        "searchedTo": str,
    },
    total=False,
)


class Exchanges(_ExchangesMust, _ExchangesMay):
    pass


_ExportEventsMust = TypedDict(
    "_ExportEventsMust",
    {
        "items": List[AuditEvent],
    },
)


_ExportEventsMay = TypedDict(
    "_ExportEventsMay",
    {
        "next": str,
    },
    total=False,
)


class ExportEvents(_ExportEventsMust, _ExportEventsMay):
    pass


_OpenExchangesMust = TypedDict(
    "_OpenExchangesMust",
    {
        "items": List[AuditEvent],
        # The clock of the gateway.
        "now": str,
    },
)


_OpenExchangesMay = TypedDict(
    "_OpenExchangesMay",
    {
        # Cursor of the next page; absent where there is none.
        "next": str,
    },
    total=False,
)


class OpenExchanges(_OpenExchangesMust, _OpenExchangesMay):
    pass


_SessionsMust = TypedDict(
    "_SessionsMust",
    {
        "items": List[Session],
    },
)


_SessionsMay = TypedDict(
    "_SessionsMay",
    {
        "next": str,
    },
    total=False,
)


class Sessions(_SessionsMust, _SessionsMay):
    pass


_SessionLeasesItemsItemMust = TypedDict(
    "_SessionLeasesItemsItemMust",
    {
        # Its name in the configuration.
        "credential": str,
        # `asked`: no response is written down yet. `released`: it is to be given back.
        "state": Literal["asked", "held", "released"],
        "asked": str,
        # How often it was to be given back.
        "attempts": int,
    },
)


_SessionLeasesItemsItemMay = TypedDict(
    "_SessionLeasesItemsItemMay",
    {
        # When it ends by itself, unless it is prolonged.
        "expires": str,
    },
    total=False,
)


class SessionLeasesItemsItem(_SessionLeasesItemsItemMust, _SessionLeasesItemsItemMay):
    pass


_SessionLeasesMust = TypedDict(
    "_SessionLeasesMust",
    {
        "items": List[SessionLeasesItemsItem],
    },
)


_SessionLeasesMay = TypedDict(
    "_SessionLeasesMay",
    {
    },
    total=False,
)


class SessionLeases(_SessionLeasesMust, _SessionLeasesMay):
    pass


_AccessRequestsMust = TypedDict(
    "_AccessRequestsMust",
    {
        "items": List[AccessRequest],
    },
)


_AccessRequestsMay = TypedDict(
    "_AccessRequestsMay",
    {
        "next": str,
    },
    total=False,
)


class AccessRequests(_AccessRequestsMust, _AccessRequestsMay):
    pass


_PolicyHistoryItemsItemGatewaysItemMust = TypedDict(
    "_PolicyHistoryItemsItemGatewaysItemMust",
    {
        "gateway": str,
        "state": Literal["taken", "refused"],
        "time": str,
    },
)


_PolicyHistoryItemsItemGatewaysItemMay = TypedDict(
    "_PolicyHistoryItemsItemGatewaysItemMay",
    {
        "reason": str,
    },
    total=False,
)


class PolicyHistoryItemsItemGatewaysItem(_PolicyHistoryItemsItemGatewaysItemMust, _PolicyHistoryItemsItemGatewaysItemMay):
    pass


_PolicyHistoryItemsItemMust = TypedDict(
    "_PolicyHistoryItemsItemMust",
    {
        # `policy@number`.
        "id": str,
        "policy": str,
        "number": int,
        # Hash of what the files say.
        "version": str,
        "withdrawn": bool,
        "published": str,
        "publishedBy": str,
        # It is the published one. A gateway that cannot take it keeps the one before.
        "inForce": bool,
        "gateways": List[PolicyHistoryItemsItemGatewaysItem],
    },
)


_PolicyHistoryItemsItemMay = TypedDict(
    "_PolicyHistoryItemsItemMay",
    {
        # Only sessions with these claims; absent: all.
        "for": Dict[str, Any],
        "note": str,
        # It is this earlier version again.
        "backTo": int,
    },
    total=False,
)


class PolicyHistoryItemsItem(_PolicyHistoryItemsItemMust, _PolicyHistoryItemsItemMay):
    pass


_PolicyHistoryMust = TypedDict(
    "_PolicyHistoryMust",
    {
        "items": List[PolicyHistoryItemsItem],
    },
)


_PolicyHistoryMay = TypedDict(
    "_PolicyHistoryMay",
    {
        "next": str,
    },
    total=False,
)


class PolicyHistory(_PolicyHistoryMust, _PolicyHistoryMay):
    pass


_UsesItemsItemRecentMust = TypedDict(
    "_UsesItemsItemRecentMust",
    {
        "allowed": int,
        "denied": int,
        # Allowed, and not done.
        "failed": int,
    },
)


_UsesItemsItemRecentMay = TypedDict(
    "_UsesItemsItemRecentMay",
    {
    },
    total=False,
)


class UsesItemsItemRecent(_UsesItemsItemRecentMust, _UsesItemsItemRecentMay):
    pass


_UsesItemsItemLastFailureMust = TypedDict(
    "_UsesItemsItemLastFailureMust",
    {
        "time": str,
        # A code of errors.md; `status_401` where the origin did not accept the credential.
        "code": str,
    },
)


_UsesItemsItemLastFailureMay = TypedDict(
    "_UsesItemsItemLastFailureMay",
    {
        "trace": str,
    },
    total=False,
)


class UsesItemsItemLastFailure(_UsesItemsItemLastFailureMust, _UsesItemsItemLastFailureMay):
    pass


_UsesItemsItemMust = TypedDict(
    "_UsesItemsItemMust",
    {
        "name": str,
        # Since `since`, and as long as the store remembers it.
        "uses": int,
        "lastUsed": str,
        # Since `from`.
        "recent": UsesItemsItemRecent,
    },
)


_UsesItemsItemMay = TypedDict(
    "_UsesItemsItemMay",
    {
        # Which published policy the rule is of.
        "policy": str,
        "lastFailure": UsesItemsItemLastFailure,
    },
    total=False,
)


class UsesItemsItem(_UsesItemsItemMust, _UsesItemsItemMay):
    pass


_UsesMust = TypedDict(
    "_UsesMust",
    {
        "items": List[UsesItemsItem],
    },
)


_UsesMay = TypedDict(
    "_UsesMay",
    {
        # Since when the store counts. Absent where it does not count yet.
        "since": str,
        # From when on `recent` counts: the full hour, 24 hours ago.
        "from": str,
    },
    total=False,
)


class Uses(_UsesMust, _UsesMay):
    pass


_HoursItemsItemMust = TypedDict(
    "_HoursItemsItemMust",
    {
        "time": str,
        "allowed": int,
        "denied": int,
        "failed": int,
    },
)


_HoursItemsItemMay = TypedDict(
    "_HoursItemsItemMay",
    {
    },
    total=False,
)


class HoursItemsItem(_HoursItemsItemMust, _HoursItemsItemMay):
    pass


_HoursMust = TypedDict(
    "_HoursMust",
    {
        "items": List[HoursItemsItem],
    },
)


_HoursMay = TypedDict(
    "_HoursMay",
    {
        # Since when the store counts. Absent where it does not count yet.
        "since": str,
        # From when on `recent` counts: the full hour, 24 hours ago.
        "from": str,
    },
    total=False,
)


class Hours(_HoursMust, _HoursMay):
    pass


_GrantUsesItemsItemMust = TypedDict(
    "_GrantUsesItemsItemMust",
    {
        "id": str,
        "uses": int,
        "lastUsed": str,
    },
)


_GrantUsesItemsItemMay = TypedDict(
    "_GrantUsesItemsItemMay",
    {
    },
    total=False,
)


class GrantUsesItemsItem(_GrantUsesItemsItemMust, _GrantUsesItemsItemMay):
    pass


_GrantUsesMust = TypedDict(
    "_GrantUsesMust",
    {
        "items": List[GrantUsesItemsItem],
        # Of these it is not told: they are of a principal whose other sessions are not theirs who ask.
        "unknown": List[str],
    },
)


_GrantUsesMay = TypedDict(
    "_GrantUsesMay",
    {
        # Since when the store counts. Absent where it does not count yet.
        "since": str,
    },
    total=False,
)


class GrantUses(_GrantUsesMust, _GrantUsesMay):
    pass


_GatewaysItemsItemMust = TypedDict(
    "_GatewaysItemsItemMust",
    {
        "gateway": str,
        # `lost`: nothing was heard of it for as long as it said it would be.
        "state": Literal["serving", "draining", "left", "lost"],
        "processes": int,
        # It has taken all that was revoked, granted and published.
        "upToDate": bool,
    },
)


_GatewaysItemsItemMay = TypedDict(
    "_GatewaysItemsItemMay",
    {
        # At which others reach it.
        "address": str,
    },
    total=False,
)


class GatewaysItemsItem(_GatewaysItemsItemMust, _GatewaysItemsItemMay):
    pass


_GatewaysMust = TypedDict(
    "_GatewaysMust",
    {
        "items": List[GatewaysItemsItem],
    },
)


_GatewaysMay = TypedDict(
    "_GatewaysMay",
    {
        "next": str,
    },
    total=False,
)


class Gateways(_GatewaysMust, _GatewaysMay):
    pass


_CredentialsItemsItemMust = TypedDict(
    "_CredentialsItemsItemMust",
    {
        "name": str,
        "kind": str,
        # What workloads see in its place.
        "variables": List[str],
    },
)


_CredentialsItemsItemMay = TypedDict(
    "_CredentialsItemsItemMay",
    {
        # As its last use over all gateways ended; `unused`: it has no use that the store remembers.
        "state": Literal["unused", "works", "failing", "unknown"],
        # When it was put on a request last, or could not be had for one.
        "lastUsed": str,
        # Requests with it since `from` of `uses`.
        "recent": UsesItemsItemRecent,
        # `credential_unavailable`, or `status_401` where the origin did not accept it.
        "lastError": UsesItemsItemLastFailure,
    },
    total=False,
)


class CredentialsItemsItem(_CredentialsItemsItemMust, _CredentialsItemsItemMay):
    pass


_CredentialsMust = TypedDict(
    "_CredentialsMust",
    {
        "items": List[CredentialsItemsItem],
    },
)


_CredentialsMay = TypedDict(
    "_CredentialsMay",
    {
        "next": str,
    },
    total=False,
)


class Credentials(_CredentialsMust, _CredentialsMay):
    pass


_LimitsItemsItemMust = TypedDict(
    "_LimitsItemsItemMust",
    {
        "name": str,
        "value": float,
        "code": str,
        "reason": str,
        "reached": int,
    },
)


_LimitsItemsItemMay = TypedDict(
    "_LimitsItemsItemMay",
    {
    },
    total=False,
)


class LimitsItemsItem(_LimitsItemsItemMust, _LimitsItemsItemMay):
    pass


_LimitsMust = TypedDict(
    "_LimitsMust",
    {
        "items": List[LimitsItemsItem],
    },
)


_LimitsMay = TypedDict(
    "_LimitsMay",
    {
        "next": str,
    },
    total=False,
)


class Limits(_LimitsMust, _LimitsMay):
    pass


_TokensMust = TypedDict(
    "_TokensMust",
    {
        "items": List[MakeTokenRecord],
    },
)


_TokensMay = TypedDict(
    "_TokensMay",
    {
        "next": str,
    },
    total=False,
)


class Tokens(_TokensMust, _TokensMay):
    pass


_LogInBodyMust = TypedDict(
    "_LogInBodyMust",
    {
        # Of the link; it works once.
        "secret": str,
    },
)


_LogInBodyMay = TypedDict(
    "_LogInBodyMay",
    {
    },
    total=False,
)


class LogInBody(_LogInBodyMust, _LogInBodyMay):
    pass


_VerifyAuditBodyMust = TypedDict(
    "_VerifyAuditBodyMust",
    {
    },
)


_VerifyAuditBodyMay = TypedDict(
    "_VerifyAuditBodyMay",
    {
        # What was stored from this time on; all that is kept by default.
        "since": str,
        # What was stored before this time.
        "until": str,
    },
    total=False,
)


class VerifyAuditBody(_VerifyAuditBodyMust, _VerifyAuditBodyMay):
    pass


_RevokeSessionBodyMust = TypedDict(
    "_RevokeSessionBodyMust",
    {
    },
)


_RevokeSessionBodyMay = TypedDict(
    "_RevokeSessionBodyMay",
    {
        # Why; it stands in the audit, and the agent is told.
        "reason": str,
    },
    total=False,
)


class RevokeSessionBody(_RevokeSessionBodyMust, _RevokeSessionBodyMay):
    pass


_IssueSessionTokenBodyMust = TypedDict(
    "_IssueSessionTokenBodyMust",
    {
        # Whose session it is, such as the job's or the container's name.
        "subject": str,
    },
)


_IssueSessionTokenBodyMay = TypedDict(
    "_IssueSessionTokenBodyMay",
    {
        # Further claims, for policies to look at.
        "claims": Dict[str, Union[Union[str, float, bool], List[Union[str, float, bool]]]],
        # Within what time the session must be started, as configured by default; how long a proxy token is good, an hour by default.
        "seconds": int,
        # `session`, the default, for an agent; `proxy` for clients without one, which show it with each connection.
        "kind": Literal["session", "proxy"],
        # Of a proxy token: the addresses that it may come from, such as `10.1.0.0/16`.
        "networks": List[str],
    },
    total=False,
)


class IssueSessionTokenBody(_IssueSessionTokenBodyMust, _IssueSessionTokenBodyMay):
    pass


_GrantAccessBodyMust = TypedDict(
    "_GrantAccessBodyMust",
    {
        # For how long it holds.
        "seconds": int,
    },
)


_GrantAccessBodyMay = TypedDict(
    "_GrantAccessBodyMay",
    {
        # `exact` by default; `host` where no path was asked for.
        "scope": Literal["host", "path", "exact"],
        # `session` by default.
        "subject": Literal["session", "principal"],
        # Where a repository was asked for: only pushes to it that create or update these refs, such as `refs/heads/agent/**`.
        "refs": List[str],
        # Words for the workload.
        "note": str,
    },
    total=False,
)


class GrantAccessBody(_GrantAccessBodyMust, _GrantAccessBodyMay):
    pass


_DenyAccessBodyMust = TypedDict(
    "_DenyAccessBodyMust",
    {
    },
)


_DenyAccessBodyMay = TypedDict(
    "_DenyAccessBodyMay",
    {
        # Words for the workload.
        "note": str,
    },
    total=False,
)


class DenyAccessBody(_DenyAccessBodyMust, _DenyAccessBodyMay):
    pass


_DecideQuestionBodyMust = TypedDict(
    "_DecideQuestionBodyMust",
    {
        # `minutes`: 15 of them; `always` holds as `once` does and proposes a rule.
        "decision": Literal["once", "session", "minutes", "always", "deny"],
    },
)


_DecideQuestionBodyMay = TypedDict(
    "_DecideQuestionBodyMay",
    {
        # Words for the workload.
        "note": str,
    },
    total=False,
)


class DecideQuestionBody(_DecideQuestionBodyMust, _DecideQuestionBodyMay):
    pass


_CheckPolicyBodyFilesItemMust = TypedDict(
    "_CheckPolicyBodyFilesItemMust",
    {
        "name": str,
        "text": str,
    },
)


_CheckPolicyBodyFilesItemMay = TypedDict(
    "_CheckPolicyBodyFilesItemMay",
    {
    },
    total=False,
)


class CheckPolicyBodyFilesItem(_CheckPolicyBodyFilesItemMust, _CheckPolicyBodyFilesItemMay):
    pass


_CheckPolicyBodyMust = TypedDict(
    "_CheckPolicyBodyMust",
    {
        # Policy files with their texts, in their order.
        "files": List[CheckPolicyBodyFilesItem],
    },
)


_CheckPolicyBodyMay = TypedDict(
    "_CheckPolicyBodyMay",
    {
    },
    total=False,
)


class CheckPolicyBody(_CheckPolicyBodyMust, _CheckPolicyBodyMay):
    pass


_ExplainPolicyBodyPushedItemMust = TypedDict(
    "_ExplainPolicyBodyPushedItemMust",
    {
        "ref": str,
        "change": Literal["create", "update", "delete"],
    },
)


_ExplainPolicyBodyPushedItemMay = TypedDict(
    "_ExplainPolicyBodyPushedItemMay",
    {
    },
    total=False,
)


class ExplainPolicyBodyPushedItem(_ExplainPolicyBodyPushedItemMust, _ExplainPolicyBodyPushedItemMay):
    pass


_ExplainPolicyBodyMust = TypedDict(
    "_ExplainPolicyBodyMust",
    {
        # Of the request; CONNECT asks for a connection alone.
        "method": str,
        "url": str,
    },
)


_ExplainPolicyBodyMay = TypedDict(
    "_ExplainPolicyBodyMay",
    {
        "headers": List[List[str]],
        # Of a POST to …/git-receive-pack: what the push does to which refs.
        "pushed": List[ExplainPolicyBodyPushedItem],
        # Its options (`git push -o`).
        "pushOptions": List[str],
        # Of the request, as text; of JSON where no Content-Type is given. Rules that look into bodies judge by it. Of a POST to https://upstreamproxy.invalid/sign: the commit or tag to sign.
        "body": str,
        # The same for octets that are no text, such as an encoded body.
        "bodyBase64": str,
        # Judged as this session is, by its claims and posture.
        "session": str,
        # Of a token, where no session is named. Who sees only some sessions: just the claims that make one theirs.
        "claims": Dict[str, Any],
        "posture": List[str],
        # Another policy than the one in force.
        "files": List[CheckPolicyBodyFilesItem],
        # `policyVersion` of an event: as the policy of then decided, where its text is kept; `policy` of the response says which it was.
        "version": str,
        # As of this time; now by default.
        "at": str,
    },
    total=False,
)


class ExplainPolicyBody(_ExplainPolicyBodyMust, _ExplainPolicyBodyMay):
    pass


_PublishPolicyBodyMust = TypedDict(
    "_PublishPolicyBodyMust",
    {
        # Policy files with their texts, in their order.
        "files": List[CheckPolicyBodyFilesItem],
    },
)


_PublishPolicyBodyMay = TypedDict(
    "_PublishPolicyBodyMay",
    {
        # Only sessions with these claims, `*` stands for any text; absent: as before.
        "for": Dict[str, Union[str, float, bool]],
        # Why; it stands in the history.
        "note": str,
        # The number of the published version that was seen, 0 for none. This or If-Match is needed.
        "seen": int,
    },
    total=False,
)


class PublishPolicyBody(_PublishPolicyBodyMust, _PublishPolicyBodyMay):
    pass


_RollBackPolicyBodyMust = TypedDict(
    "_RollBackPolicyBodyMust",
    {
        "to": int,
    },
)


_RollBackPolicyBodyMay = TypedDict(
    "_RollBackPolicyBodyMay",
    {
        # Why; it stands in the history.
        "note": str,
        # The number of the published version that was seen, 0 for none. This or If-Match is needed.
        "seen": int,
    },
    total=False,
)


class RollBackPolicyBody(_RollBackPolicyBodyMust, _RollBackPolicyBodyMay):
    pass


_WithdrawPolicyBodyMust = TypedDict(
    "_WithdrawPolicyBodyMust",
    {
    },
)


_WithdrawPolicyBodyMay = TypedDict(
    "_WithdrawPolicyBodyMay",
    {
        # Why; it stands in the history.
        "note": str,
        # The number of the published version that was seen, 0 for none. This or If-Match is needed.
        "seen": int,
    },
    total=False,
)


class WithdrawPolicyBody(_WithdrawPolicyBodyMust, _WithdrawPolicyBodyMay):
    pass


_DiffPolicyBodyBeforeMust = TypedDict(
    "_DiffPolicyBodyBeforeMust",
    {
    },
)


_DiffPolicyBodyBeforeMay = TypedDict(
    "_DiffPolicyBodyBeforeMay",
    {
        # `policy@number`, or the name of a policy for its published version.
        "version": str,
        # Policy files with their texts, in their order.
        "files": List[CheckPolicyBodyFilesItem],
    },
    total=False,
)


class DiffPolicyBodyBefore(_DiffPolicyBodyBeforeMust, _DiffPolicyBodyBeforeMay):
    pass


_DiffPolicyBodyMust = TypedDict(
    "_DiffPolicyBodyMust",
    {
        "before": DiffPolicyBodyBefore,
        "after": DiffPolicyBodyBefore,
    },
)


_DiffPolicyBodyMay = TypedDict(
    "_DiffPolicyBodyMay",
    {
    },
    total=False,
)


class DiffPolicyBody(_DiffPolicyBodyMust, _DiffPolicyBodyMay):
    pass


_ReplayPolicyBodyMust = TypedDict(
    "_ReplayPolicyBodyMust",
    {
    },
)


_ReplayPolicyBodyMay = TypedDict(
    "_ReplayPolicyBodyMay",
    {
        # As for diff.
        "version": str,
        # Policy files with their texts, in their order.
        "files": List[CheckPolicyBodyFilesItem],
        # Not before this time.
        "since": str,
        # How many events at the most, the newest first. 5,000 by default.
        "count": int,
    },
    total=False,
)


class ReplayPolicyBody(_ReplayPolicyBodyMust, _ReplayPolicyBodyMay):
    pass


_ReplayWholeBodyMust = TypedDict(
    "_ReplayWholeBodyMust",
    {
    },
)


_ReplayWholeBodyMay = TypedDict(
    "_ReplayWholeBodyMay",
    {
        # As for diff.
        "version": str,
        # Policy files with their texts, in their order.
        "files": List[CheckPolicyBodyFilesItem],
        # Not before this time; all that is kept by default.
        "since": str,
    },
    total=False,
)


class ReplayWholeBody(_ReplayWholeBodyMust, _ReplayWholeBodyMay):
    pass


_ForgetPackagesBodyMust = TypedDict(
    "_ForgetPackagesBodyMust",
    {
        # How it speaks.
        "registry": Literal["npm", "pypi", "cargo", "go", "maven", "rubygems", "oci"],
        # Nothing is forgotten: it is only told what would be.
        "dry": bool,
    },
)


_ForgetPackagesBodyMay = TypedDict(
    "_ForgetPackagesBodyMay",
    {
        # Where the registry begins. Without it all of that kind are meant.
        "index": str,
        # A package. Without it all of the registry are meant, and `index` has to be there.
        "name": str,
        # A version, or a file, as the store has it.
        "version": str,
    },
    total=False,
)


class ForgetPackagesBody(_ForgetPackagesBodyMust, _ForgetPackagesBodyMay):
    pass


_MakeTokenBodyMust = TypedDict(
    "_MakeTokenBodyMust",
    {
        # Who uses it; it stands in the audit.
        "name": str,
        "role": Literal["viewer", "approver", "operator", "administrator"],
        # For how long it is good.
        "seconds": int,
    },
)


_MakeTokenBodyMay = TypedDict(
    "_MakeTokenBodyMay",
    {
        # Only sessions whose token has these claims are seen and decided about; `*` stands for any text.
        "sees": Dict[str, Union[str, float, bool]],
    },
    total=False,
)


class MakeTokenBody(_MakeTokenBodyMust, _MakeTokenBodyMay):
    pass


#: What each type has: the members that must be there, and those that may.
SHAPES: Dict[str, List[Dict[str, Any]]] = {
    "Who": [{"name": "str", "role": ["one", ["viewer", "approver", "operator", "administrator"]], "by": ["one", ["socket", "token", "link", "oidc"]]}, {"sees": ["dict", "any"], "expires": "str", "person": ["is", "WhoPerson"], "csrf": "str"}],
    "WhoPerson": [{"issuer": "str", "subject": "str"}, {"name": "str", "email": "str"}],
    "LogIn": [{"token": "str", "expires": "str"}, {}],
    "LogInWays": [{}, {"provider": "str"}],
    "LogOut": [{}, {"providerLogOut": "str"}],
    "Health": [{"version": "str", "started": "str", "now": "str", "ready": "bool", "audit": ["one", ["written", "failing"]], "policy": ["is", "HealthPolicy"]}, {"tunnels": "int", "advisories": ["is", "HealthAdvisories"], "followers": "int"}],
    "HealthPolicy": [{"version": "str", "staleSeconds": "float"}, {}],
    "HealthAdvisories": [{"state": ["one", ["fresh", "stale", "unreadable"]], "staleSeconds": "float", "registries": ["list", ["is", "HealthAdvisoriesRegistriesItem"]]}, {"imported": "str"}],
    "HealthAdvisoriesRegistriesItem": [{"registry": "str", "packages": "int", "advisories": "int"}, {"newest": "str"}],
    "Changes": [{"change": "int", "confirmed": ["list", "str"], "missing": ["list", "str"], "seconds": "float"}, {}],
    "AuditEvent": [{"v": ["one", [1]], "id": "str", "time": "str", "kind": ["one", ["exchange", "stream", "session", "alarm"]], "traceId": "str", "verdict": ["one", ["allow", "deny", "error", "info", "unknown"]]}, {"action": "str", "lastTraceId": "str", "traceparent": "str", "count": "int", "sessionId": "str", "principal": "str", "decided": ["one", ["allow", "deny"]], "rule": "str", "policyName": "str", "policyVersion": "str", "observed": "str", "deniedField": "str", "method": "str", "scheme": "str", "host": "str", "port": "int", "path": "str", "protocol": "str", "upstreamProtocol": "str", "claimed": ["dict", "str"], "address": "str", "aliases": ["list", "str"], "connection": ["one", ["new", "kept"]], "status": "int", "errorCode": "str", "limit": "str", "message": "str", "injected": ["list", "str"], "offered": ["list", "str"], "failedCredential": "str", "git": ["is", "AuditEventGit"], "mcp": ["is", "AuditEventMcp"], "graphql": ["is", "AuditEventGraphql"], "leaks": ["list", ["is", "AuditEventLeaksItem"]], "screened": ["list", ["is", "AuditEventScreenedItem"]], "llm": ["is", "AuditEventLlm"], "question": ["is", "AuditEventQuestion"], "package": ["is", "AuditEventPackage"], "deciders": ["list", ["is", "AuditEventDecidersItem"]], "requestBytes": "int", "responseBytes": "int", "captured": ["is", "AuditEventCaptured"], "times": ["is", "AuditEventTimes"], "durationMs": "float", "cut": ["dict", ["is", "AuditEventCutValue"]], "details": ["dict", "any"]}],
    "AuditEventGit": [{"repository": "str", "operation": ["one", ["fetch", "push"]]}, {"refs": ["list", ["is", "AuditEventGitRefsItem"]], "options": ["list", "str"], "optionsTotal": "int", "refsTotal": "int"}],
    "AuditEventGitRefsItem": [{"ref": "str", "change": ["one", ["create", "update", "delete"]]}, {}],
    "AuditEventMcp": [{"method": "str"}, {"tool": "str", "resource": "str", "prompt": "str"}],
    "AuditEventGraphql": [{"operations": ["list", ["is", "AuditEventGraphqlOperationsItem"]]}, {"operationsTotal": "int", "persisted": ["list", "str"]}],
    "AuditEventGraphqlOperationsItem": [{"type": ["one", ["query", "mutation", "subscription"]], "fields": ["list", "str"]}, {"name": "str"}],
    "AuditEventLeaksItem": [{"kind": ["one", ["credential", "canary", "shape", "unsearched"]], "name": "str", "place": ["one", ["url", "field", "body", "trailer", "message"]], "action": ["one", ["blocked", "redacted", "told"]]}, {"hash": "str"}],
    "AuditEventScreenedItem": [{"mark": ["one", ["hidden-text", "canary", "phrase", "decider", "unscreened"]], "name": "str", "action": ["one", ["blocked", "annotated", "told"]]}, {}],
    "AuditEventLlm": [{"api": "str", "model": "str", "streams": "bool"}, {"isCount": ["one", [True]], "set": ["list", "str"], "inputTokens": "int", "cachedTokens": "int", "cacheWrittenTokens": "int", "outputTokens": "int", "nanoUsd": "int", "isEstimate": ["one", [True]]}],
    "AuditEventQuestion": [{"id": "str", "outcome": ["one", ["allowed", "denied", "open"]], "heldMs": "int"}, {"answer": ["one", ["once", "session", "minutes", "always"]], "by": "str"}],
    "AuditEventPackage": [{"registry": "str", "name": "str"}, {"version": "str", "isArchive": ["one", [True]], "operation": ["one", ["publish", "tag", "deprecate", "unpublish", "yank", "unyank", "owners"]], "published": "str", "digest": "str", "installScripts": ["one", ["yes", "no", "unknown"]], "cache": ["one", ["hit", "joined", "revalidated", "stale"]]}],
    "AuditEventDecidersItem": [{"name": "str", "outcome": ["one", ["allowed", "denied", "undefined", "unavailable"]], "durationMs": "int"}, {"of": ["one", ["response"]], "isCached": ["one", [True]], "isOnTrial": ["one", [True]], "said": "str", "decisionId": "str", "set": ["list", "str"], "removed": ["list", "str"]}],
    "AuditEventCaptured": [{}, {"request": "int", "response": "int", "recording": "int", "machine": "str", "dropped": ["one", [True]]}],
    "AuditEventTimes": [{}, {"queuedMs": "float", "decidedMs": "float", "resolvedMs": "float", "dialledMs": "float", "securedMs": "float", "sentMs": "float", "firstByteMs": "float", "lastByteMs": "float"}],
    "AuditEventCutValue": [{"bytes": "int", "sha256": "str"}, {}],
    "VerifyAudit": [{"looked": "int"}, {"report": ["is", "VerifyAuditReport"]}],
    "VerifyAuditReport": [{"events": "int", "notChained": "int", "removed": "int", "uncovered": "int", "chains": "int", "findings": ["list", ["is", "VerifyAuditReportFindingsItem"]], "findingsTotal": "int"}, {}],
    "VerifyAuditReportFindingsItem": [{"kind": ["one", ["removed", "cut_tail", "changed", "reordered", "inserted", "forged"]], "message": "str"}, {"chain": "int", "link": "int", "sequence": "int", "id": "str"}],
    "ExchangeBodies": [{}, {"request": ["is", "ExchangeBodiesRequest"], "response": ["is", "ExchangeBodiesRequest"], "recording": ["is", "ExchangeBodiesRecording"]}],
    "ExchangeBodiesRequest": [{"bytes": "int", "whole": "bool", "redacted": "int"}, {"type": "str", "coding": "str", "text": "str", "base64": "str", "note": "str"}],
    "ExchangeBodiesRecording": [{"cast": "str", "bytes": "int", "whole": "bool"}, {"next": "int"}],
    "Session": [{"id": "str", "principal": "str", "claims": ["dict", "any"], "state": ["one", ["enrolled", "committed", "ended", "revoked"]], "created": "str", "tunnels": "int", "posture": ["list", "str"], "notes": ["list", "str"], "agentVersion": "str", "expires": "str"}, {"lastSeen": "str", "way": ["one", ["agent", "proxy"]], "ended": "str", "policy": "str", "reason": "str"}],
    "IssueSessionToken": [{"token": "str", "id": "str", "principal": "str", "expires": "str"}, {}],
    "WithdrawSessionToken": [{"id": "str", "state": ["one", ["withdrawn", "used"]]}, {"session": "str"}],
    "AccessRequest": [{"id": "str", "session": "str", "principal": "str", "state": ["one", ["pending", "granted", "denied", "revoked", "ended"]], "asked": ["is", "AccessRequestAsked"], "reason": "str", "created": "str", "pendingUntil": "str"}, {"kind": ["one", ["request", "question"]], "question": ["is", "AccessRequestQuestion"], "trace": "str", "decided": "str", "note": "str", "terms": ["is", "AccessRequestTerms"]}],
    "AccessRequestQuestion": [{"until": "str", "rule": "str", "bound": ["list", ["is", "AccessRequestQuestionBoundItem"]], "body": ["one", ["seen", "unseen"]], "choices": ["list", ["one", ["once", "session", "minutes", "always"]]]}, {"shown": "str", "answered": ["is", "AccessRequestQuestionAnswered"]}],
    "AccessRequestQuestionBoundItem": [{"name": "str", "value": "str"}, {}],
    "AccessRequestQuestionAnswered": [{"decision": ["one", ["once", "session", "minutes", "always", "deny"]], "by": "str"}, {"ends": "str"}],
    "AccessRequestAsked": [{"scheme": ["one", ["http", "https"]], "host": "str", "port": "int"}, {"method": "str", "path": "str"}],
    "AccessRequestTerms": [{"scope": ["one", ["host", "path", "exact"]], "subject": ["one", ["session", "principal"]], "ends": "str"}, {"refs": ["list", "str"]}],
    "Policy": [{"version": "str", "ageSeconds": "float", "staleSeconds": "float", "mode": ["one", ["files", "store", "observe", "deny"]], "rules": ["list", ["is", "PolicyRulesItem"]], "refused": ["list", ["is", "PolicyRefusedItem"]]}, {}],
    "PolicyRulesItem": [{"name": "str", "effect": ["one", ["allow", "deny"]]}, {"place": "str", "policy": "str"}],
    "PolicyRefusedItem": [{"policy": "str", "number": "int", "since": "str", "problems": ["list", "str"]}, {}],
    "CheckPolicy": [{"ok": "bool", "problems": ["list", ["is", "CheckPolicyProblemsItem"]]}, {"version": "str", "rules": "int"}],
    "CheckPolicyProblemsItem": [{"severity": ["one", ["error", "warning"]], "message": "str"}, {"file": "str", "line": "int", "column": "int"}],
    "ExplainPolicy": [{"request": "str", "policy": "str", "effect": ["one", ["allow", "deny"]], "rule": "str", "inject": ["list", "str"], "steps": ["list", ["is", "ExplainPolicyStepsItem"]], "text": "str"}, {"policyName": "str", "place": "str", "body": "str", "reason": "str"}],
    "ExplainPolicyStepsItem": [{"rule": "str", "effect": ["one", ["allow", "deny"]], "outcome": "str", "because": "str", "looksAt": ["list", "str"]}, {"place": "str", "stopsAt": ["is", "ExplainPolicyStepsItemStopsAt"], "policy": "str"}],
    "ExplainPolicyStepsItemStopsAt": [{"condition": "str", "wanted": "str"}, {}],
    "PolicyText": [{"version": "str", "files": ["list", ["is", "PolicyTextFilesItem"]]}, {}],
    "PolicyTextFilesItem": [{"name": "str", "text": "str"}, {"policy": "str"}],
    "PolicyVersion": [{"id": "str", "policy": "str", "number": "int", "version": "str", "withdrawn": "bool", "published": "str", "publishedBy": "str", "files": ["list", ["is", "PolicyVersionFilesItem"]]}, {"for": ["dict", "any"], "note": "str", "backTo": "int"}],
    "PolicyVersionFilesItem": [{"name": "str", "text": "str"}, {}],
    "PublishPolicy": [{"version": ["is", "PolicyVersion"], "warnings": ["list", "str"]}, {"diff": "str"}],
    "DiffPolicy": [{"opened": ["list", "str"], "closed": ["list", "str"], "added": ["list", "str"], "removed": ["list", "str"], "changed": ["list", "str"], "text": "str"}, {"notCompared": "str"}],
    "ReplayPolicy": [{"policy": "str", "replayed": "int", "unchanged": "int", "flipped": "int", "flips": ["list", ["is", "ReplayPolicyFlipsItem"]], "others": ["list", ["is", "ReplayPolicyFlipsItem"]], "notReplayed": ["list", ["is", "ReplayPolicyNotReplayedItem"]], "unsure": ["list", ["is", "ReplayPolicyUnsureItem"]], "fieldsUnseen": "int"}, {"searchedTo": "str"}],
    "ReplayPolicyFlipsItem": [{"change": "str", "request": "str", "was": ["is", "ReplayPolicyFlipsItemWas"], "would": ["is", "ReplayPolicyFlipsItemWas"], "count": "int", "traceId": "str"}, {}],
    "ReplayPolicyFlipsItemWas": [{"effect": ["one", ["allow", "deny", "failed"]], "rule": "str", "injected": ["list", "str"]}, {}],
    "ReplayPolicyNotReplayedItem": [{"reason": "str", "count": "int"}, {}],
    "ReplayPolicyUnsureItem": [{"request": "str", "reason": "str", "count": "int"}, {}],
    "ReplayWhole": [{"looked": "int"}, {"searchedTo": "str", "oldest": "str", "result": ["is", "ReplayPolicy"]}],
    "ForgetPackages": [{"records": ["list", ["is", "ForgetPackagesRecordsItem"]], "left": "int"}, {}],
    "ForgetPackagesRecordsItem": [{"at": "str", "name": "str", "item": "str", "firstSeen": "str", "credentials": ["list", "str"]}, {"digest": "str"}],
    "MakeToken": [{"token": "str", "record": ["is", "MakeTokenRecord"]}, {}],
    "MakeTokenRecord": [{"id": "str", "name": "str", "role": ["one", ["viewer", "approver", "operator", "administrator"]], "created": "str", "createdBy": "str", "expires": "str"}, {"sees": ["dict", "any"], "lastUsed": "str", "person": ["is", "WhoPerson"]}],
    "Exchanges": [{"items": ["list", ["is", "AuditEvent"]]}, {"next": "str", "searchedTo": "str"}],
    "ExportEvents": [{"items": ["list", ["is", "AuditEvent"]]}, {"next": "str"}],
    "OpenExchanges": [{"items": ["list", ["is", "AuditEvent"]], "now": "str"}, {"next": "str"}],
    "Sessions": [{"items": ["list", ["is", "Session"]]}, {"next": "str"}],
    "SessionLeases": [{"items": ["list", ["is", "SessionLeasesItemsItem"]]}, {}],
    "SessionLeasesItemsItem": [{"credential": "str", "state": ["one", ["asked", "held", "released"]], "asked": "str", "attempts": "int"}, {"expires": "str"}],
    "AccessRequests": [{"items": ["list", ["is", "AccessRequest"]]}, {"next": "str"}],
    "PolicyHistory": [{"items": ["list", ["is", "PolicyHistoryItemsItem"]]}, {"next": "str"}],
    "PolicyHistoryItemsItem": [{"id": "str", "policy": "str", "number": "int", "version": "str", "withdrawn": "bool", "published": "str", "publishedBy": "str", "inForce": "bool", "gateways": ["list", ["is", "PolicyHistoryItemsItemGatewaysItem"]]}, {"for": ["dict", "any"], "note": "str", "backTo": "int"}],
    "PolicyHistoryItemsItemGatewaysItem": [{"gateway": "str", "state": ["one", ["taken", "refused"]], "time": "str"}, {"reason": "str"}],
    "Uses": [{"items": ["list", ["is", "UsesItemsItem"]]}, {"since": "str", "from": "str"}],
    "UsesItemsItem": [{"name": "str", "uses": "int", "lastUsed": "str", "recent": ["is", "UsesItemsItemRecent"]}, {"policy": "str", "lastFailure": ["is", "UsesItemsItemLastFailure"]}],
    "UsesItemsItemRecent": [{"allowed": "int", "denied": "int", "failed": "int"}, {}],
    "UsesItemsItemLastFailure": [{"time": "str", "code": "str"}, {"trace": "str"}],
    "Hours": [{"items": ["list", ["is", "HoursItemsItem"]]}, {"since": "str", "from": "str"}],
    "HoursItemsItem": [{"time": "str", "allowed": "int", "denied": "int", "failed": "int"}, {}],
    "GrantUses": [{"items": ["list", ["is", "GrantUsesItemsItem"]], "unknown": ["list", "str"]}, {"since": "str"}],
    "GrantUsesItemsItem": [{"id": "str", "uses": "int", "lastUsed": "str"}, {}],
    "Gateways": [{"items": ["list", ["is", "GatewaysItemsItem"]]}, {"next": "str"}],
    "GatewaysItemsItem": [{"gateway": "str", "state": ["one", ["serving", "draining", "left", "lost"]], "processes": "int", "upToDate": "bool"}, {"address": "str"}],
    "Credentials": [{"items": ["list", ["is", "CredentialsItemsItem"]]}, {"next": "str"}],
    "CredentialsItemsItem": [{"name": "str", "kind": "str", "variables": ["list", "str"]}, {"state": ["one", ["unused", "works", "failing", "unknown"]], "lastUsed": "str", "recent": ["is", "UsesItemsItemRecent"], "lastError": ["is", "UsesItemsItemLastFailure"]}],
    "Limits": [{"items": ["list", ["is", "LimitsItemsItem"]]}, {"next": "str"}],
    "LimitsItemsItem": [{"name": "str", "value": "float", "code": "str", "reason": "str", "reached": "int"}, {}],
    "Tokens": [{"items": ["list", ["is", "MakeTokenRecord"]]}, {"next": "str"}],
    "LogInBody": [{"secret": "str"}, {}],
    "VerifyAuditBody": [{}, {"since": "str", "until": "str"}],
    "RevokeSessionBody": [{}, {"reason": "str"}],
    "IssueSessionTokenBody": [{"subject": "str"}, {"claims": ["dict", ["any_of", [["any_of", ["str", "float", "bool"]], ["list", ["any_of", ["str", "float", "bool"]]]]]], "seconds": "int", "kind": ["one", ["session", "proxy"]], "networks": ["list", "str"]}],
    "GrantAccessBody": [{"seconds": "int"}, {"scope": ["one", ["host", "path", "exact"]], "subject": ["one", ["session", "principal"]], "refs": ["list", "str"], "note": "str"}],
    "DenyAccessBody": [{}, {"note": "str"}],
    "DecideQuestionBody": [{"decision": ["one", ["once", "session", "minutes", "always", "deny"]]}, {"note": "str"}],
    "CheckPolicyBody": [{"files": ["list", ["is", "CheckPolicyBodyFilesItem"]]}, {}],
    "CheckPolicyBodyFilesItem": [{"name": "str", "text": "str"}, {}],
    "ExplainPolicyBody": [{"method": "str", "url": "str"}, {"headers": ["list", ["list", ["any_of", ["str", "str"]]]], "pushed": ["list", ["is", "ExplainPolicyBodyPushedItem"]], "pushOptions": ["list", "str"], "body": "str", "bodyBase64": "str", "session": "str", "claims": ["dict", "any"], "posture": ["list", "str"], "files": ["list", ["is", "CheckPolicyBodyFilesItem"]], "version": "str", "at": "str"}],
    "ExplainPolicyBodyPushedItem": [{"ref": "str", "change": ["one", ["create", "update", "delete"]]}, {}],
    "PublishPolicyBody": [{"files": ["list", ["is", "CheckPolicyBodyFilesItem"]]}, {"for": ["dict", ["any_of", ["str", "float", "bool"]]], "note": "str", "seen": "int"}],
    "RollBackPolicyBody": [{"to": "int"}, {"note": "str", "seen": "int"}],
    "WithdrawPolicyBody": [{}, {"note": "str", "seen": "int"}],
    "DiffPolicyBody": [{"before": ["is", "DiffPolicyBodyBefore"], "after": ["is", "DiffPolicyBodyBefore"]}, {}],
    "DiffPolicyBodyBefore": [{}, {"version": "str", "files": ["list", ["is", "CheckPolicyBodyFilesItem"]]}],
    "ReplayPolicyBody": [{}, {"version": "str", "files": ["list", ["is", "CheckPolicyBodyFilesItem"]], "since": "str", "count": "int"}],
    "ReplayWholeBody": [{}, {"version": "str", "files": ["list", ["is", "CheckPolicyBodyFilesItem"]], "since": "str"}],
    "ForgetPackagesBody": [{"registry": ["one", ["npm", "pypi", "cargo", "go", "maven", "rubygems", "oci"]], "dry": "bool"}, {"index": "str", "name": "str", "version": "str"}],
    "MakeTokenBody": [{"name": "str", "role": ["one", ["viewer", "approver", "operator", "administrator"]], "seconds": "int"}, {"sees": ["dict", ["any_of", ["str", "float", "bool"]]]}],
}


class Operations:
    """One method for each operation of the OpenAPI document."""

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
        raise NotImplementedError

    def _tell(
        self,
        operation: str,
        method: str,
        path: str,
        shape: Any,
        body: Mapping[str, Any],
        on_progress: Optional[Callable[[Any], None]],
    ) -> Any:
        raise NotImplementedError

    def who(
        self,
        *,
        timeout: Optional[float] = None,
    ) -> Who:
        """Who is asking, and what they may do. Role: viewer."""
        return cast(
            Who,
            self._call(
                "who",
                "GET",
                "/v1/who",
                ["is", "Who"],
                timeout=timeout,
            ),
        )

    def log_in(
        self,
        body: LogInBody,
        *,
        timeout: Optional[float] = None,
    ) -> LogIn:
        """Exchanges the secret of the link of `run --ui` for a token, once. Role: viewer."""
        return cast(
            LogIn,
            self._call(
                "logIn",
                "POST",
                "/v1/log-in",
                ["is", "LogIn"],
                body=cast(Mapping[str, Any], body),
                timeout=timeout,
            ),
        )

    def log_in_ways(
        self,
        *,
        timeout: Optional[float] = None,
    ) -> LogInWays:
        """How one can log in here. Role: viewer."""
        return cast(
            LogInWays,
            self._call(
                "logInWays",
                "GET",
                "/v1/log-in",
                ["is", "LogInWays"],
                timeout=timeout,
            ),
        )

    def log_out(
        self,
        *,
        timeout: Optional[float] = None,
        idempotency_key: Optional[str] = None,
        if_match: Optional[str] = None,
    ) -> LogOut:
        """Ends the session by log-in of who asks. A token stays good. Role: viewer."""
        return cast(
            LogOut,
            self._call(
                "logOut",
                "POST",
                "/v1/log-out",
                ["is", "LogOut"],
                timeout=timeout,
                idempotency_key=idempotency_key,
                if_match=if_match,
                is_write=True,
            ),
        )

    def health(
        self,
        *,
        timeout: Optional[float] = None,
    ) -> Health:
        """How the gateway is. Role: viewer."""
        return cast(
            Health,
            self._call(
                "health",
                "GET",
                "/v1/health",
                ["is", "Health"],
                timeout=timeout,
            ),
        )

    def changes(
        self,
        *,
        wait: Optional[int] = None,
        timeout: Optional[float] = None,
    ) -> Changes:
        """Which gateways have taken all that was revoked, granted and published until now. Role: viewer."""
        return cast(
            Changes,
            self._call(
                "changes",
                "GET",
                "/v1/changes",
                ["is", "Changes"],
                query={"wait": wait},
                timeout=timeout,
            ),
        )

    def exchanges(
        self,
        *,
        session: Optional[str] = None,
        principal: Optional[str] = None,
        kind: Optional[Literal["exchange", "stream", "session", "alarm"]] = None,
        verdict: Optional[Literal["allow", "deny", "error", "info", "unknown"]] = None,
        host: Optional[str] = None,
        method: Optional[str] = None,
        path: Optional[str] = None,
        rule: Optional[str] = None,
        credential: Optional[str] = None,
        error: Optional[str] = None,
        limit: Optional[str] = None,
        status: Optional[int] = None,
        trace: Optional[str] = None,
        since: Optional[str] = None,
        until: Optional[str] = None,
        before: Optional[str] = None,
        after: Optional[str] = None,
        count: Optional[int] = None,
        timeout: Optional[float] = None,
    ) -> Exchanges:
        """Events of the audit, the newest first. Role: viewer."""
        return cast(
            Exchanges,
            self._call(
                "exchanges",
                "GET",
                "/v1/exchanges",
                ["is", "Exchanges"],
                query={"session": session, "principal": principal, "kind": kind, "verdict": verdict, "host": host, "method": method, "path": path, "rule": rule, "credential": credential, "error": error, "limit": limit, "status": status, "trace": trace, "since": since, "until": until, "before": before, "after": after, "count": count},
                timeout=timeout,
            ),
        )

    def export_events(
        self,
        *,
        session: Optional[str] = None,
        principal: Optional[str] = None,
        kind: Optional[Literal["exchange", "stream", "session", "alarm"]] = None,
        verdict: Optional[Literal["allow", "deny", "error", "info", "unknown"]] = None,
        host: Optional[str] = None,
        method: Optional[str] = None,
        path: Optional[str] = None,
        rule: Optional[str] = None,
        credential: Optional[str] = None,
        error: Optional[str] = None,
        limit: Optional[str] = None,
        status: Optional[int] = None,
        trace: Optional[str] = None,
        since: Optional[str] = None,
        until: Optional[str] = None,
        behind: Optional[str] = None,
        count: Optional[int] = None,
        timeout: Optional[float] = None,
    ) -> ExportEvents:
        """Events in the order of their time, the oldest first. A page may have none and still say where to go on. Role: viewer."""
        return cast(
            ExportEvents,
            self._call(
                "exportEvents",
                "GET",
                "/v1/exchanges/export",
                ["is", "ExportEvents"],
                query={"session": session, "principal": principal, "kind": kind, "verdict": verdict, "host": host, "method": method, "path": path, "rule": rule, "credential": credential, "error": error, "limit": limit, "status": status, "trace": trace, "since": since, "until": until, "behind": behind, "count": count},
                timeout=timeout,
            ),
        )

    def verify_audit(
        self,
        body: VerifyAuditBody,
        *,
        on_progress: Optional[Callable[[VerifyAudit], None]] = None,
    ) -> VerifyAudit:
        """Whether anybody changed what was stored, by the keys of this gateway: how far it is, each second, and the report at the end. Role: viewer."""
        return cast(
            VerifyAudit,
            self._tell(
                "verifyAudit", "POST", "/v1/audit/verify",
                ["is", "VerifyAudit"],
                cast(Mapping[str, Any], body),
                cast(Optional[Callable[[Any], None]], on_progress),
            ),
        )

    def open_exchanges(
        self,
        *,
        session: Optional[str] = None,
        seconds: Optional[int] = None,
        after: Optional[str] = None,
        count: Optional[int] = None,
        timeout: Optional[float] = None,
    ) -> OpenExchanges:
        """Requests, WebSockets and raw streams that run now, over all gateways, the oldest first: what was known of each shortly after it began. Each is an event with the verdict `unknown`; its own event comes when it ends. Role: viewer."""
        return cast(
            OpenExchanges,
            self._call(
                "openExchanges",
                "GET",
                "/v1/exchanges/open",
                ["is", "OpenExchanges"],
                query={"session": session, "seconds": seconds, "after": after, "count": count},
                timeout=timeout,
            ),
        )

    def exchange(
        self,
        id: str,
        *,
        timeout: Optional[float] = None,
    ) -> AuditEvent:
        """One event, by its id. Role: viewer."""
        return cast(
            AuditEvent,
            self._call(
                "exchange",
                "GET",
                "/v1/exchanges/{id}",
                ["is", "AuditEvent"],
                id=id,
                timeout=timeout,
            ),
        )

    def exchange_bodies(
        self,
        id: str,
        *,
        from_: Optional[int] = None,
        timeout: Optional[float] = None,
    ) -> ExchangeBodies:
        """What a rule had kept of the bodies of an exchange, or the recording of a shell. Who looks is written into the audit. Role: operator."""
        return cast(
            ExchangeBodies,
            self._call(
                "exchangeBodies",
                "GET",
                "/v1/exchanges/{id}/bodies",
                ["is", "ExchangeBodies"],
                id=id,
                query={"from": from_},
                timeout=timeout,
            ),
        )

    def sessions(
        self,
        *,
        all: Optional[Literal["true", "false"]] = None,
        before: Optional[str] = None,
        timeout: Optional[float] = None,
    ) -> Sessions:
        """Sessions, the newest first. Role: viewer."""
        return cast(
            Sessions,
            self._call(
                "sessions",
                "GET",
                "/v1/sessions",
                ["is", "Sessions"],
                query={"all": all, "before": before},
                timeout=timeout,
            ),
        )

    def session(
        self,
        id: str,
        *,
        timeout: Optional[float] = None,
    ) -> Session:
        """One session. Role: viewer."""
        return cast(
            Session,
            self._call(
                "session",
                "GET",
                "/v1/sessions/{id}",
                ["is", "Session"],
                id=id,
                timeout=timeout,
            ),
        )

    def session_leases(
        self,
        id: str,
        *,
        timeout: Optional[float] = None,
    ) -> SessionLeases:
        """Leases that the session has of credentials with `perSession`, with those that are still to be given back. What they are worth is in no response. A session that another one made uses those of the first one above it. Role: viewer."""
        return cast(
            SessionLeases,
            self._call(
                "sessionLeases",
                "GET",
                "/v1/sessions/{id}/leases",
                ["is", "SessionLeases"],
                id=id,
                timeout=timeout,
            ),
        )

    def revoke_session(
        self,
        id: str,
        body: RevokeSessionBody,
        *,
        timeout: Optional[float] = None,
        idempotency_key: Optional[str] = None,
        if_match: Optional[str] = None,
    ) -> Session:
        """Ends a session and all that runs in it. It cannot be undone. Role: operator."""
        return cast(
            Session,
            self._call(
                "revokeSession",
                "POST",
                "/v1/sessions/{id}/revoke",
                ["is", "Session"],
                id=id,
                body=cast(Mapping[str, Any], body),
                timeout=timeout,
                idempotency_key=idempotency_key,
                if_match=if_match,
                is_write=True,
            ),
        )

    def issue_session_token(
        self,
        body: IssueSessionTokenBody,
        *,
        timeout: Optional[float] = None,
        idempotency_key: Optional[str] = None,
        if_match: Optional[str] = None,
    ) -> IssueSessionToken:
        """Makes a token that starts one session, or one for clients without an agent, where `admin.sessionTokens` lets this role. Role: operator."""
        return cast(
            IssueSessionToken,
            self._call(
                "issueSessionToken",
                "POST",
                "/v1/session-tokens",
                ["is", "IssueSessionToken"],
                body=cast(Mapping[str, Any], body),
                timeout=timeout,
                idempotency_key=idempotency_key,
                if_match=if_match,
                is_write=True,
            ),
        )

    def withdraw_session_token(
        self,
        id: str,
        body: RevokeSessionBody,
        *,
        timeout: Optional[float] = None,
        idempotency_key: Optional[str] = None,
        if_match: Optional[str] = None,
    ) -> WithdrawSessionToken:
        """Takes back a token that started no session yet, and a proxy token with its session; who may make one may take one back. Role: operator."""
        return cast(
            WithdrawSessionToken,
            self._call(
                "withdrawSessionToken",
                "POST",
                "/v1/session-tokens/{id}/withdraw",
                ["is", "WithdrawSessionToken"],
                id=id,
                body=cast(Mapping[str, Any], body),
                timeout=timeout,
                idempotency_key=idempotency_key,
                if_match=if_match,
                is_write=True,
            ),
        )

    def access_requests(
        self,
        *,
        state: Optional[Literal["pending", "granted", "denied", "revoked", "ended"]] = None,
        session: Optional[str] = None,
        before: Optional[str] = None,
        timeout: Optional[float] = None,
    ) -> AccessRequests:
        """Requests for access, the newest first. Role: viewer."""
        return cast(
            AccessRequests,
            self._call(
                "accessRequests",
                "GET",
                "/v1/access",
                ["is", "AccessRequests"],
                query={"state": state, "session": session, "before": before},
                timeout=timeout,
            ),
        )

    def access_request(
        self,
        id: str,
        *,
        timeout: Optional[float] = None,
    ) -> AccessRequest:
        """One request for access. Role: viewer."""
        return cast(
            AccessRequest,
            self._call(
                "accessRequest",
                "GET",
                "/v1/access/{id}",
                ["is", "AccessRequest"],
                id=id,
                timeout=timeout,
            ),
        )

    def grant_access(
        self,
        id: str,
        body: GrantAccessBody,
        *,
        timeout: Optional[float] = None,
        idempotency_key: Optional[str] = None,
        if_match: Optional[str] = None,
    ) -> AccessRequest:
        """Grants what was asked for, for a time. Role: approver."""
        return cast(
            AccessRequest,
            self._call(
                "grantAccess",
                "POST",
                "/v1/access/{id}/grant",
                ["is", "AccessRequest"],
                id=id,
                body=cast(Mapping[str, Any], body),
                timeout=timeout,
                idempotency_key=idempotency_key,
                if_match=if_match,
                is_write=True,
            ),
        )

    def deny_access(
        self,
        id: str,
        body: DenyAccessBody,
        *,
        timeout: Optional[float] = None,
        idempotency_key: Optional[str] = None,
        if_match: Optional[str] = None,
    ) -> AccessRequest:
        """Denies what was asked for. Role: approver."""
        return cast(
            AccessRequest,
            self._call(
                "denyAccess",
                "POST",
                "/v1/access/{id}/deny",
                ["is", "AccessRequest"],
                id=id,
                body=cast(Mapping[str, Any], body),
                timeout=timeout,
                idempotency_key=idempotency_key,
                if_match=if_match,
                is_write=True,
            ),
        )

    def revoke_access(
        self,
        id: str,
        body: DenyAccessBody,
        *,
        timeout: Optional[float] = None,
        idempotency_key: Optional[str] = None,
        if_match: Optional[str] = None,
    ) -> AccessRequest:
        """Takes a grant back. Role: approver."""
        return cast(
            AccessRequest,
            self._call(
                "revokeAccess",
                "POST",
                "/v1/access/{id}/revoke",
                ["is", "AccessRequest"],
                id=id,
                body=cast(Mapping[str, Any], body),
                timeout=timeout,
                idempotency_key=idempotency_key,
                if_match=if_match,
                is_write=True,
            ),
        )

    def decide_question(
        self,
        id: str,
        body: DecideQuestionBody,
        *,
        timeout: Optional[float] = None,
        idempotency_key: Optional[str] = None,
        if_match: Optional[str] = None,
    ) -> AccessRequest:
        """Says what becomes of a question; a request for access is granted or denied instead. Role: approver."""
        return cast(
            AccessRequest,
            self._call(
                "decideQuestion",
                "POST",
                "/v1/access/{id}/decide",
                ["is", "AccessRequest"],
                id=id,
                body=cast(Mapping[str, Any], body),
                timeout=timeout,
                idempotency_key=idempotency_key,
                if_match=if_match,
                is_write=True,
            ),
        )

    def policy(
        self,
        *,
        timeout: Optional[float] = None,
    ) -> Policy:
        """The policy in force. Role: viewer."""
        return cast(
            Policy,
            self._call(
                "policy",
                "GET",
                "/v1/policy",
                ["is", "Policy"],
                timeout=timeout,
            ),
        )

    def check_policy(
        self,
        body: CheckPolicyBody,
        *,
        timeout: Optional[float] = None,
    ) -> CheckPolicy:
        """What is wrong with policy files. Nothing is changed. Role: viewer."""
        return cast(
            CheckPolicy,
            self._call(
                "checkPolicy",
                "POST",
                "/v1/policy/check",
                ["is", "CheckPolicy"],
                body=cast(Mapping[str, Any], body),
                timeout=timeout,
            ),
        )

    def explain_policy(
        self,
        body: ExplainPolicyBody,
        *,
        timeout: Optional[float] = None,
    ) -> ExplainPolicy:
        """How a request would be decided, and why. Nothing is sent. Role: viewer."""
        return cast(
            ExplainPolicy,
            self._call(
                "explainPolicy",
                "POST",
                "/v1/policy/explain",
                ["is", "ExplainPolicy"],
                body=cast(Mapping[str, Any], body),
                timeout=timeout,
            ),
        )

    def policy_text(
        self,
        *,
        version: Optional[str] = None,
        timeout: Optional[float] = None,
    ) -> PolicyText:
        """The files of what is in force. Role: viewer."""
        return cast(
            PolicyText,
            self._call(
                "policyText",
                "GET",
                "/v1/policy/text",
                ["is", "PolicyText"],
                query={"version": version},
                timeout=timeout,
            ),
        )

    def policy_history(
        self,
        *,
        policy: Optional[str] = None,
        before: Optional[int] = None,
        count: Optional[int] = None,
        timeout: Optional[float] = None,
    ) -> PolicyHistory:
        """What was published in the store, the newest first, and what gateways made of it. Role: viewer."""
        return cast(
            PolicyHistory,
            self._call(
                "policyHistory",
                "GET",
                "/v1/policy/history",
                ["is", "PolicyHistory"],
                query={"policy": policy, "before": before, "count": count},
                timeout=timeout,
            ),
        )

    def policy_version(
        self,
        id: str,
        *,
        timeout: Optional[float] = None,
    ) -> PolicyVersion:
        """A published version with its files, as `policy@number`. Role: viewer."""
        return cast(
            PolicyVersion,
            self._call(
                "policyVersion",
                "GET",
                "/v1/policy/versions/{id}",
                ["is", "PolicyVersion"],
                id=id,
                timeout=timeout,
            ),
        )

    def published_policy(
        self,
        id: str,
        *,
        timeout: Optional[float] = None,
    ) -> PolicyVersion:
        """The published version of a policy, by its name. Role: viewer."""
        return cast(
            PolicyVersion,
            self._call(
                "publishedPolicy",
                "GET",
                "/v1/policy/published/{id}",
                ["is", "PolicyVersion"],
                id=id,
                timeout=timeout,
            ),
        )

    def publish_policy(
        self,
        id: str,
        body: PublishPolicyBody,
        *,
        timeout: Optional[float] = None,
        idempotency_key: Optional[str] = None,
        if_match: Optional[str] = None,
    ) -> PublishPolicy:
        """Publishes a policy under this name, on the version that was seen. Role: administrator."""
        return cast(
            PublishPolicy,
            self._call(
                "publishPolicy",
                "POST",
                "/v1/policy/published/{id}",
                ["is", "PublishPolicy"],
                id=id,
                body=cast(Mapping[str, Any], body),
                timeout=timeout,
                idempotency_key=idempotency_key,
                if_match=if_match,
                is_write=True,
            ),
        )

    def roll_back_policy(
        self,
        id: str,
        body: RollBackPolicyBody,
        *,
        timeout: Optional[float] = None,
        idempotency_key: Optional[str] = None,
        if_match: Optional[str] = None,
    ) -> PublishPolicy:
        """Publishes an earlier version again. Role: administrator."""
        return cast(
            PublishPolicy,
            self._call(
                "rollBackPolicy",
                "POST",
                "/v1/policy/published/{id}/rollback",
                ["is", "PublishPolicy"],
                id=id,
                body=cast(Mapping[str, Any], body),
                timeout=timeout,
                idempotency_key=idempotency_key,
                if_match=if_match,
                is_write=True,
            ),
        )

    def withdraw_policy(
        self,
        id: str,
        body: WithdrawPolicyBody,
        *,
        timeout: Optional[float] = None,
        idempotency_key: Optional[str] = None,
        if_match: Optional[str] = None,
    ) -> PublishPolicy:
        """Takes a policy away. Role: administrator."""
        return cast(
            PublishPolicy,
            self._call(
                "withdrawPolicy",
                "POST",
                "/v1/policy/published/{id}/withdraw",
                ["is", "PublishPolicy"],
                id=id,
                body=cast(Mapping[str, Any], body),
                timeout=timeout,
                idempotency_key=idempotency_key,
                if_match=if_match,
                is_write=True,
            ),
        )

    def diff_policy(
        self,
        body: DiffPolicyBody,
        *,
        timeout: Optional[float] = None,
    ) -> DiffPolicy:
        """What a change of the policy means. Role: viewer."""
        return cast(
            DiffPolicy,
            self._call(
                "diffPolicy",
                "POST",
                "/v1/policy/diff",
                ["is", "DiffPolicy"],
                body=cast(Mapping[str, Any], body),
                timeout=timeout,
            ),
        )

    def replay_policy(
        self,
        body: ReplayPolicyBody,
        *,
        timeout: Optional[float] = None,
    ) -> ReplayPolicy:
        """Which recorded requests a policy would decide otherwise. It ends with the connection. Role: viewer."""
        return cast(
            ReplayPolicy,
            self._call(
                "replayPolicy",
                "POST",
                "/v1/policy/replay",
                ["is", "ReplayPolicy"],
                body=cast(Mapping[str, Any], body),
                timeout=timeout,
            ),
        )

    def replay_whole(
        self,
        body: ReplayWholeBody,
        *,
        on_progress: Optional[Callable[[ReplayWhole], None]] = None,
    ) -> ReplayWhole:
        """The same over the whole audit: how far it is, each second, and the result at the end. It ends with the connection. Role: viewer."""
        return cast(
            ReplayWhole,
            self._tell(
                "replayWhole", "POST", "/v1/policy/replay/whole",
                ["is", "ReplayWhole"],
                cast(Mapping[str, Any], body),
                cast(Optional[Callable[[Any], None]], on_progress),
            ),
        )

    def uses(
        self,
        *,
        kind: Optional[Literal["rule", "observed", "credential"]] = None,
        timeout: Optional[float] = None,
    ) -> Uses:
        """How often each rule or credential was used, over all gateways. One that is not there was not used. Role: viewer."""
        return cast(
            Uses,
            self._call(
                "uses",
                "GET",
                "/v1/uses",
                ["is", "Uses"],
                query={"kind": kind},
                timeout=timeout,
            ),
        )

    def hours(
        self,
        *,
        hours: Optional[int] = None,
        timeout: Optional[float] = None,
    ) -> Hours:
        """How many requests there were in each hour, over all gateways; an hour without any is left out. Role: viewer."""
        return cast(
            Hours,
            self._call(
                "hours",
                "GET",
                "/v1/uses/hours",
                ["is", "Hours"],
                query={"hours": hours},
                timeout=timeout,
            ),
        )

    def grant_uses(
        self,
        *,
        ids: Optional[str] = None,
        timeout: Optional[float] = None,
    ) -> GrantUses:
        """Whether grants were used: of the requests for access of these ids. One that is not there was not used. Role: viewer."""
        return cast(
            GrantUses,
            self._call(
                "grantUses",
                "GET",
                "/v1/uses/grants",
                ["is", "GrantUses"],
                query={"ids": ids},
                timeout=timeout,
            ),
        )

    def gateways(
        self,
        *,
        timeout: Optional[float] = None,
    ) -> Gateways:
        """The gateways on the store, and how they are. Role: viewer."""
        return cast(
            Gateways,
            self._call(
                "gateways",
                "GET",
                "/v1/gateways",
                ["is", "Gateways"],
                timeout=timeout,
            ),
        )

    def forget_packages(
        self,
        body: ForgetPackagesBody,
        *,
        timeout: Optional[float] = None,
        idempotency_key: Optional[str] = None,
        if_match: Optional[str] = None,
    ) -> ForgetPackages:
        """Lets the store forget when versions were seen first, and what was promised of them then. Each counts as new from when a gateway sees it next. Role: administrator."""
        return cast(
            ForgetPackages,
            self._call(
                "forgetPackages",
                "POST",
                "/v1/packages/forget",
                ["is", "ForgetPackages"],
                body=cast(Mapping[str, Any], body),
                timeout=timeout,
                idempotency_key=idempotency_key,
                if_match=if_match,
                is_write=True,
            ),
        )

    def credentials(
        self,
        *,
        timeout: Optional[float] = None,
    ) -> Credentials:
        """The credentials of the configuration by name. Never a value. Role: viewer."""
        return cast(
            Credentials,
            self._call(
                "credentials",
                "GET",
                "/v1/credentials",
                ["is", "Credentials"],
                timeout=timeout,
            ),
        )

    def limits(
        self,
        *,
        timeout: Optional[float] = None,
    ) -> Limits:
        """Every limit, and how often it was reached since the start. Role: viewer."""
        return cast(
            Limits,
            self._call(
                "limits",
                "GET",
                "/v1/limits",
                ["is", "Limits"],
                timeout=timeout,
            ),
        )

    def metrics(
        self,
        *,
        timeout: Optional[float] = None,
    ) -> str:
        """Metrics in the text format of Prometheus. Role: viewer."""
        return cast(
            str,
            self._call(
                "metrics",
                "GET",
                "/v1/metrics",
                "str",
                timeout=timeout,
            ),
        )

    def tokens(
        self,
        *,
        timeout: Optional[float] = None,
    ) -> Tokens:
        """The tokens for this API. Never a value. Role: administrator."""
        return cast(
            Tokens,
            self._call(
                "tokens",
                "GET",
                "/v1/tokens",
                ["is", "Tokens"],
                timeout=timeout,
            ),
        )

    def make_token(
        self,
        body: MakeTokenBody,
        *,
        timeout: Optional[float] = None,
        idempotency_key: Optional[str] = None,
        if_match: Optional[str] = None,
    ) -> MakeToken:
        """Makes a token for this API. Role: administrator."""
        return cast(
            MakeToken,
            self._call(
                "makeToken",
                "POST",
                "/v1/tokens",
                ["is", "MakeToken"],
                body=cast(Mapping[str, Any], body),
                timeout=timeout,
                idempotency_key=idempotency_key,
                if_match=if_match,
                is_write=True,
            ),
        )

    def revoke_token(
        self,
        id: str,
        *,
        timeout: Optional[float] = None,
        idempotency_key: Optional[str] = None,
        if_match: Optional[str] = None,
    ) -> MakeTokenRecord:
        """Ends a token at once. Role: administrator."""
        return cast(
            MakeTokenRecord,
            self._call(
                "revokeToken",
                "DELETE",
                "/v1/tokens/{id}",
                ["is", "MakeTokenRecord"],
                id=id,
                timeout=timeout,
                idempotency_key=idempotency_key,
                if_match=if_match,
                is_write=True,
            ),
        )

    def openapi(
        self,
        *,
        timeout: Optional[float] = None,
    ) -> Dict[str, Any]:
        """This API as OpenAPI 3.1. Role: viewer."""
        return cast(
            Dict[str, Any],
            self._call(
                "openapi",
                "GET",
                "/v1/openapi.json",
                ["dict", "any"],
                timeout=timeout,
            ),
        )
