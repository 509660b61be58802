// Connections: TLS towards workloads, names, and the way to origins.

import { KiB, MiB, fixedRow, row, type LimitRow } from './limit-row.ts';

export const networkLimits = {
  connectTimeoutMs: row(
    10_000,
    'timeout',
    'Dialling an origin. A SYN that is lost twice still gets through.',
  ),
  resolveTimeoutMs: row(
    5_000,
    'timeout',
    'Resolving a name. A silent name server must not hold a stream for longer.',
  ),
  handshakeTimeoutMs: row(10_000, 'timeout', 'A TLS or WebSocket handshake over a bad link.'),
  proxyAwayMs: row(
    30_000,
    'origin_unreachable',
    'How long a proxy of `upstream.exits` that could not be reached is tried behind the others that a proxy script names.',
  ),
  proxyAddressesMax: fixedRow(
    4,
    'origin_unreachable',
    'Addresses of one name that a SOCKS5 proxy is asked for, one after the other.',
  ),
  pacTimeoutMs: row(
    5_000,
    'exit_unavailable',
    'What a proxy script may take for one host, with the names that it resolves. Then its thread is ended. Principals take turns on `pacThreadsMax` threads; a host whose turn does not come within `connectTimeoutMs` is refused.',
  ),
  pacBytesMax: fixedRow(1 * MiB, 'config_invalid', 'A proxy script. Large companies have some of 200 KB.'),
  pacThreadsMax: fixedRow(
    4,
    'exit_unavailable',
    'Threads of one proxy script, each begun when it is needed. A principal has one at a time; one of them is for those whose questions were slow.',
  ),
  pacStartTimeoutMs: fixedRow(
    30_000,
    'exit_unavailable',
    'What a thread of a proxy script may take to begin. A busy machine takes seconds, for which the script is not to blame.',
  ),
  pacSlowMs: row(
    500,
    'exit_unavailable',
    'From then on a question to a proxy script is slow, and so is one that fails, because a thread has to begin again. The usual one takes some milliseconds.',
  ),
  pacSlowAgeMs: fixedRow(
    60_000,
    'exit_unavailable',
    'So long the questions of a principal that had a slow one go to the thread for those. What the script says of a host is kept as long.',
  ),
  pacSlowOwnersMax: fixedRow(
    1_024,
    'exit_unavailable',
    'Principals that are remembered as slow. Beyond it, the one that was slow longest ago is forgotten.',
  ),
  pacMemoryBytesMax: fixedRow(
    32 * MiB,
    'exit_unavailable',
    'Memory of a proxy script in its interpreter, and as much again for the thread around it.',
  ),
  pacLookupsMax: fixedRow(32, 'exit_unavailable', 'Names that a proxy script may resolve for one host.'),
  pacResultCharactersMax: fixedRow(2_048, 'exit_unavailable', 'What a proxy script may say of a host.'),
  pacHopsMax: fixedRow(8, 'exit_unavailable', 'Proxies of one response of a proxy script that are tried.'),
  pacResultsMax: fixedRow(
    4_096,
    'exit_unavailable',
    'Hosts of which it is kept what the proxy script says, each for one principal. Beyond it, the one that was asked for longest ago is asked again.',
  ),
  pacResultAgeMsMax: fixedRow(
    60_000,
    'exit_unavailable',
    'How long it is kept what the proxy script says of a host: it may look at the time and at names. A failure is kept for a tenth of it.',
  ),
  closeTimeoutMs: row(
    2_000,
    'timeout',
    'A peer that does not respond to a close in time is cut off. Nothing is lost by then.',
  ),
  drainTimeoutMs: row(
    30_000,
    'shutting_down',
    'How long open exchanges may take to end after SIGTERM. Then those that still run are reset. Idle connections of clients end at half of it.',
  ),
  drainedTunnelsPerSecond: row(
    500,
    'shutting_down',
    'Agents that are told to go elsewhere, or all in a third of `drainTimeoutMs`. Each makes a handshake at another gateway at once.',
  ),
  drainCommandsMax: fixedRow(
    8,
    'limit_exceeded',
    'Commands `gateway drain` that wait for the end of one gateway. A further one is cut off.',
  ),
  passedSocketsMax: fixedRow(
    16,
    'config_invalid',
    'Sockets that a service manager may pass (`LISTEN_FDS`): more than a configuration has places for.',
  ),
  serviceNoticeTimeoutMs: fixedRow(
    1_000,
    'timeout',
    'A service manager that does not take a notice for this long (`NOTIFY_SOCKET`) misses it. Only the notice waits.',
  ),
  clientHelloBytesMax: row(
    64 * KiB,
    'tls_handshake',
    'Ten times the largest hello seen, which carries post-quantum key shares and ECH.',
  ),
  leafContextsMax: row(1024, 'limit_exceeded', 'Secure contexts kept by host, of about 40 KB each.'),
  leavesPerSecondMax: row(
    200,
    'limit_exceeded',
    'Certificates for new host names. A session that invents names must not starve the others.',
  ),
  lookupsPendingMax: row(
    256,
    'limit_exceeded',
    'Names that one principal may be waiting for at the resolver. More is a flood, not a build.',
  ),
  dialsPendingMax: row(
    512,
    'limit_exceeded',
    'Connections of one principal that are being set up. A destination that never responds holds a socket for each.',
  ),
  originPoolsMax: row(
    16_384,
    'limit_exceeded',
    'Destinations with open connections, over all principals, counted for each session and set of credentials. One that nobody uses makes room.',
  ),
  originPoolsPerPrincipalMax: row(
    4096,
    'limit_exceeded',
    'Destinations that one principal uses at once, counted for each of its sessions. The bound leaves room for others.',
  ),
  originPoolsPerSessionMin: fixedRow(
    16,
    'limit_exceeded',
    'Destinations that each session gets even if others of its principal use all that the principal may have.',
  ),
  http1ConnectionsPerOriginMax: row(
    128,
    'limit_exceeded',
    'Connections over HTTP/1.1 of one session to one origin, with one request each. Package managers use up to 50, and event streams keep theirs.',
  ),
  http2ConnectionsPerOriginMax: row(
    8,
    'limit_exceeded',
    'Connections over HTTP/2 of one session to one origin. Each carries about a hundred requests at once.',
  ),
  http2LeavingPerOriginMax: fixedRow(
    32,
    'limit_exceeded',
    'Connections over HTTP/2 that one origin has ended for one session, with GOAWAY or by closing, and whose last responses still run.',
  ),
  resolverCacheMax: row(
    4096,
    'limit_exceeded',
    'Cached names over all principals. The oldest of the session that has most makes room.',
  ),
  resolverTtlMsMax: row(
    60_000,
    'timeout',
    'A name that moves is found again within a minute, whatever TTL it claims.',
  ),
  resolverTtlMsMin: fixedRow(
    1_000,
    'timeout',
    'A TTL of 0 is kept for this long. Connections that begin together ask once, and every dial judges the addresses anew.',
  ),
  resolverNegativeTtlMs: fixedRow(
    2_000,
    'name_not_found',
    'How long it is remembered that a name does not exist. A loop then asks every two seconds, and a new name is found soon.',
  ),
  originChainCertificatesMax: fixedRow(
    16,
    'origin_untrusted',
    'Certificates of an origin that are searched for a chain. Chains have three or four.',
  ),
  originChainDepthMax: fixedRow(
    8,
    'origin_untrusted',
    'Certificates in one chain of an origin. Those of the web have four at most.',
  ),
  originChainSignaturesMax: fixedRow(
    32,
    'origin_untrusted',
    'Signatures that are verified for the chain of an origin. The origin must not choose how long the search takes.',
  ),
  tlsSessionAgeMsMax: fixedRow(
    300_000,
    'origin_untrusted',
    'For this long after a certificate was verified, its TLS session may be resumed. Then a revocation is noticed.',
  ),
  tlsSessionsPerPoolMax: fixedRow(
    4,
    'origin_untrusted',
    'TLS sessions kept for one destination of a session: one ticket for each handshake at once. The oldest makes room.',
  ),
  dialAddressesMax: row(
    32,
    'limit_exceeded',
    'More addresses than this on one name is an attack on the dialler.',
  ),
  ownAddressesAgeMsMax: fixedRow(
    1_000,
    'address_denied',
    "How old the list of this machine's addresses may be. Reading seven takes 80 µs of each dial. A newer address is found when it is connected to.",
  ),
  attemptDelayMs: row(
    250,
    'timeout',
    'Head start of one address before the next is tried too (RFC 8305 §5).',
  ),
  aliasGraceMs: fixedRow(
    300,
    'timeout',
    'Waiting for the names behind an alias. They were asked for together with the addresses, so most are there by then.',
  ),
  aliasesMax: fixedRow(8, 'origin_unreachable', 'Links in a chain of CNAMEs. No sound setup has more.'),
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
    'Contexts for rules with their own certificates. Few rules have them, and a reload may bring new ones.',
  ),
  mintingOwnersMax: fixedRow(
    1024,
    'limit_exceeded',
    'Sessions whose rate of new host names is remembered. A forgotten one starts anew, so the oldest goes first.',
  ),
  clientHelloRecordsMax: fixedRow(
    64,
    'tls_handshake',
    'Records of one ClientHello. Real ones are split over two or three. One that is split into single octets only costs time.',
  ),
  clientKeepAliveMs: fixedRow(
    120_000,
    'timeout',
    "An idle kept-alive connection of a client; the stream's own idle limit is longer.",
  ),
  discardedBodyBytesMax: fixedRow(
    1 * MiB,
    'body_too_large',
    'The unread rest of a refused body is read and dropped up to this size, so that the connection can go on.',
  ),
  http2WindowBytes: fixedRow(
    64 * KiB,
    'flow_control',
    'What a client may send ahead on one stream of HTTP/2: 3 MB/s at 20 ms. It is held until the origin takes it, so the budget counts it for each upload.',
  ),
  http2WideWindowBytes: fixedRow(
    512 * KiB,
    'flow_control',
    'The same on a connection with few uploads, once the origin has taken one as fast as it came: 25 MB/s at 20 ms.',
  ),
  http2OriginWindowBytes: fixedRow(
    1 * MiB,
    'flow_control',
    "What an origin may send ahead on a stream of HTTP/2: 50 MB/s at 20 ms. If the session's budget has no room, it is `http2WindowBytes`.",
  ),
  http2WideUploadsMax: fixedRow(
    8,
    'flow_control',
    'With more uploads at once on a connection, its windows are narrow again. Together these uploads are fast enough.',
  ),
  http2ConnectionWindowBytes: fixedRow(
    4 * MiB,
    'flow_control',
    'What may be on its way on one connection of HTTP/2. It is given back as data arrives, so it bounds speed. The windows of the streams bound what is held.',
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
    'Origins for which the gateway remembers whether they speak HTTP/2. The oldest makes room.',
  ),
  originIdleMsMax: fixedRow(
    4_000,
    'timeout',
    'Idle connections are closed before common servers close them (5 s). Otherwise a request that cannot be sent twice would be lost. Each holds 20 to 55 KB, measured.',
  ),
  lateResponseMs: fixedRow(
    2_000,
    'origin_truncated',
    'How long a response may take once an origin takes nothing more of the body. It was sent before the origin closed, so it is nearly always there.',
  ),
  proxyHopsMax: fixedRow(8, 'loop_detected', 'Proxies on the way. Nobody means a way through more.'),
  forwardedHopsMax: fixedRow(
    32,
    'limit_exceeded',
    'Entries of `Forwarded` or `X-Forwarded-For` that are looked at. No real client is behind more proxies.',
  ),
  proxyProtocolBytesMax: fixedRow(
    1 * KiB,
    'request_malformed',
    'The PROXY head after its first 16 octets. Addresses take at most 36, and the rest is for extensions that are not read here.',
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
