// Sessions, their proofs and issuers, and what workloads ask for.

import { KiB, MiB, fixedRow, row, type LimitRow } from './limit-row.ts';

export const sessionLimits = {
  proofAgeMsMax: row(
    60_000,
    'proof_invalid',
    'The difference between the clocks of container and gateway, plus the time of the way.',
  ),
  commitTimeoutMs: row(
    120_000,
    'session_unknown',
    'From enrolment to commit: several start-up steps, each with a deadline.',
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
    'What an access token says about its session, as JSON, for gateways that cannot ask the store. A session with more claims waits for the store.',
  ),
  proofNonceMs: fixedRow(
    60_000,
    'proof_invalid',
    'A nonce of the gateway is valid as long as a proof. The next connection brings another one.',
  ),
  newKeyWaitMs: fixedRow(
    300_000,
    'token_invalid',
    'A token with an unknown key may be signed with one that a mounted folder brings later. Kubernetes takes up to two minutes for that. An older token has no key of ours.',
  ),
  retiredKeysKeptMax: fixedRow(
    16,
    'token_invalid',
    'Earlier sets of signing keys that are remembered, so that a token with a retired key is refused without a wait. A key older than that is taken for one that may be new.',
  ),
  keySoughtIntervalMs: fixedRow(
    1_000,
    'store_unavailable',
    'Tokens with unknown keys make the gateway read the keys again, at most this often, because anybody can send such a token.',
  ),
  endedSessionsMax: fixedRow(
    500_000,
    'store_unavailable',
    'Recently ended sessions that a gateway remembers for the time without a store: about 50 MB. With more, nobody comes back before the store does.',
  ),
  endingsReadMs: fixedRow(
    2_000,
    'store_unavailable',
    'Without the store, a gateway lets a session in only if it began to read the list of ended sessions at most this long ago. Otherwise it asks the store.',
  ),
  childSessionsMax: row(
    16,
    'limit_exceeded',
    'Sessions at a time below one that began with a token: sub-agents that work side by side. Each has a tunnel and its own share of what sessions may hold.',
  ),
  childSessionsStoredMax: row(
    1_000,
    'limit_exceeded',
    'Stored sessions below one, living or over. Making and ending them in a loop does not fill the store.',
  ),
  childDepthMax: fixedRow(
    4,
    'limit_exceeded',
    'A sub-agent of a sub-agent of a sub-agent. Each step is one more policy that every decision asks.',
  ),
  childPolicyBytesMax: fixedRow(
    8 * KiB,
    'limit_exceeded',
    'The policy that narrows a session. A workload wrote it and the serving thread reads it: at this size, the worst takes some 50 ms.',
  ),
  childPoliciesKeptMax: fixedRow(
    1_000,
    'limit_exceeded',
    'Policies that narrow sessions, kept ready to decide. Beyond it, the oldest is read from the store again when its session opens a tunnel.',
  ),
  narrowingsPerSecondMax: row(
    1,
    'limit_exceeded',
    'Requests to narrow, from a session and all that it made, in the long run. `childSessionsMax` may come at once. For each, a policy is read and an event stored.',
  ),
  enrolmentsPerTokenMax: row(
    100,
    'limit_exceeded',
    'A supervisor may restart often before the commit, but not endlessly.',
  ),
  proofsPerKeyMax: row(
    1000,
    'limit_exceeded',
    'Remembered proofs of one key: far more than the renewals and reconnects within `proofAgeMsMax`.',
  ),
  proofsMax: row(100_000, 'limit_exceeded', 'Remembered proofs of all keys: about 10 MB in the store.'),
  jwksBytesMax: row(256 * KiB, 'issuer_unavailable', 'The largest key set seen is 20 KB.'),
  jwksTimeoutMs: row(
    5_000,
    'issuer_unavailable',
    'Fetching the keys of an issuer. An enrolment waits for it within its own deadline, `enrolTimeoutMs`.',
  ),
  strangersMax: row(
    2048,
    'limit_exceeded',
    'Connections to the public port that have not shown a living session. It is never more than a quarter of the descriptors, whatever is set here.',
  ),
  strangersPerSourceMax: row(
    512,
    'limit_exceeded',
    'Such connections from one address (IPv6: /64), so that one source leaves room. Behind a balancer, see `trustedProxies`.',
  ),
  enrolFailuresPerSecondMax: row(
    5,
    'limit_exceeded',
    'Enrolments from one source with a token that does not verify. Further ones wait and get 429. A token that verifies is never refused because of them.',
  ),
  enrolFailureDelayMs: row(
    1000,
    'limit_exceeded',
    'How long a failed enrolment above the rate waits for its refusal. So guessing is slow, and holds a connection that is counted.',
  ),
  enrolFailureSourcesMax: row(
    10_000,
    'limit_exceeded',
    'Remembered sources of failed enrolments. The one that failed longest ago makes room.',
  ),
  loopStallMs: row(
    250,
    'limit_exceeded',
    'Work for one session that holds the single thread for longer stalls all others. It is logged and counted, and nothing is ended.',
  ),
  logLinesPerSecondMax: fixedRow(
    50,
    'limit_exceeded',
    'Log lines of a gateway, with a burst of one second. People read fewer, and faults that strangers cause must not fill a disk.',
  ),
  accessBodyBytesMax: row(
    16 * KiB,
    'body_too_large',
    'A request for access is a URL and a reason that a person reads.',
  ),
  accessReasonCharactersMax: row(
    1000,
    'request_malformed',
    "The reason of a request for access. Nobody reads a longer one, and it is strangers' text on an operator's terminal.",
  ),
  accessRefsMax: fixedRow(
    64,
    'usage',
    'Refs that one grant names. Patterns stand for many, and a person writes them.',
  ),
  accessCallsPerSecondMax: row(
    5,
    'limit_exceeded',
    'Requests for access and queries of their state, from one session. A person decides in minutes.',
  ),
  doctorCallsPerSecondMax: row(
    50,
    'limit_exceeded',
    'Requests of one session by which the doctor proves that a client reaches the gateway. No more clients start in a second.',
  ),
  signaturesPerSecondMax: row(
    20,
    'limit_exceeded',
    'Commits and tags of one session that the gateway is asked to sign. git starts a program for each, and a signature of RSA takes a millisecond or more.',
  ),
  signedObjectBytesMax: row(
    256 * KiB,
    'body_too_large',
    'A commit or tag to sign: a header and a message. Merges of signed tags carry those whole.',
  ),
  accessPendingPerSessionMax: row(
    20,
    'limit_exceeded',
    'Requests for access of one session that wait for a decision. Nobody reads more.',
  ),
  accessRequestsPerSessionMax: row(
    200,
    'limit_exceeded',
    'Requests for access of one session in total, so that one session cannot fill the store.',
  ),
  accessPendingPerPrincipalMax: row(
    100,
    'limit_exceeded',
    'Requests for access of all sessions of one principal that wait for a decision, so that one principal does not bury the others.',
  ),
  accessRequestsPerPrincipalMax: row(
    1000,
    'limit_exceeded',
    'Requests for access of all sessions of one principal that the store keeps: a tenth of its room.',
  ),
  accessRequestsMax: row(
    10_000,
    'limit_exceeded',
    'Requests for access of all sessions that the store keeps, about 10 MB. Then the oldest decided one, of the principal that has most, makes room.',
  ),
  accessPendingLifetimeMs: row(
    86_400_000,
    'timeout',
    'A request for access that nobody has decided within a day. Its work is over.',
  ),
  accessGrantLifetimeMsMax: row(
    86_400_000,
    'usage',
    'A grant that should hold longer than a day belongs in the policy, where others review it.',
  ),
  publicRequestTimeoutMs: fixedRow(20_000, 'timeout', 'A session request is one small body.'),
  publicKeepAliveMs: fixedRow(
    5_000,
    'timeout',
    'An idle connection of an agent. An agent asks for its tunnel at once.',
  ),
  metricsRequestTimeoutMs: fixedRow(5_000, 'timeout', 'A request for /metrics has no body.'),
  strangerRefusalsPerMinuteMax: fixedRow(
    60,
    'limit_exceeded',
    'Recorded refusals of bad tokens. Anybody who reaches the port can send one.',
  ),
  refusalsPerSessionMax: fixedRow(
    50,
    'limit_exceeded',
    'Different refusals of one session that its agent is told at the end. A person reads 20, and the audit has all.',
  ),
  refusalSessionsMax: fixedRow(
    10_000,
    'limit_exceeded',
    'Sessions whose refusals are counted for their agents. The one that was refused first makes room.',
  ),
  refusalsBytesMax: fixedRow(
    256 * KiB,
    'gateway_protocol',
    'The list of refusals that an agent reads. 50 entries with every octet escaped take half of it.',
  ),
  refusalsTimeoutMs: fixedRow(
    1_000,
    'timeout',
    'How long `run` waits for that list when it ends, which is one round trip. It ends without the list too.',
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
    'The longest `iss`, `sub`, `jti` and `kid` that are accepted. They become keys in the store.',
  ),
  signingKeyBytesMax: fixedRow(4096, 'signing_key_unusable', 'A PKCS#8 Ed25519 key in PEM is 119 bytes.'),
  issuerKeysFreshMs: fixedRow(
    10 * 60_000,
    'issuer_unavailable',
    'After this time the keys of an issuer are fetched again, so a withdrawn key is accepted no longer than that.',
  ),
  issuerKeysStaleMs: fixedRow(
    60 * 60_000,
    'issuer_unavailable',
    'While an issuer cannot be reached, its last keys are accepted for this long.',
  ),
  issuerRotationCooldownMs: fixedRow(
    30_000,
    'issuer_unavailable',
    'A token with an unknown `kid` has the keys fetched again, at most this often, because anybody can send such a token.',
  ),
  issuerFailureCooldownMs: fixedRow(
    5_000,
    'issuer_unavailable',
    'An issuer that failed is not asked again for this long, however many tokens come.',
  ),
  issuerKeysMax: fixedRow(
    100,
    'issuer_unavailable',
    'Keys of one issuer; one that rotates has two or three.',
  ),
  sessionRetentionMs: fixedRow(
    30 * 24 * 3_600_000,
    'session_unknown',
    'How long ended sessions, and their requests for access, stay listed.',
  ),
  presenceAgeMsMax: fixedRow(
    20_000,
    'tunnel_lost',
    'A gateway that has written nothing for this long is gone, and its tunnels with it.',
  ),
  recalledSessionsMax: fixedRow(
    1_000_000,
    'limit_exceeded',
    'Sessions that are read from the store to tell whose the events of the audit are: more than any store keeps.',
  ),
  logWaitingBytesMax: fixedRow(
    64 * KiB,
    'limit_exceeded',
    'Log lines that wait, some hundred, where only the runtime can write to the stream.',
  ),
  stateFolderLevelsMax: fixedRow(
    8,
    'config_invalid',
    'Nested folders that are given to another user. State is a few files in a few folders.',
  ),
  authorityKeyBytesMax: fixedRow(
    64 * KiB,
    'ca_key_unusable',
    'A key file is below 4 KB. A file without an end must not be read.',
  ),
  sealedIdentityBytesMax: fixedRow(
    1 * MiB,
    'identity_unusable',
    'An identity in the store is 12 KB. Somebody who writes to the database must not fill the memory of all gateways.',
  ),
  identityLookIntervalMs: fixedRow(
    1_000,
    'identity_unusable',
    'How often a gateway looks for another version of the identity in its store. It is one small query.',
  ),
  identityWritesMax: fixedRow(
    5,
    'identity_unusable',
    'How often a step of a rotation begins again because somebody else changed the identity meanwhile.',
  ),
  authorityCertificateBytesMax: fixedRow(
    1 * MiB,
    'ca_key_unusable',
    'The same for the certificate that belongs to the key.',
  ),
  authorityIntermediatesMax: fixedRow(
    4,
    'ca_key_unusable',
    'Authorities between a leaf and its root. They go along with each handshake; one or two are usual.',
  ),
  authorityNamesMax: fixedRow(
    500,
    'config_invalid',
    'Names that an authority may certify are in every handshake. Java refuses a chain of 32,768 bytes, which are 1,400 names.',
  ),
  authorityCreationWaitMs: fixedRow(
    3_000,
    'ca_key_unusable',
    'Another process writes its key and then its certificate: two small writes.',
  ),
  storeBusyTimeoutMs: fixedRow(
    2_000,
    'store_unavailable',
    'How long a statement waits for another process that is writing. The wait blocks the event loop, so it is short.',
  ),
  storeLogPagesMax: fixedRow(
    16_384,
    'store_unavailable',
    'Pages of the write-ahead log, 64 MiB of it, if no thread empties it earlier.',
  ),
  storeLockTimeoutMs: fixedRow(
    2_000,
    'store_unavailable',
    'Another process checks whether the lock is held, for the time of a system call.',
  ),
  storeHoldAttemptsMax: fixedRow(
    3,
    'store_unavailable',
    'Attempts to take our own lock, which others may take for a leftover and remove.',
  ),
  storeStopTimeoutMs: fixedRow(
    5_000,
    'store_unavailable',
    'The thread that writes the audit ends between two batches, a connection to PostgreSQL with its statement. The gateway does not wait for a stuck disk or server.',
  ),
  sessionViewRulesMax: fixedRow(
    1000,
    'limit_exceeded',
    "Rules that a session is shown at `/policy` of the gateway's own host. The others are counted.",
  ),
  publishProofStatesMax: fixedRow(
    500_000,
    'limit_exceeded',
    'States of paths that a proof looks at when a policy is published below a ceiling: some three seconds, in which the gateway goes on serving. It looks at as many requests, each counted once for each of its rules. Beyond it the policy counts as not proven, and `policy prove --only` can take longer.',
  ),
  proofStatesMax: fixedRow(
    2_000_000,
    'limit_exceeded',
    'States of paths that one `policy prove` looks at, some ten seconds, and as many requests, each counted once for each of its rules. Most proofs take some ten thousand.',
  ),
} as const satisfies Record<string, LimitRow>;
