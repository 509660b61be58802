// Every limit of the product in one place: name with its unit, value, reason, and the error that it raises.

import type { ErrorCode } from './error.ts';

interface LimitRow {
  readonly value: number;
  readonly code: ErrorCode;
  readonly reason: string;
}

const row = (value: number, code: ErrorCode, reason: string): LimitRow => ({ value, code, reason });
const KiB = 1024;
const MiB = 1024 * KiB;

/** The limits with their reasons. docs/reference/limits.md is checked against this table. */
export const limitTable = {
  frameBytesMax: row(
    64 * KiB,
    'frame_too_large',
    'A larger data frame only delays the small frames behind it.',
  ),
  controlFrameBytesMax: row(
    8 * KiB,
    'frame_too_large',
    'Control frames are buffered whole; an open with a 255-octet name needs far less.',
  ),
  messageBytesMax: row(
    1 * MiB,
    'websocket_malformed',
    'A message is one flush; a bound keeps a claimed length from being believed.',
  ),
  streamsMax: row(
    4096,
    'stream_limit',
    'An idle intercepted stream costs about 80 KB on both sides together.',
  ),
  windowBytesInitial: row(
    1 * MiB,
    'flow_control',
    'Carries 45 MB/s at 20 ms; granted at once while the tunnel has room, else with the first bytes drained.',
  ),
  windowBytesMax: row(
    16 * MiB,
    'flow_control',
    'At 20 ms of round-trip time it carries 800 MB/s; measured to be worth it up to here.',
  ),
  connectionWindowBytes: row(
    64 * MiB,
    'flow_control',
    'Bounds what one tunnel can make the other side hold beyond 64 KiB a stream, and what is on the link.',
  ),
  controlQueueBytesMax: row(
    4 * MiB,
    'limit_exceeded',
    'Every stream opened and reset at once fits; answers to a flood of pings do not.',
  ),
  writeBufferBytesMax: row(1 * MiB, 'flow_control', 'Bytes queued on a socket before its source is paused.'),
  headBytesMax: row(
    64 * KiB,
    'head_too_large',
    'The largest request head that common servers take, with cookies.',
  ),
  headersCountMax: row(200, 'head_too_large', 'More fields than this are an attack, not a client.'),
  chunkOverheadBytesMax: row(
    1 * MiB,
    'request_malformed',
    'Sizes and extensions of chunks beyond 16 bytes for each byte of the body: endless extensions carry nothing.',
  ),
  connectHeadBytesMax: row(
    16 * KiB,
    'head_too_large',
    'The first head on the relay: CONNECT with a few fields.',
  ),
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
    'A peer that does not answer a close in time is cut off; nothing is lost by then.',
  ),
  headTimeoutMs: row(30_000, 'timeout', 'From the first byte of a head to its end: slow heads hold memory.'),
  responseHeadTimeoutMs: row(
    300_000,
    'timeout',
    'Language models may think for minutes before the first byte.',
  ),
  idleTimeoutMs: row(
    600_000,
    'timeout',
    'A stream without a byte either way; event streams ping more often than this.',
  ),
  blindIdleTimeoutMs: row(
    600_000,
    'timeout',
    'Raw TCP and passed-through TLS without a byte either way: the relay gives such a connection up then, too.',
  ),
  webSocketIdleTimeoutMs: row(
    600_000,
    'timeout',
    'A WebSocket without a byte either way; clients ping every minute or more often.',
  ),
  requestsPerSecondMax: row(
    20_000,
    'limit_exceeded',
    'Requests of one session: twice what one gateway was measured to carry; lower it where many share one.',
  ),
  streamsPerSecondMax: row(
    2_000,
    'limit_exceeded',
    'Connections that one session opens: twice what one gateway was measured to carry as TLS.',
  ),
  http2StreamsMax: row(128, 'stream_limit', 'Requests at once on one client connection (RFC 9113 §6.5.2).'),
  http2ResetsPerSecondMax: row(50, 'limit_exceeded', 'Of one connection, four times as many at once.'),
  http2ControlFramesPerSecondMax: row(2_000, 'limit_exceeded', 'PING, SETTINGS: each wants an answer.'),
  pingIntervalMs: row(
    20_000,
    'tunnel_lost',
    'Below the idle limit of common load balancers (60 s), two may be missed.',
  ),
  pingTimeoutMs: row(45_000, 'tunnel_lost', 'Two missed pings and their round trip.'),
  drainTimeoutMs: row(30_000, 'shutting_down', 'How long open exchanges may take to end after SIGTERM.'),
  enrolTimeoutMs: row(15_000, 'timeout', 'One request to the gateway during start-up.'),
  caBytesMax: row(
    1 * MiB,
    'ca_invalid',
    'A dozen certificates are 20 KB; an HTML page or a stream is refused.',
  ),
  tokenBytesMax: row(16 * KiB, 'token_unreadable', 'The largest OIDC token seen is 4 KB.'),
  reconnectDelayMsInitial: row(
    250,
    'tunnel_lost',
    'First wait before a reconnect, halved to doubled by jitter.',
  ),
  reconnectDelayMsMax: row(
    15_000,
    'tunnel_lost',
    'An agent finds a gateway that came back within this time.',
  ),
  tunnelWaitTimeoutMs: row(
    10_000,
    'tunnel_lost',
    'A new connection of the workload waits this long for a tunnel that is being set up again.',
  ),
  captureNamesMax: row(
    16_384,
    'limit_exceeded',
    'Names with an address of their own inside a captured network; 4 MB at most, and the oldest makes room.',
  ),
  capturePortsMax: row(
    256,
    'limit_exceeded',
    'Each captured port is a listener; others are reached by the proxy variables alone.',
  ),
  lingerTimeoutMs: row(
    2_000,
    'timeout',
    'After the last byte to a client: how long its own bytes are still taken, or its kernel would drop ours.',
  ),
  proofAgeMsMax: row(60_000, 'proof_invalid', 'Clock skew between container and gateway plus the way there.'),
  tunnelsPerSessionMax: row(4, 'limit_exceeded', 'One in use, one draining, one being set up, one spare.'),
  agentBodyBytesMax: row(64 * KiB, 'request_malformed', 'Body of a session request: a key and a posture.'),
  commitTimeoutMs: row(
    120_000,
    'session_unknown',
    'From enrolment to commit: several start-up steps with their own deadlines.',
  ),
  accessTokenLifetimeMs: row(
    900_000,
    'token_expired',
    'An access token is bound to a key; renewal is one cheap request.',
  ),
  sessionLifetimeMs: row(
    86_400_000,
    'session_unknown',
    'A container that lives longer than a day gets a new token from its orchestrator.',
  ),
  enrolmentsPerTokenMax: row(
    100,
    'limit_exceeded',
    'A supervisor may restart often before the commit, but not for ever.',
  ),
  proofsPerKeyMax: row(
    1000,
    'limit_exceeded',
    'Remembered proofs of one key: far above renewals and reconnects in proofAgeMsMax.',
  ),
  proofsMax: row(100_000, 'limit_exceeded', 'Remembered proofs of all keys: about 10 MB in the store.'),
  auditQueueEventsMax: row(
    16_384,
    'audit_unavailable',
    'Events that wait for the store; at half of it nothing new is served.',
  ),
  auditQueueBytesMax: row(
    64 * MiB,
    'audit_unavailable',
    'An event holds a path of up to headBytesMax, so the count alone bounds nothing.',
  ),
  auditFlushDelayMs: row(
    50,
    'audit_unavailable',
    'How long an event waits for company: one transaction a batch, not an event.',
  ),
  jwksBytesMax: row(256 * KiB, 'issuer_unavailable', 'The largest key set seen is 20 KB.'),
  jwksTimeoutMs: row(
    5_000,
    'issuer_unavailable',
    'An enrolment waits for this fetch and has its own deadline of enrolTimeoutMs.',
  ),
  awsChunkBytesMax: row(
    16 * MiB,
    'request_malformed',
    'A chunk of aws-chunked as it is declared; clients send up to 1 MiB, and it passes by without being held.',
  ),
  awsChunkHeadBytesMax: row(
    512,
    'request_malformed',
    'Size and signature of a chunk are 90 bytes; an extension beyond them is none that is known.',
  ),
  awsTrailerBytesMax: row(8 * KiB, 'request_malformed', 'A checksum and a signature are 200 bytes.'),
  signedBodyBytesMax: row(
    4 * MiB,
    'body_too_large',
    'A body whose hash the client does not state is held until it is signed; those of services other than S3 are small.',
  ),
  heldBodiesPerSessionBytesMax: row(
    32 * MiB,
    'limit_exceeded',
    'All bodies together that are held of one session, to be signed or searched, so that others find room.',
  ),
  heldBodiesBytesMax: row(
    256 * MiB,
    'limit_exceeded',
    'All bodies together that are held to be signed or searched.',
  ),
  heldBodyTimeoutMs: row(
    30_000,
    'timeout',
    'A body that is held to be signed or searched has to arrive whole in this time, or slow ones would fill the room.',
  ),
  pushCommandsBytesMax: row(
    128 * KiB,
    'body_too_large',
    'The commands of a push by git are held until they are judged: about a thousand refs at once.',
  ),
  pushCommandsTimeoutMs: row(
    30_000,
    'timeout',
    'The commands of a push are the first bytes of its body, and small.',
  ),
  refusedPushBytesMax: row(
    64 * MiB,
    'body_too_large',
    'What is left of a refused push is read and dropped up to this size, for git reads the reason only when it has sent all.',
  ),
  refusedPushTimeoutMs: row(
    60_000,
    'timeout',
    'The rest of a refused push; the reason is sent when it is over.',
  ),
  accessBodyBytesMax: row(
    16 * KiB,
    'body_too_large',
    'A request for access is a URL and a reason that a person reads.',
  ),
  accessReasonCharactersMax: row(
    1000,
    'request_malformed',
    'A reason that is longer is not read, and it is text of strangers on the terminal of an operator.',
  ),
  accessCallsPerSecondMax: row(
    5,
    'limit_exceeded',
    'Requests for access and looks at their state, by one session; a person decides in minutes.',
  ),
  doctorCallsPerSecondMax: row(
    50,
    'limit_exceeded',
    'Requests of one session by which a client is proved to reach the gateway; more clients do not start in a second.',
  ),
  doctorContactTimeoutMs: row(
    10_000,
    'timeout',
    'Each step of the request by which the doctor sees whether the gateway answers; it dials nothing, so it is quick.',
  ),
  doctorProofTimeoutMs: row(
    40_000,
    'timeout',
    'A client that the doctor starts, for its version and for its proof; some take ten seconds to start on a busy machine.',
  ),
  doctorClientsMax: row(
    3,
    'limit_exceeded',
    'Clients that the doctor starts at a time; more make each of them slow on a small machine.',
  ),
  accessPendingPerSessionMax: row(
    20,
    'limit_exceeded',
    'Requests for access of one session that wait for a decision; nobody reads more.',
  ),
  accessRequestsPerSessionMax: row(
    200,
    'limit_exceeded',
    'Requests for access of one session in all, so that one session cannot fill the store.',
  ),
  accessRequestsMax: row(
    10_000,
    'limit_exceeded',
    'Requests for access of all sessions that the store keeps; about 10 MB.',
  ),
  accessPendingLifetimeMs: row(
    86_400_000,
    'timeout',
    'A request for access that nobody decided within a day is about work that is over.',
  ),
  accessGrantLifetimeMsMax: row(
    86_400_000,
    'usage',
    'What should hold longer than a day belongs into the policy, where others review it.',
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
    4096,
    'limit_exceeded',
    'Destinations with open connections, over all principals; one that nobody uses makes room.',
  ),
  originPoolsPerPrincipalMax: row(
    1024,
    'limit_exceeded',
    'Destinations that one principal uses at once: the others must find room too.',
  ),
  http2ConnectionsPerOriginMax: row(
    8,
    'limit_exceeded',
    'Connections over HTTP/2 of one principal to one origin: each carries about a hundred requests at once.',
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
  policyBytesMax: row(
    2 * MiB,
    'config_invalid',
    'A policy or configuration file; 5,000 rules of four keys are 0.6 MB.',
  ),
  policyRulesMax: row(
    10_000,
    'config_invalid',
    'Rules of all files together; 5,000 are read and checked in 0.6 s, in which the gateway decides nothing.',
  ),
} as const satisfies Record<string, LimitRow>;

export type LimitName = keyof typeof limitTable;
export type Limits = Readonly<Record<LimitName, number>>;

/** The default limits, frozen. Pass a changed copy to try other values. */
export const defaultLimits: Limits = Object.freeze(
  // The keys of the table are the names; fromEntries forgets that.
  Object.fromEntries(Object.entries(limitTable).map(([name, { value }]) => [name, value])) as Record<
    LimitName,
    number
  >,
);
