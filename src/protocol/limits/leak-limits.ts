// What requests are searched for as they go out.

import { KiB, MiB, fixedRow, row, type LimitRow } from './limit-row.ts';

export const leakLimits = {
  leakMatchesMax: row(
    10,
    'leak_found',
    'Finds in the requests of a session, whether refused, redacted or only reported. Then the session is ended with an alarm. Each find confirms a guess at a value.',
  ),
  leakTableBytesMax: row(
    64 * MiB,
    'credential_unavailable',
    'The table for searching requests for the values of all credentials and canaries: some 0.5 MB for a token of 40 characters.',
  ),
  urlsPerSessionMax: fixedRow(
    10_000,
    'limit_exceeded',
    'The largest `urlsPerSession` of a rule. A gateway remembers that many URLs of a session and a rule, some 50 octets each. A forgotten one counts again.',
  ),
  screenBytesMax: row(
    64 * KiB,
    'response_screened',
    'The beginning of a response that a rule screens. It is held until it is judged, within a millisecond. The rest is not judged.',
  ),
  screenWaitMs: row(
    2000,
    'response_screened',
    'A stream of events that the client asked for is judged this long after its first octet, by what has arrived, and goes on. Other responses are held until `screenBytesMax` or their end.',
  ),
  rewritePathsMax: fixedRow(
    32,
    'config_invalid',
    'Paths of fields that a rule changes in a request, and in a response. Each is a walk through the body, of `jsonValuesMax` values at most.',
  ),
  rewriteNamesMax: fixedRow(32, 'config_invalid', 'Names in such a path. Fields that exist lie less deep.'),
  leakValuesCheckMs: fixedRow(
    5000,
    'timeout',
    'How often values of credentials and canaries in files are read again.',
  ),
  leakSourceCheckMs: fixedRow(
    300_000,
    'credential_unavailable',
    'How often a program or a Vault is asked again for the value of a credential that requests are searched for.',
  ),
  leakWindowBytes: fixedRow(
    4 * KiB,
    'leak_found',
    'The end of a body that waits for what follows, to be searched. It is the same whatever is searched for, and more than all forms of a token of 500 characters.',
  ),
  leakQuietMs: fixedRow(
    1000,
    'leak_found',
    'What waits goes on after this time without data, because a client may wait for a response before it goes on.',
  ),
  leakExpansionMax: fixedRow(
    100,
    'body_too_large',
    'How many times as long an encoded body may become when it is decoded for the search, beyond 1 MiB.',
  ),
  auditedLeaksMax: fixedRow(
    16,
    'limit_exceeded',
    'Finds of one exchange that its event names. Each is counted.',
  ),
} as const satisfies Record<string, LimitRow>;
