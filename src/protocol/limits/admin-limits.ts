// The admin API: what people and programs that steer a gateway may cost it.

import { KiB, MiB, fixedRow, type LimitRow } from './limit-row.ts';

export const adminLimits = {
  adminConnectionsMax: fixedRow(
    256,
    'limit_exceeded',
    'Connections to the admin API: browsers keep six each. Those above it are closed unread.',
  ),
  adminBodyBytesMax: fixedRow(
    8 * MiB,
    'body_too_large',
    'The largest body names policy files with their texts.',
  ),
  adminHeadBytesMax: fixedRow(16 * KiB, 'head_too_large', 'Head of a request to the admin API.'),
  adminRequestTimeoutMs: fixedRow(30_000, 'timeout', 'A request to the admin API comes whole in this time.'),
  adminResponseTimeoutMs: fixedRow(
    30_000,
    'admin_unreachable',
    'A response of the admin API to a command or a program comes whole in this time; the longest is a wait of 10 s for other gateways.',
  ),
  adminResponseBytesMax: fixedRow(
    64 * MiB,
    'admin_unreachable',
    'A response of the admin API to a command or a program: a page of 1,000 events, each of the longest.',
  ),
  adminEmptyPagesMax: fixedRow(
    100,
    'admin_unreachable',
    'Pages in a row with nothing on them that a command or a program asks the admin API for: each has looked at adminScannedEventsMax.',
  ),
  adminCallAttemptsMax: fixedRow(
    5,
    'admin_unreachable',
    'Tries of one call by `upstreamproxy/admin`: a gateway that is replaced is back after the second or third.',
  ),
  adminConfirmGraceMs: fixedRow(
    1_000,
    'timeout',
    'How much longer than its caller waits a call may take that a gateway holds back until that time is over.',
  ),
  adminCallTimeoutMs: fixedRow(
    60_000,
    'admin_unreachable',
    'One call by `upstreamproxy/admin` with all its tries, unless the caller gives it another time.',
  ),
  adminEventBytesMax: fixedRow(
    4 * MiB,
    'admin_unreachable',
    'One event of a stream that `upstreamproxy/admin` follows: more than any event has.',
  ),
  adminSilenceMs: fixedRow(
    45_000,
    'admin_unreachable',
    'A followed stream that is silent for this long is opened again: the gateway writes a comment each 15 s.',
  ),
  adminAwayMs: fixedRow(
    300_000,
    'admin_unreachable',
    'For how long `upstreamproxy/admin` tries to follow events again: a gateway or its database is back by then, or a person has to look.',
  ),
  releaseCheckTimeoutMs: fixedRow(
    30_000,
    'release_unreachable',
    'How long `upgrade --check` waits for a place of releases, or for npm: a person waits for it.',
  ),
  releaseBytesMax: fixedRow(
    256 * KiB,
    'release_unreachable',
    'What a place of releases, or npm, says of a release: a hundred times as much as one has.',
  ),
  adminScannedEventsMax: fixedRow(
    20_000,
    'limit_exceeded',
    'Events, sessions or requests for access that one question looks at; the next page goes on there.',
  ),
  adminListedMax: fixedRow(
    1_000,
    'limit_exceeded',
    'Sessions, or requests for access, that one list shows, the newest first: more than a person looks through.',
  ),
  adminUsesMax: fixedRow(
    10_000,
    'limit_exceeded',
    'Rules or credentials whose use one question tells, those that were used last: more than a policy has.',
  ),
  adminRememberedSessionsMax: fixedRow(
    10_000,
    'limit_exceeded',
    'Sessions of which one question remembers whether they are theirs who ask; beyond it the store is asked again.',
  ),
  adminPolicyReadsMax: fixedRow(
    2,
    'limit_exceeded',
    'Policies of requests that are read at once, each on a thread of its own: people wait for one at a time.',
  ),
  adminPublishReadsMax: fixedRow(
    2,
    'limit_exceeded',
    'Policies that are read at once to be published or rolled back to: apart from the others, so that who only looks keeps nobody from it.',
  ),
  adminReplaysMax: fixedRow(
    2,
    'limit_exceeded',
    'Replays at once: each decides up to 20,000 requests again, in the thread that serves, with pauses.',
  ),
  adminWholeReadsMax: fixedRow(
    1,
    'limit_exceeded',
    'Replays and verifications of the whole audit at once: each takes minutes, and rests as long as it works.',
  ),
  replayGroupsMax: fixedRow(
    10_000,
    'limit_exceeded',
    'Distinct requests that one replay tells apart, of each kind; what is beyond is counted by its host, and then together.',
  ),
  adminFollowersMax: fixedRow(
    64,
    'limit_exceeded',
    'Event streams at once: people who look, and their tabs.',
  ),
  adminFollowedEventsMax: fixedRow(
    4_096,
    'limit_exceeded',
    'Newest events that are kept in memory for followers; who is further behind reads from the store.',
  ),
  adminFollowerBytesMax: fixedRow(
    1 * MiB,
    'limit_exceeded',
    'What waits for a follower that reads slowly; beyond it events wait in the ring.',
  ),
  adminIdempotencyKeysMax: fixedRow(
    1_000,
    'limit_exceeded',
    'Responses that are remembered by their Idempotency-Key; the oldest makes room.',
  ),
  adminIdempotencyMs: fixedRow(86_400_000, 'limit_exceeded', 'How long such a response is remembered.'),
  adminIdempotencySecretMs: fixedRow(
    120_000,
    'state_changed',
    'How long one that holds a new token is, and never longer than the token is good for: time for the tries of a call, not a place to find tokens.',
  ),
  linkLifetimeMs: fixedRow(
    120_000,
    'operator_unknown',
    'The link that `run --ui` prints is good for this long, once: time to click it, not to find it later.',
  ),
  linkTokenLifetimeMs: fixedRow(
    7 * 86_400_000,
    'operator_unknown',
    'What the link gives lasts this long, and never longer than the run: there is no other link.',
  ),
  linkWrongPerMinuteMax: fixedRow(
    30,
    'limit_exceeded',
    'Wrong log-ins by link that are looked at within a minute; the right one is taken however many come.',
  ),
  linkBodyBytesMax: fixedRow(
    1 * KiB,
    'body_too_large',
    'A log-in by link, by somebody who is not known yet.',
  ),
  operatorTokensMax: fixedRow(1_000, 'limit_exceeded', 'Living tokens for the admin API.'),
} satisfies Readonly<Record<string, LimitRow>>;
