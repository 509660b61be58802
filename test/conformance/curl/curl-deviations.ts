// Cases of curl's that come out otherwise through agent and gateway, and why they may.

import type { Deviations } from '../suite.ts';

export const curlDeviations: readonly Deviations[] = [
  {
    reason:
      'the Host field names another host than the connection goes to, or no full name (421, 400): a rule admits one host',
    cases: ['61', '62', '73', '329', '1121', '1258', '1561', '1562', '1563'],
  },
  {
    reason: 'the request has no Host, or an empty one (RFC 9112 §3.2)',
    cases: ['461', '1292'],
  },
  {
    reason:
      'the request is none of RFC 9112: a method in other letters, control octets or blanks in target or fields, a length beside chunks',
    cases: ['17', '60', '469', '470', '1147', '1298'],
  },
  {
    reason:
      'the target is made canonical (docs/reference/canonical-requests.md): dot segments, brackets, the letters of a percent-encoding',
    cases: ['58', '391', '487', '1290'],
  },
  {
    reason: 'the target is refused: a backslash, or `*` to a proxy',
    cases: ['214', '1299'],
  },
  {
    reason: 'the head is over `headBytesMax`',
    cases: ['56'],
  },
  {
    reason: 'the address is one that no rule of the suite allows',
    cases: ['1293'],
  },
  {
    reason: 'the origin folds lines of its head (RFC 9112 §5.2)',
    cases: ['1274', '1473'],
  },
  {
    reason: 'the origin sends a status over 599',
    cases: ['1429'],
  },
  {
    reason:
      'the origin frames its body in a way that two readers read differently (docs/reference/protocols.md): a coding without chunks, a length beside it, a length over 2^53, chunks whose lines end by LF alone',
    cases: ['319', '341', '365', '393', '395', '1122', '1417', '1493', '1494'],
  },
  {
    reason:
      'the origin cuts its body, or never ends it: what has no whole end is no whole response through a proxy either, whatever curl makes of it',
    cases: ['187', '269'],
  },
  {
    reason: 'curl counts or prints the fields of one connection, which a proxy makes anew',
    cases: ['1671', '3014', '3015'],
  },
  {
    reason:
      'NTLM authenticates a connection, and curl keeps its own where the origin has closed the gateway’s',
    cases: ['89'],
  },
];
