// What requests are searched for as they go out.

import { KiB, MiB, fixedRow, row, type LimitRow } from './limit-row.ts';

export const leakLimits = {
  leakMatchesMax: row(
    10,
    'leak_found',
    'Of a session, by requests that were refused, redacted or only told: then it is ended with an alarm. Each is a guess at a value that is told to be right.',
  ),
  leakTableBytesMax: row(
    64 * MiB,
    'credential_unavailable',
    'The table by which requests are searched for the values of all credentials and canaries: some 0.5 MB for a token of 40 characters.',
  ),
  urlsPerSessionMax: fixedRow(
    10_000,
    'limit_exceeded',
    'What a rule may say in urlsPerSession. A gateway remembers so many URLs of a session and a rule, some 50 octets each; what it has forgotten counts again.',
  ),
  screenBytesMax: row(
    64 * KiB,
    'response_screened',
    'The beginning of a response that a rule screens: it is held until it is judged, within a millisecond. What comes behind it is not judged.',
  ),
  screenWaitMs: row(
    2000,
    'response_screened',
    'A response that says so little for so long is judged by what came, and goes on.',
  ),
  rewritePathsMax: fixedRow(
    32,
    'config_invalid',
    'Paths of fields that a rule changes in a request, and in a response: each is a way through the body, of jsonValuesMax values at most.',
  ),
  rewriteNamesMax: fixedRow(32, 'config_invalid', 'Names of such a path; fields that exist lie less deep.'),
  leakValuesCheckMs: fixedRow(
    5000,
    'timeout',
    'Values of credentials and canaries that are in files are looked at again this often.',
  ),
  leakWindowBytes: fixedRow(
    4 * KiB,
    'leak_found',
    'The end of a body that waits for what follows, to be searched. The same whatever is searched for; more than all forms of a token of 500 characters.',
  ),
  leakQuietMs: fixedRow(
    1000,
    'leak_found',
    'What waits goes on when nothing came for so long: a client may wait for a response before it goes on.',
  ),
  leakExpansionMax: fixedRow(
    100,
    'body_too_large',
    'How many times as long an encoded body may be when it is decoded to be searched, beyond 1 MiB.',
  ),
  auditedLeaksMax: fixedRow(16, 'limit_exceeded', 'Of one exchange, in its event; each is counted.'),
} as const satisfies Record<string, LimitRow>;
