// Connections: TLS towards workloads, names, and the way to origins.

import { KiB, type LimitRow, row } from './limit-row.ts';

export const networkLimits = {
  connectTimeoutMs: row(10_000, 'timeout', 'Dialling an origin: a SYN lost twice still gets through.'),
  resolveTimeoutMs: row(
    5_000,
    'timeout',
    'A name server that does not answer must not hold a stream for longer.',
  ),
  handshakeTimeoutMs: row(10_000, 'timeout', 'A TLS or WebSocket handshake over a bad link.'),
  closeTimeoutMs: row(
    2_000,
    'timeout',
    'A peer that does not respond to a close in time is cut off; nothing is lost by then.',
  ),
  drainTimeoutMs: row(30_000, 'shutting_down', 'How long open exchanges may take to end after SIGTERM.'),
  clientHelloBytesMax: row(
    64 * KiB,
    'tls_handshake',
    'Ten times the largest hello seen, which carries post-quantum key shares and ECH.',
  ),
  leafContextsMax: row(1024, 'limit_exceeded', 'Secure contexts kept by host; one is about 40 KB.'),
  leavesPerSecondMax: row(
    200,
    'limit_exceeded',
    'Minting for a session that invents host names must not starve the others.',
  ),
  lookupsPendingMax: row(
    256,
    'limit_exceeded',
    'Names that one principal may have open at the resolver; more is a flood, not a build.',
  ),
  dialsPendingMax: row(
    512,
    'limit_exceeded',
    'Connections that one principal may have in the making: black holes hold a socket each.',
  ),
  originPoolsMax: row(
    16_384,
    'limit_exceeded',
    'Destinations with open connections, each for each session and set of credentials, over all principals; one that nobody uses makes room.',
  ),
  originPoolsPerPrincipalMax: row(
    4096,
    'limit_exceeded',
    'Destinations that one principal uses at once, counted for each of its sessions: the others must find room too.',
  ),
  http1ConnectionsPerOriginMax: row(
    128,
    'limit_exceeded',
    'Connections over HTTP/1.1 of one session to one origin, each one request: package managers use up to 50, and event streams hold theirs.',
  ),
  http2ConnectionsPerOriginMax: row(
    8,
    'limit_exceeded',
    'Connections over HTTP/2 of one session to one origin: each carries about a hundred requests at once.',
  ),
  resolverCacheMax: row(4096, 'limit_exceeded', 'Cached names over all principals; the oldest makes room.'),
  resolverTtlMsMax: row(
    60_000,
    'timeout',
    'A name that moves is found again within a minute, whatever its TTL claims.',
  ),
  dialAddressesMax: row(
    32,
    'limit_exceeded',
    'More addresses than this on one name is an attack on the dialler.',
  ),
  attemptDelayMs: row(
    250,
    'timeout',
    'Head start of one address before the next is tried too (RFC 8305 §5).',
  ),
} as const satisfies Record<string, LimitRow>;
