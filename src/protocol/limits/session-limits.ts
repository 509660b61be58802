// Sessions, their proofs and issuers, and what workloads ask for.

import { KiB, MiB, fixedRow, row, type LimitRow } from './limit-row.ts';

export const sessionLimits = {
  proofAgeMsMax: row(60_000, 'proof_invalid', 'Clock skew between container and gateway plus the way there.'),
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
  carriedSessionBytesMax: fixedRow(
    4 * KiB,
    'store_unavailable',
    'What an access token says of its session, as JSON, for gateways that cannot ask the store. A session with more in its claims waits for the store.',
  ),
  proofNonceMs: fixedRow(
    60_000,
    'proof_invalid',
    'A nonce of the gateway counts as long as a proof does; the next connection brings another one.',
  ),
  newKeyWaitMs: fixedRow(
    300_000,
    'token_invalid',
    'A token of a key that is not known may be of one that a mounted folder brings later: Kubernetes takes up to two minutes. One that is older is of no key of ours.',
  ),
  retiredKeysKeptMax: fixedRow(
    16,
    'token_invalid',
    'Earlier readings of the signing keys: who comes with a key that was retired is not made to wait. One more is taken for a key that may be new.',
  ),
  keySoughtIntervalMs: fixedRow(
    1_000,
    'store_unavailable',
    'Tokens of unknown keys have the keys read again, at most so often: anybody can send one.',
  ),
  endedSessionsMax: fixedRow(
    500_000,
    'store_unavailable',
    'Sessions that ended lately, which a gateway remembers for the time without a store: about 50 MB. With more, nobody comes back before the store does.',
  ),
  endingsReadMs: fixedRow(
    2_000,
    'store_unavailable',
    'A gateway lets a session in without the store only if it began to read what ended at most this long ago. Otherwise the store is asked.',
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
  jwksBytesMax: row(256 * KiB, 'issuer_unavailable', 'The largest key set seen is 20 KB.'),
  jwksTimeoutMs: row(
    5_000,
    'issuer_unavailable',
    'An enrolment waits for this fetch and has its own deadline of enrolTimeoutMs.',
  ),
  strangersMax: row(
    2048,
    'limit_exceeded',
    'Connections of the public port that have not shown a living session; at most a quarter of the descriptors, whatever stands here.',
  ),
  strangersPerSourceMax: row(
    512,
    'limit_exceeded',
    'Those of one address (IPv6: /64), so that one source leaves room; behind a balancer see trustedProxies.',
  ),
  enrolFailuresPerSecondMax: row(
    5,
    'limit_exceeded',
    'Enrolments of one source whose token does not verify; those above wait, and get 429. One whose token verifies is never refused for them.',
  ),
  enrolFailureDelayMs: row(
    1000,
    'limit_exceeded',
    'How long a failed enrolment above the rate waits for its refusal: whoever guesses is slow, and holds a connection that is counted.',
  ),
  enrolFailureSourcesMax: row(
    10_000,
    'limit_exceeded',
    'Sources of failed enrolments that are remembered; the one that failed longest ago makes room.',
  ),
  loopStallMs: row(
    250,
    'limit_exceeded',
    'Work of one session that holds the one thread for longer is a stall of all others: it is logged and counted, and nothing is ended.',
  ),
  logLinesPerSecondMax: fixedRow(
    50,
    'limit_exceeded',
    'Log lines of a gateway, with a burst of one second: people read fewer, and faults that strangers cause must not fill a disk.',
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
  accessRefsMax: fixedRow(
    64,
    'usage',
    'Refs that one grant names: patterns stand for many, and a person writes them.',
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
  accessPendingPerPrincipalMax: row(
    100,
    'limit_exceeded',
    'Requests for access of all sessions of one principal that wait for a decision, so that many sessions of one do not bury the others.',
  ),
  accessRequestsPerPrincipalMax: row(
    1000,
    'limit_exceeded',
    'Requests for access of all sessions of one principal that the store keeps: a tenth of what there is room for.',
  ),
  accessRequestsMax: row(
    10_000,
    'limit_exceeded',
    'Requests for access of all sessions that the store keeps, about 10 MB; then the oldest decided one of the principal that has most makes room.',
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
  publicRequestTimeoutMs: fixedRow(20_000, 'timeout', 'A session request is one small body.'),
  publicKeepAliveMs: fixedRow(
    5_000,
    'timeout',
    'An idle connection of an agent, which asks for its tunnel at once.',
  ),
  metricsRequestTimeoutMs: fixedRow(5_000, 'timeout', 'A request for /metrics has no body.'),
  strangerRefusalsPerMinuteMax: fixedRow(
    60,
    'limit_exceeded',
    'Anybody who reaches the port can send a bad token: such refusals are recorded up to this many a minute.',
  ),
  refusalsPerSessionMax: fixedRow(
    50,
    'limit_exceeded',
    'Different refusals of one session that its agent is told of at the end; a person reads 20, the audit has all.',
  ),
  refusalSessionsMax: fixedRow(
    10_000,
    'limit_exceeded',
    'Sessions whose refusals are counted for their agents; the one that was refused first makes room.',
  ),
  refusalsBytesMax: fixedRow(
    256 * KiB,
    'gateway_protocol',
    'What an agent reads of such a list: 50 entries with every octet escaped are half of it.',
  ),
  refusalsTimeoutMs: fixedRow(
    1_000,
    'timeout',
    'How long the end of `run` waits for such a list, which is one round trip; without it, it ends all the same.',
  ),
  accessListedMax: fixedRow(50, 'limit_exceeded', 'How many of its requests for access a session is shown.'),
  proofBytesMax: fixedRow(
    8 * KiB,
    'proof_invalid',
    'A proof holds one key and five claims; the `htu` is the longest of them.',
  ),
  tokenNameCharactersMax: fixedRow(
    512,
    'token_malformed',
    'Longest `iss`, `sub`, `jti` and `kid` that are taken: they become keys in the store.',
  ),
  signingKeyBytesMax: fixedRow(4096, 'signing_key_unusable', 'A PKCS#8 Ed25519 key in PEM is 119 bytes.'),
  issuerKeysFreshMs: fixedRow(
    10 * 60_000,
    'issuer_unavailable',
    'After this time the keys of an issuer are fetched again, so a key that was withdrawn is not taken for longer.',
  ),
  issuerKeysStaleMs: fixedRow(
    60 * 60_000,
    'issuer_unavailable',
    'While an issuer cannot be reached, its last keys are taken for so long.',
  ),
  issuerRotationCooldownMs: fixedRow(
    30_000,
    'issuer_unavailable',
    'A token with an unknown `kid` makes us look for a new key at most this often: anybody can send such tokens.',
  ),
  issuerFailureCooldownMs: fixedRow(
    5_000,
    'issuer_unavailable',
    'An issuer that failed is not asked again for so long, however many tokens come.',
  ),
  issuerKeysMax: fixedRow(
    100,
    'issuer_unavailable',
    'Keys of one issuer; one that rotates has two or three.',
  ),
  sessionRetentionMs: fixedRow(
    30 * 24 * 3_600_000,
    'session_unknown',
    'How long sessions that are over, and what they asked for, stay listed.',
  ),
  presenceAgeMsMax: fixedRow(
    20_000,
    'tunnel_lost',
    'A gateway that wrote nothing for so long is gone, and its tunnels with it.',
  ),
  recalledSessionsMax: fixedRow(
    1_000_000,
    'limit_exceeded',
    'Sessions of the store that are read to say whose the events of the audit are: more than any store keeps.',
  ),
  logWaitingBytesMax: fixedRow(
    64 * KiB,
    'limit_exceeded',
    'Some hundred lines of the log that wait, where the stream can only be left to the runtime.',
  ),
  stateFolderLevelsMax: fixedRow(
    8,
    'config_invalid',
    'Folders in each other that are given to another user: state is a few files in a few folders.',
  ),
  authorityKeyBytesMax: fixedRow(
    64 * KiB,
    'ca_key_unusable',
    'A key file is below 4 KB; a file without end must not be read.',
  ),
  sealedIdentityBytesMax: fixedRow(
    1 * MiB,
    'identity_unusable',
    'An identity in the store is 12 KB; who writes to the database must not fill the memory of all gateways.',
  ),
  identityLookIntervalMs: fixedRow(
    1_000,
    'identity_unusable',
    'How often a gateway looks for another version of the identity in its store: one small question.',
  ),
  identityWritesMax: fixedRow(
    5,
    'identity_unusable',
    'How often a step of a rotation begins again because somebody else changed the identity meanwhile.',
  ),
  authorityCertificateBytesMax: fixedRow(
    1 * MiB,
    'ca_key_unusable',
    'The same for the certificate beside the key.',
  ),
  authorityCreationWaitMs: fixedRow(
    3_000,
    'ca_key_unusable',
    "Between another process's key and its certificate lie two small writes.",
  ),
  storeBusyTimeoutMs: fixedRow(
    2_000,
    'store_unavailable',
    'How long a statement waits for another process that is writing. It blocks the event loop, so it is short.',
  ),
  storeLogPagesMax: fixedRow(
    16_384,
    'store_unavailable',
    'Pages of the write-ahead log, 64 MiB of it, if no thread empties it earlier.',
  ),
  storeLockTimeoutMs: fixedRow(
    2_000,
    'store_unavailable',
    'Another process looks whether the lock is held, for the time of a system call.',
  ),
  storeHoldAttemptsMax: fixedRow(
    3,
    'store_unavailable',
    'Attempts to hold a lock of our own, which others may take for one that was left over, and remove.',
  ),
  storeStopTimeoutMs: fixedRow(
    5_000,
    'store_unavailable',
    'The thread that writes the audit ends between two batches, a connection to PostgreSQL with its statement; a stuck disk or server is not waited for.',
  ),
  sessionViewRulesMax: fixedRow(
    1000,
    'limit_exceeded',
    'Rules that a session is told of at `/policy` of the own host; the others are counted.',
  ),
  proofStatesMax: fixedRow(
    2_000_000,
    'limit_exceeded',
    'States of paths that one `policy prove` looks at, some ten seconds. Most proofs take some ten thousand.',
  ),
} as const satisfies Record<string, LimitRow>;
