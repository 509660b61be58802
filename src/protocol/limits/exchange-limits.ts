// Requests and responses: their heads, their bodies, and what is held of them.

import { KiB, MiB, fixedRow, row, type LimitRow } from './limit-row.ts';

export const exchangeLimits = {
  headBytesMax: row(
    64 * KiB,
    'head_too_large',
    'The largest request head that common servers take, with cookies.',
  ),
  headersCountMax: row(200, 'head_too_large', 'More fields than this are an attack, not a client.'),
  chunkOverheadBytesMax: row(
    1 * MiB,
    'request_malformed',
    'Sizes and extensions of chunks, beyond 16 bytes for each byte of the body. Endless extensions carry nothing.',
  ),
  interimHeadsMax: row(
    64,
    'origin_malformed',
    'Responses of 1xx before the final response. They are passed on at once, and after each the wait for the next begins anew.',
  ),
  chunkLineBytesMax: row(
    4 * KiB,
    'origin_malformed',
    'The size of a chunk with its extensions. A line is held until it is whole, and almost nobody sends extensions.',
  ),
  headTimeoutMs: row(30_000, 'timeout', 'From the first byte of a head to its end. Slow heads hold memory.'),
  responseHeadTimeoutMs: row(
    300_000,
    'timeout',
    'From a request to the head of its response. Language models may think for minutes before the first byte.',
  ),
  idleTimeoutMs: row(
    600_000,
    'timeout',
    'A stream without a byte in either direction. Event streams ping more often than this.',
  ),
  blindIdleTimeoutMs: row(
    600_000,
    'timeout',
    'Raw TCP and passed-through TLS without a byte in either direction. The relay gives up such a connection then, too.',
  ),
  webSocketIdleTimeoutMs: row(
    600_000,
    'timeout',
    'A WebSocket without a byte in either direction. Clients ping every minute or more often.',
  ),
  requestsPerSecondMax: row(
    20_000,
    'limit_exceeded',
    'Requests of one session. This is twice what one gateway carried when measured. Lower it where many sessions share a gateway.',
  ),
  openExchangesPerSessionMax: row(
    16_384,
    'limit_exceeded',
    'Requests, WebSockets and raw streams of one session at once: one on each stream of four full tunnels. The audit remembers each of them.',
  ),
  http2StreamsMax: row(128, 'stream_limit', 'Requests at once on one client connection (RFC 9113 §6.5.2).'),
  http2ResetsPerSecondMax: row(
    50,
    'limit_exceeded',
    'Resets of streams on one connection. Four times as many may come at once.',
  ),
  http2ControlFramesPerSecondMax: row(
    2_000,
    'limit_exceeded',
    'PING and SETTINGS frames. Each wants an acknowledgement.',
  ),
  awsChunkBytesMax: fixedRow(
    16 * MiB,
    'request_malformed',
    'The declared size of a chunk of aws-chunked. Clients send up to 1 MiB, and it passes without being held.',
  ),
  awsChunkHeadBytesMax: row(
    512,
    'request_malformed',
    'The head of such a chunk. Size and signature are 90 bytes, and no other extension is known.',
  ),
  awsTrailerBytesMax: row(
    8 * KiB,
    'request_malformed',
    'The trailer of such a body. A checksum and a signature are 200 bytes.',
  ),
  signedBodyBytesMax: row(
    4 * MiB,
    'body_too_large',
    'A body whose hash the client does not state. It is held until it is signed. Bodies for services other than S3 are small.',
  ),
  heldOctetsPerSessionMax: row(
    128 * MiB,
    'limit_exceeded',
    'Everything that is held or promised for one session: bodies on their way, widened windows. A hundred uploads over HTTP/2 at once take 38 MiB of it.',
  ),
  heldOctetsMax: row(
    512 * MiB,
    'limit_exceeded',
    'The same for all sessions. One session holds at most as much as it leaves for the others.',
  ),
  unreadOctetsPerSessionMax: row(
    128 * MiB,
    'limit_exceeded',
    'Data that arrived and that nobody takes: on the streams of a session within the 64 KiB that the wire gives each, what clients send ahead, and responses. A stream that brings more ends.',
  ),
  unreadOctetsMax: row(
    512 * MiB,
    'limit_exceeded',
    'The same for all sessions. One session holds at most as much as it leaves for the others.',
  ),
  zstdWindowBytesMax: fixedRow(
    8 * MiB,
    'origin_malformed',
    'The window of a zstd response that is decoded. No sender has a larger one over HTTP (RFC 9659).',
  ),
  stalledResponseBytes: fixedRow(
    512 * KiB,
    'limit_exceeded',
    'What a response counts while its client takes nothing: data in hand, on its connection, and on its way to the client. 420 KiB were measured.',
  ),
  requestBodyAheadBytes: fixedRow(
    320 * KiB,
    'flow_control',
    'What a body to a slow origin costs beyond its window: 64 KiB that were read, and 256 KiB that wait for the origin. The budget counts it for each body.',
  ),
  heldBodiesPerSessionBytesMax: row(
    32 * MiB,
    'limit_exceeded',
    'All bodies of one session together that are held to be signed or searched. The bound leaves room for other sessions.',
  ),
  heldBodiesBytesMax: row(
    256 * MiB,
    'limit_exceeded',
    'All bodies together that are held to be signed or searched.',
  ),
  heldBodyTimeoutMs: row(
    30_000,
    'timeout',
    'A body that is held to be signed or searched has to arrive whole in this time. Otherwise slow ones would fill the room.',
  ),
  pushCommandsBytesMax: row(
    128 * KiB,
    'body_too_large',
    'The commands of a git push. They are held until they are judged, and this is about a thousand refs at once.',
  ),
  pushCommandsTimeoutMs: row(
    30_000,
    'timeout',
    'The commands of a git push. They are the first bytes of its body, and small.',
  ),
  refusedPushBytesMax: row(
    64 * MiB,
    'body_too_large',
    'The rest of a refused push, which is read and dropped. git reads the reason only after it has sent everything.',
  ),
  refusedPushTimeoutMs: row(
    60_000,
    'timeout',
    'Reading the rest of a refused push. The reason is sent after it.',
  ),
  auditEventBytesMax: fixedRow(
    2 * KiB,
    'audit_unavailable',
    'An event as JSON. A longer event is cut, the path last, and each cut text keeps its length and hash.',
  ),
  toldPathCharactersMax: fixedRow(
    2048,
    'request_malformed',
    'The part of a path that a refusal repeats. The one who asked knows the rest.',
  ),
  auditEventsPerSecondMax: row(
    200,
    'limit_exceeded',
    'Events of one session after its burst: 17 million a day. Above the rate its requests are refused, and these refusals share one event a second.',
  ),
  auditEventsBurstMax: row(
    60_000,
    'limit_exceeded',
    'Events of one session at once. `auditEventsPerSecondMax` refills the burst. Installing and building make tens of thousands of requests.',
  ),
  auditBytesPerSecondMax: row(
    256 * KiB,
    'limit_exceeded',
    'Like `auditEventsPerSecondMax`, in bytes: 200 events of 1.3 KB.',
  ),
  auditBytesBurstMax: row(64 * MiB, 'limit_exceeded', 'Like `auditEventsBurstMax`, in bytes.'),
  auditQueueEventsMax: row(
    16_384,
    'audit_unavailable',
    'Events that wait for the store. From half of it on, nothing new is served.',
  ),
  auditRoomTimeoutMs: fixedRow(
    5000,
    'limit_exceeded',
    'How long a request waits while events of its session fill a third of the queue. So a stalled disk slows requests down instead of refusing them.',
  ),
  auditQueueBytesMax: row(
    64 * MiB,
    'audit_unavailable',
    'Events that wait for the store, in the form in which they are stored.',
  ),
  auditFlushDelayMs: row(
    50,
    'audit_unavailable',
    'How long an event waits for others, so that a batch and not each event is a transaction.',
  ),
  auditHeadIntervalMs: fixedRow(
    60_000,
    'audit_unavailable',
    'How often the gateway signs how long the chain of the audit is. `audit verify` does not notice the loss of events that were stored since the last signature.',
  ),
  auditChainMs: fixedRow(
    86_400_000,
    'audit_unavailable',
    "After this time a new chain of the audit begins. Its opening, signed by that day's key, vouches for the chain before.",
  ),
  credentialUnusedMs: row(
    3_600_000,
    'credential_unavailable',
    'A token or lease that no request has used for this long is no longer renewed ahead of time. The next request waits for a new one.',
  ),
  scrubTableBytesMax: row(
    32 * MiB,
    'credential_unavailable',
    'The table for searching responses for the value of one credential: 70 KB for a token of 40 characters, 4 MB for one of 1,600, 15 MB for Base64 of 2,000.',
  ),
  scrubTablesBytesMax: row(
    256 * MiB,
    'credential_unavailable',
    'All of these tables together, up to four for a credential. Earlier values stay for bodies that are still running.',
  ),
  decisionStepsMax: fixedRow(
    100_000,
    'head_too_large',
    'Some 1 ms: a thousand short conditions that the index cannot tell apart, or about a hundred slow patterns on a path of some hundred bytes. A request that takes more is refused, because all sessions wait meanwhile.',
  ),
  decisionStepsPerRef: fixedRow(
    200,
    'head_too_large',
    'What each ref of a git push adds to `decisionStepsMax`, some 2 µs. A push of many refs is long by nature.',
  ),
  auditBatchEventsMax: fixedRow(
    512,
    'audit_unavailable',
    'Events in one transaction. Each transaction writes the last page of every index anew, so with 128 each event costs a fifth more.',
  ),
  auditRecoveredBatchMax: fixedRow(
    1000,
    'audit_unavailable',
    'Events of an earlier process that are taken over at once. Far fewer fill the queue.',
  ),
  auditRetryDelayMsMax: fixedRow(
    5_000,
    'audit_unavailable',
    'The longest wait before the store is tried again.',
  ),
  auditCloseAttemptsMax: fixedRow(
    3,
    'audit_unavailable',
    'Attempts to write what is left when the log closes.',
  ),
  budgetRulesPerSessionMax: fixedRow(
    1_000,
    'limit_exceeded',
    'Rules with limits that one session can have running; a policy has far fewer.',
  ),
  budgetBlockRequestsMax: fixedRow(
    1_000,
    'limit_exceeded',
    'What is borrowed of a budget at once, and at most a sixteenth of it. So the gateway seldom asks the store, and loses little when it is killed.',
  ),
  budgetBlockBytesMax: fixedRow(16 * MiB, 'limit_exceeded', 'The same for bytes.'),
  auditedRefsMax: fixedRow(
    64,
    'limit_exceeded',
    'Refs of a push that its event names. People read it as a line, and a mirror pushes thousands.',
  ),
  pushPiecesMax: fixedRow(
    64,
    'body_too_large',
    'Pieces in which a compressed list of commands may arrive. Each piece has it decoded from the beginning again.',
  ),
  gitReasonCharactersMax: fixedRow(400, 'limit_exceeded', 'A reason that git prints on one line.'),
  grpcMessageCharactersMax: fixedRow(
    2_000,
    'limit_exceeded',
    'The text for a gRPC client. Such clients take heads of 8 KiB, and encoding makes three bytes of one character.',
  ),
  metricsSeriesMax: fixedRow(
    2_000,
    'limit_exceeded',
    'Combinations of labels. They consist only of our own words, so traffic cannot reach this number.',
  ),
  requestBodyWaitingBytesMax: fixedRow(
    256 * KiB,
    'flow_control',
    'What may wait for the origin before the client is held back. Larger pieces cost fewer turns of the event loop.',
  ),
  tokenResponseBytesMax: fixedRow(
    64 * KiB,
    'policy_denied',
    'A response to a request with a secret of the home is held up to this size before its head goes on. A longer one is searched for tokens as it passes.',
  ),
  partLineBytesMax: fixedRow(
    512,
    'origin_malformed',
    'A line in the head of a part: enough for name, colon and value. Only the beginning of a longer line counts.',
  ),
  scrubTablesPerCredentialMax: fixedRow(
    4,
    'credential_unavailable',
    'Values of one credential that running bodies are searched for: a renewed one, and those before it.',
  ),
} as const satisfies Record<string, LimitRow>;
