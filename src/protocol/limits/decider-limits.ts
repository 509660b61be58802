// Systems of the operator that decide about requests: what asking them may cost.

import { fixedRow, KiB, MiB, row, type LimitRow } from './limit-row.ts';

export const deciderLimits = {
  deciderBodyBytesMax: row(
    1 * MiB,
    'body_too_large',
    'A body that a decider gets. It is held whole until the decider has decided, and costs its session some three times its length meanwhile. A longer one is refused.',
  ),
  deciderCacheEntriesMax: row(
    10_000,
    'decider_denied',
    'Decisions of deciders that may be used again, up to 1.5 KB each. Beyond it the oldest is forgotten.',
  ),
  deciderCacheMsMax: fixedRow(
    3_600_000,
    'config_invalid',
    'The largest `cacheMs` of a rule. Who may do what changes within an hour.',
  ),
  deciderCallsMax: row(
    512,
    'limit_exceeded',
    'Questions to one decider at once, over all sessions. Each waits no longer than its rule says. More would only wait in the decider.',
  ),
  deciderCallsPerSessionMax: row(
    64,
    'limit_exceeded',
    'The same for one session, so that a workload with slow decisions leaves room for the others.',
  ),
  deciderConnectionsMax: row(
    32,
    'decider_unavailable',
    'HTTP/1.1 connections to one decider, each with one question at a time. Over gRPC there is one connection for all.',
  ),
  deciderFieldsMax: fixedRow(
    32,
    'config_invalid',
    'Request fields that a rule lets a decider set, and remove. Each is a search through the fields of a request.',
  ),
  deciderIdleMs: fixedRow(
    30_000,
    'decider_unavailable',
    'An unused connection to a decider is closed after this time.',
  ),
  deciderResponseBytesMax: fixedRow(
    64 * KiB,
    'decider_unavailable',
    'The response of a decider is short: yes or no, why, and some fields.',
  ),
  deciderSaidCharactersMax: fixedRow(
    256,
    'decider_denied',
    "The part of a decider's reason that the audit keeps.",
  ),
  deciderTimeoutMs: fixedRow(
    1000,
    'decider_unavailable',
    'How long a decider may take unless its rule says otherwise. A policy engine takes some milliseconds, and a person would notice more.',
  ),
  deciderTimeoutMsMax: fixedRow(
    60_000,
    'config_invalid',
    'The largest `timeoutMs` of a rule. Clients of models and of MCP wait no longer for a response.',
  ),
  deciderFieldValueCharactersMax: fixedRow(
    4096,
    'decider_denied',
    'One field that a decider adds. Origins hardly take a whole head that is longer.',
  ),
  deciderKeptCharactersMax: fixedRow(
    1024,
    'decider_denied',
    'A decision that is kept for `cacheMs`. For a longer one the decider is asked again.',
  ),
} as const satisfies Record<string, LimitRow>;
