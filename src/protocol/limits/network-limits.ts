// Connections: TLS towards workloads, names, and the way to origins.

import { KiB, MiB, fixedRow, row, type LimitRow } from './limit-row.ts';

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
  drainTimeoutMs: row(
    30_000,
    'shutting_down',
    'How long open exchanges may take to end after SIGTERM; what runs then is reset. Connections of clients on which nothing runs end at half of it.',
  ),
  drainedTunnelsPerSecond: row(
    500,
    'shutting_down',
    'So many agents are told to go elsewhere, or all in a third of `drainTimeoutMs`: each makes a handshake at another gateway at once.',
  ),
  drainCommandsMax: fixedRow(
    8,
    'limit_exceeded',
    'Commands `gateway drain` that wait for the end of one gateway; a further one is cut off.',
  ),
  passedSocketsMax: fixedRow(
    16,
    'config_invalid',
    'Sockets that a service manager may pass (`LISTEN_FDS`): more than a configuration has places for.',
  ),
  serviceNoticeTimeoutMs: fixedRow(
    1_000,
    'timeout',
    'A service manager that takes no notice for so long (`NOTIFY_SOCKET`) misses one; nothing but the notice waits for it.',
  ),
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
  originPoolsPerSessionMin: fixedRow(
    16,
    'limit_exceeded',
    'Destinations that each session gets even where others of its principal use all that the principal may have.',
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
  http2LeavingPerOriginMax: fixedRow(
    32,
    'limit_exceeded',
    'Connections of one session that one origin over HTTP/2 has left, by GOAWAY or by its end, and whose last responses still run.',
  ),
  resolverCacheMax: row(
    4096,
    'limit_exceeded',
    'Cached names over all principals; the oldest of the session that has most makes room.',
  ),
  resolverTtlMsMax: row(
    60_000,
    'timeout',
    'A name that moves is found again within a minute, whatever its TTL claims.',
  ),
  resolverTtlMsMin: fixedRow(
    1_000,
    'timeout',
    'A TTL of 0 is kept for so long: connections that begin together ask once, and every dial judges the addresses anew.',
  ),
  resolverNegativeTtlMs: fixedRow(
    2_000,
    'name_not_found',
    'That a name is not there is kept for so long: a loop over it asks every two seconds, and one that was just made is soon found.',
  ),
  originChainCertificatesMax: fixedRow(
    16,
    'origin_untrusted',
    'Certificates of an origin that are looked at for a chain, which is three or four long.',
  ),
  originChainDepthMax: fixedRow(
    8,
    'origin_untrusted',
    'Certificates in one chain of an origin; those of the web have four at most.',
  ),
  originChainSignaturesMax: fixedRow(
    32,
    'origin_untrusted',
    'Signatures that are verified for the chain of an origin: what an origin sends must not choose how long it is searched.',
  ),
  tlsSessionAgeMsMax: fixedRow(
    300_000,
    'origin_untrusted',
    'For so long behind the verification of a certificate its TLS session is resumed: after it, what was revoked is noticed.',
  ),
  tlsSessionsPerPoolMax: fixedRow(
    4,
    'origin_untrusted',
    'TLS sessions kept for one destination of a session: handshakes at once, each with a ticket of its own; the oldest makes room.',
  ),
  dialAddressesMax: row(
    32,
    'limit_exceeded',
    'More addresses than this on one name is an attack on the dialler.',
  ),
  ownAddressesAgeMsMax: fixedRow(
    1_000,
    'address_denied',
    'How old the list of the addresses of this machine may be: seven take 80 µs of each dial. An address that is newer is found when it is connected to.',
  ),
  attemptDelayMs: row(
    250,
    'timeout',
    'Head start of one address before the next is tried too (RFC 8305 §5).',
  ),
  aliasGraceMs: fixedRow(
    300,
    'timeout',
    'For the names behind an alias: they were asked for together with the addresses, so most are there by then.',
  ),
  aliasesMax: fixedRow(8, 'origin_unreachable', 'Links of a chain of CNAMEs; no sound setup has more.'),
  familyGraceMs: fixedRow(
    300,
    'timeout',
    'How long the other address family may take once one has answered (RFC 8305 §3 has 50 ms for the same wait).',
  ),
  dnsQueryTimeoutMs: fixedRow(
    2000,
    'timeout',
    'An unanswered query is repeated after this time; two tries fit into resolveTimeoutMs.',
  ),
  nameServersAgeMsMax: fixedRow(
    30_000,
    'timeout',
    "The system's name servers are read again after this time: resolv.conf may change under a long-lived process.",
  ),
  certificateContextsMax: fixedRow(
    64,
    'limit_exceeded',
    'Contexts for rules with certificates of their own, which are few; a reload may bring new ones.',
  ),
  mintingOwnersMax: fixedRow(
    1024,
    'limit_exceeded',
    'Sessions whose rate of new host names is remembered. A forgotten one starts anew, so the oldest goes first.',
  ),
  clientHelloRecordsMax: fixedRow(
    64,
    'tls_handshake',
    'Real hellos are split over two or three records; one split into its octets only costs time.',
  ),
  clientKeepAliveMs: fixedRow(
    120_000,
    'timeout',
    "An idle kept-alive connection of a client; the stream's own idle limit is longer.",
  ),
  discardedBodyBytesMax: fixedRow(
    1 * MiB,
    'body_too_large',
    'What is left unread of a refused body up to this size is read and dropped, so that the connection can go on.',
  ),
  http2WindowBytes: fixedRow(
    64 * KiB,
    'flow_control',
    'What a client may send ahead on one stream of HTTP/2: 3 MB/s at 20 ms. It is held until the origin takes it, so the budget counts it for each upload.',
  ),
  http2WideWindowBytes: fixedRow(
    512 * KiB,
    'flow_control',
    'The same on a connection with few uploads, of which the origin took one as it came: 25 MB/s at 20 ms.',
  ),
  http2OriginWindowBytes: fixedRow(
    1 * MiB,
    'flow_control',
    'What an origin may send ahead on a stream of HTTP/2: 50 MB/s at 20 ms. Without room in the budget of the session it is `http2WindowBytes`.',
  ),
  http2WideUploadsMax: fixedRow(
    8,
    'flow_control',
    'With more uploads at once on a connection its windows are narrow again: together they are fast enough.',
  ),
  http2ConnectionWindowBytes: fixedRow(
    4 * MiB,
    'flow_control',
    'What may be on its way on one connection of HTTP/2. It is given back as it arrives, so it bounds speed; what is held, the windows of the streams bound.',
  ),
  http2SessionMegabytesMax: fixedRow(
    8,
    'limit_exceeded',
    'Megabytes that one connection of HTTP/2 may hold before it is refused more.',
  ),
  http2SettingsEntriesMax: fixedRow(
    32,
    'limit_exceeded',
    'A SETTINGS frame has at most a handful of entries.',
  ),
  http2OriginStreamsMax: fixedRow(
    100,
    'stream_limit',
    "Requests at once on one connection over HTTP/2 to an origin, unless the origin's SETTINGS say less.",
  ),
  originProtocolsMax: fixedRow(
    8192,
    'limit_exceeded',
    'Origins of which it is remembered that they speak HTTP/2, or not; the oldest makes room.',
  ),
  originIdleMsMax: fixedRow(
    4_000,
    'timeout',
    'Idle connections are given up before common servers close them (5 s): what cannot be sent twice would be lost. Each holds 20 to 55 KB, measured.',
  ),
  proxyHopsMax: fixedRow(
    8,
    'loop_detected',
    'A way through more proxies than this is no way that somebody meant.',
  ),
  forwardedHopsMax: fixedRow(
    32,
    'limit_exceeded',
    'Entries of `Forwarded` or `X-Forwarded-For` that are looked at: more proxies than this are not between us and anybody.',
  ),
  proxyProtocolBytesMax: fixedRow(
    1 * KiB,
    'request_malformed',
    'Of the PROXY head behind its first 16 octets: addresses take at most 36; the rest is for extensions that nobody here reads.',
  ),
  webSocketRefusalLingerMs: fixedRow(
    2_000,
    'timeout',
    'How long a refused client of a WebSocket may take to read the response.',
  ),
  trustFileBytesMax: fixedRow(
    1 * MiB,
    'config_invalid',
    'A bundle of a whole public root programme is 300 KB.',
  ),
} as const satisfies Record<string, LimitRow>;
