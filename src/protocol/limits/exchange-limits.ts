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
    'Sizes and extensions of chunks beyond 16 bytes for each byte of the body: endless extensions carry nothing.',
  ),
  interimHeadsMax: row(
    64,
    'origin_malformed',
    'Responses of 1xx before the response proper: they are passed on at once, and each begins the wait for the next anew.',
  ),
  chunkLineBytesMax: row(
    4 * KiB,
    'origin_malformed',
    'The size of a chunk with its extensions: a line is held until it is whole, and extensions are sent by nearly nobody.',
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
  openExchangesPerSessionMax: row(
    16_384,
    'limit_exceeded',
    'Requests, WebSockets and raw streams of one session at once: one on each stream of four full tunnels. The audit remembers each.',
  ),
  http2StreamsMax: row(128, 'stream_limit', 'Requests at once on one client connection (RFC 9113 §6.5.2).'),
  http2ResetsPerSecondMax: row(50, 'limit_exceeded', 'Of one connection, four times as many at once.'),
  http2ControlFramesPerSecondMax: row(
    2_000,
    'limit_exceeded',
    'PING, SETTINGS: each wants an acknowledgement.',
  ),
  awsChunkBytesMax: fixedRow(
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
  heldOctetsPerSessionMax: row(
    128 * MiB,
    'limit_exceeded',
    'All that is held or promised of one session: bodies on their way, windows that were widened. A hundred uploads over HTTP/2 at once take 38 MiB of it.',
  ),
  heldOctetsMax: row(
    512 * MiB,
    'limit_exceeded',
    'The same of all sessions; none gets more of it than is left for the others.',
  ),
  unreadOctetsPerSessionMax: row(
    128 * MiB,
    'limit_exceeded',
    'What came and nobody takes: on the streams of a session within the 64 KiB that each has by the wire, what clients send ahead, and of responses. What brings more ends.',
  ),
  unreadOctetsMax: row(
    512 * MiB,
    'limit_exceeded',
    'The same of all sessions; none gets more of it than is left for the others.',
  ),
  zstdWindowBytesMax: fixedRow(
    8 * MiB,
    'origin_malformed',
    'The window of a response in zstd that is decoded: no sender has a larger one over HTTP (RFC 9659).',
  ),
  stalledResponseBytes: fixedRow(
    512 * KiB,
    'limit_exceeded',
    'What a response costs whose client takes nothing: what is in hand, of its connection, and on its way to the client. Measured were 420 KiB; it is counted for as long.',
  ),
  requestBodyAheadBytes: fixedRow(
    320 * KiB,
    'flow_control',
    'What a body on its way to a slow origin costs beyond its window: 64 KiB that were read, 256 KiB that wait for the origin. The budget counts it for each.',
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
  auditEventBytesMax: fixedRow(
    2 * KiB,
    'audit_unavailable',
    'An event as JSON. What is longer is cut, the path last; what is cut keeps its length and hash.',
  ),
  toldPathCharactersMax: fixedRow(
    2048,
    'request_malformed',
    'Of a path in a refusal: who asked knows the rest.',
  ),
  auditEventsPerSecondMax: row(
    200,
    'limit_exceeded',
    'Events that one session leaves, once its burst is used: 17 million a day. Above it, what it asks for is refused, and these refusals share one event a second.',
  ),
  auditEventsBurstMax: row(
    60_000,
    'limit_exceeded',
    'Events of one session at once; a bucket that auditEventsPerSecondMax fills. Installing and building make tens of thousands of requests.',
  ),
  auditBytesPerSecondMax: row(
    256 * KiB,
    'limit_exceeded',
    'As auditEventsPerSecondMax, in bytes: 200 events of 1.3 KB.',
  ),
  auditBytesBurstMax: row(64 * MiB, 'limit_exceeded', 'As auditEventsBurstMax, in bytes.'),
  auditQueueEventsMax: row(
    16_384,
    'audit_unavailable',
    'Events that wait for the store; at half of it nothing new is served.',
  ),
  auditRoomTimeoutMs: fixedRow(
    5000,
    'limit_exceeded',
    'How long a request waits while a third of the queue holds events of its session: a stall of the disk then slows it, and it is not refused.',
  ),
  auditQueueBytesMax: row(64 * MiB, 'audit_unavailable', 'Events that wait, as they are stored.'),
  auditFlushDelayMs: row(
    50,
    'audit_unavailable',
    'How long an event waits for company: one transaction a batch, not an event.',
  ),
  auditHeadIntervalMs: fixedRow(
    60_000,
    'audit_unavailable',
    'How often it is signed how far the chain of the audit is: of the end that was stored since then, `audit verify` does not notice that it is gone.',
  ),
  auditChainMs: fixedRow(
    86_400_000,
    'audit_unavailable',
    'After so long another chain of the audit follows: its opening, signed by the key of today, vouches for the one before.',
  ),
  credentialUnusedMs: row(
    3_600_000,
    'credential_unavailable',
    'A token or lease that no request has used for so long is not renewed by itself any more; the next request waits for a new one.',
  ),
  scrubTableBytesMax: row(
    32 * MiB,
    'credential_unavailable',
    'The table by which responses are searched for the value of one credential: 70 KB for a token of 40 characters, 4 MB for one of 1,600, 15 MB for Base64 of 2,000.',
  ),
  scrubTablesBytesMax: row(
    256 * MiB,
    'credential_unavailable',
    'All of these tables together, up to four for a credential: values before the present one are kept for bodies that run.',
  ),
  decisionStepsMax: fixedRow(
    100_000,
    'head_too_large',
    'Some 1 ms: a thousand short conditions that no index tells apart, or some hundred patterns of the slow kind on a path of some hundred bytes. A request that takes more to be judged is refused, for all sessions wait meanwhile.',
  ),
  decisionStepsPerRef: fixedRow(
    200,
    'head_too_large',
    'What each ref of a push by git adds to decisionStepsMax, some 2 µs: a push of many refs is long because of what it is.',
  ),
  policyBytesMax: fixedRow(
    2 * MiB,
    'config_invalid',
    'A policy or configuration file; 5,000 rules of four keys are 0.6 MB.',
  ),
  policyRulesMax: fixedRow(
    10_000,
    'config_invalid',
    'Rules of all files together. A thread of its own reads and checks them; in the one that serves, an index takes them in small portions.',
  ),
  policyHostsMax: fixedRow(
    200_000,
    'config_invalid',
    'Hosts of all rules, those of a group counted in each rule that includes it: the index holds every one.',
  ),
  policyReachComparedMax: fixedRow(
    100_000,
    'config_invalid',
    'Pairs of a host with a port or a credential that the rules of a policy name, for a comparison of what two policies reach; of more it says that nothing is compared.',
  ),
  policyReadHereBytesMax: fixedRow(
    16 * KiB,
    'config_invalid',
    'A changed policy up to this is read by the thread that serves, in some 10 ms; a larger one by a thread of its own, whose start takes longer than that.',
  ),
  policyReadTimeoutMs: fixedRow(
    60_000,
    'config_invalid',
    'From a change of the files to a policy that can be taken; hosts of tools are asked for in it. What takes longer is given up, and the policy in force stays.',
  ),
  policyReadMemoryBytesMax: fixedRow(
    1024 * MiB,
    'config_invalid',
    'Heap of the thread that reads a changed policy; the process that serves does not end with it.',
  ),
  auditBatchEventsMax: fixedRow(
    512,
    'audit_unavailable',
    'Events in one transaction. Each writes the last page of every index anew, so one of 128 costs a fifth more for each event.',
  ),
  auditRecoveredBatchMax: fixedRow(
    1000,
    'audit_unavailable',
    'Events of an earlier process that are taken over at once; far fewer than fill the queue.',
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
    'What is borrowed of a budget at once, and at most a sixteenth of it: the store is asked seldom, and a kill loses little.',
  ),
  budgetBlockBytesMax: fixedRow(16 * MiB, 'limit_exceeded', 'The same for bytes.'),
  auditedRefsMax: fixedRow(
    64,
    'limit_exceeded',
    'Refs of a push that its event names: it is a line that people read, and a mirror pushes thousands.',
  ),
  pushPiecesMax: fixedRow(
    64,
    'body_too_large',
    'A compressed list of commands is decoded from its beginning with each piece that arrives, so the pieces are counted.',
  ),
  gitReasonCharactersMax: fixedRow(400, 'limit_exceeded', 'Of a reason that git prints, on one line.'),
  grpcMessageCharactersMax: fixedRow(
    2_000,
    'limit_exceeded',
    'Of the text for the client: heads of 8 KiB are what gRPC clients take, and encoding makes three bytes of one.',
  ),
  metricsSeriesMax: fixedRow(
    2_000,
    'limit_exceeded',
    'A label combination is made of our own words only, so this many cannot be reached by traffic.',
  ),
  discoverTimeoutMs: fixedRow(
    15_000,
    'config_invalid',
    'Tools tell hosts from their configuration; one that hangs must not keep the gateway from starting.',
  ),
  discoverOutputBytesMax: fixedRow(
    256 * KiB,
    'config_invalid',
    'What a tool prints, or a file holds, of hosts.',
  ),
  discoveredHostsMax: fixedRow(200, 'config_invalid', 'More hosts than this come from the wrong file.'),
  policyFilesMax: fixedRow(
    200,
    'config_invalid',
    'Folders are read flat; more files than this is the wrong folder.',
  ),
  policiesPublishedMax: fixedRow(
    100,
    'limit_exceeded',
    'Policies by name in the store, withdrawn ones too: one for each team, and every gateway holds them all.',
  ),
  policyPublishedBytesMax: fixedRow(
    4 * MiB,
    'config_invalid',
    'All files of one published policy: twice what a file may have.',
  ),
  policyVersionsMax: fixedRow(
    500,
    'limit_exceeded',
    'Versions of one policy that the store keeps to go back to; beyond it the oldest goes.',
  ),
  policyOutcomesMax: fixedRow(
    100,
    'limit_exceeded',
    'Gateways whose word on one version is kept: those that looked last.',
  ),
  policiesKeptMax: fixedRow(
    500,
    'limit_exceeded',
    'Policies that decided, kept with their texts so that an event can be explained later; beyond it the one that was in force longest ago goes.',
  ),
  policyBindingClaimsMax: fixedRow(20, 'usage', 'Claims that bind a published policy to sessions.'),
  policyNoteCharactersMax: fixedRow(
    1_000,
    'usage',
    'Of the note to a published version; what is longer is cut.',
  ),
  policyReasonCharactersMax: fixedRow(
    4_000,
    'config_invalid',
    'Of what a gateway says of a version that it cannot take; what is longer is cut.',
  ),
  policyTriedAtStartMax: fixedRow(
    20,
    'config_invalid',
    'How many earlier versions a gateway that starts tries, where it cannot take the newest.',
  ),
  policyProblemsMax: fixedRow(
    100,
    'config_invalid',
    'More problems than this help nobody, and each is a line of the log.',
  ),
  requestBodyWaitingBytesMax: fixedRow(
    256 * KiB,
    'flow_control',
    'What may wait for the origin before the client is held back. Larger pieces cost fewer turns of the event loop.',
  ),
  tokenResponseBytesMax: fixedRow(
    64 * KiB,
    'policy_denied',
    'A response to a request with a secret of the home is held up to here before its head goes on; a longer one is looked through for tokens as it passes.',
  ),
  partLineBytesMax: fixedRow(
    512,
    'origin_malformed',
    'Of a line in the head of a part: enough for name, colon and value; of a longer line only the beginning counts.',
  ),
  scrubTablesPerCredentialMax: fixedRow(
    4,
    'credential_unavailable',
    'Values of one credential that running bodies are searched for: a renewed one, and those before it.',
  ),
} as const satisfies Record<string, LimitRow>;
