// The admin API: what people and programs that steer a gateway may cost it.

import { KiB, MiB, fixedRow, type LimitRow } from './limit-row.ts';

export const adminLimits = {
  adminConnectionsMax: fixedRow(
    256,
    'limit_exceeded',
    'Connections to the admin API. Browsers keep six each. Further ones are closed unread.',
  ),
  adminBodyBytesMax: fixedRow(
    8 * MiB,
    'body_too_large',
    'A request body for the admin API. The largest has policy files with their texts.',
  ),
  adminHeadBytesMax: fixedRow(16 * KiB, 'head_too_large', 'Head of a request to the admin API.'),
  adminRequestTimeoutMs: fixedRow(
    30_000,
    'timeout',
    'From the beginning to the end of a request to the admin API.',
  ),
  adminResponseTimeoutMs: fixedRow(
    30_000,
    'admin_unreachable',
    'From the beginning to the end of a response of the admin API to a command or a program. The longest is a wait of 10 s for other gateways.',
  ),
  adminResponseBytesMax: fixedRow(
    64 * MiB,
    'admin_unreachable',
    'A response of the admin API to a command or a program: a page of 1,000 events, each of the longest.',
  ),
  adminEmptyPagesMax: fixedRow(
    100,
    'admin_unreachable',
    'Empty pages in a row that a command or a program asks the admin API for. Each has looked at `adminScannedEventsMax`.',
  ),
  adminCallAttemptsMax: fixedRow(
    5,
    'admin_unreachable',
    'Attempts for one call by `upstreamproxy/admin`. A gateway that is replaced is back after the second or third.',
  ),
  adminConfirmGraceMs: fixedRow(
    1_000,
    'timeout',
    'How much longer than its caller waits a call may take if a gateway holds it back until that time is over.',
  ),
  adminCallTimeoutMs: fixedRow(
    60_000,
    'admin_unreachable',
    'One call by `upstreamproxy/admin` with all its attempts, unless the caller sets another time.',
  ),
  adminEventBytesMax: fixedRow(
    4 * MiB,
    'admin_unreachable',
    'One event of a stream that `upstreamproxy/admin` follows: more than any event has.',
  ),
  adminSilenceMs: fixedRow(
    45_000,
    'admin_unreachable',
    'A followed stream that is silent for this long is opened again. The gateway writes a comment each 15 s.',
  ),
  adminAwayMs: fixedRow(
    300_000,
    'admin_unreachable',
    'How long `upstreamproxy/admin` tries to follow events again. A gateway or its database is back by then, or a person has to look.',
  ),
  releaseCheckTimeoutMs: fixedRow(
    30_000,
    'release_unreachable',
    'How long `upgrade --check` waits for a place of releases, or for npm. A person waits for it.',
  ),
  releaseBytesMax: fixedRow(
    256 * KiB,
    'release_unreachable',
    'What a place of releases, or npm, says about a release: a hundred times as much as usual.',
  ),
  adminScannedEventsMax: fixedRow(
    20_000,
    'limit_exceeded',
    'Events, sessions or requests for access that one query looks at. The next page goes on there.',
  ),
  adminListedMax: fixedRow(
    1_000,
    'limit_exceeded',
    'Sessions, or requests for access, that one list shows, the newest first: more than a person looks through.',
  ),
  adminUsesMax: fixedRow(
    10_000,
    'limit_exceeded',
    'Rules or credentials whose use one query tells, most recently used first: more than a policy has.',
  ),
  adminRememberedSessionsMax: fixedRow(
    10_000,
    'limit_exceeded',
    'Sessions for which one query remembers whether the caller may see them. Beyond it the store is asked again.',
  ),
  adminPolicyReadsMax: fixedRow(
    2,
    'limit_exceeded',
    'Policies in requests that are read at once, each on a separate thread. People wait for one at a time.',
  ),
  adminPublishReadsMax: fixedRow(
    2,
    'limit_exceeded',
    'Policies that are read at once to be published or rolled back to. They are counted apart, so that people who only look keep nobody from publishing.',
  ),
  adminReplaysMax: fixedRow(
    2,
    'limit_exceeded',
    'Replays at once. Each decides up to 20,000 requests again, in the serving thread, with pauses.',
  ),
  adminWholeReadsMax: fixedRow(
    1,
    'limit_exceeded',
    'Replays and verifications of the whole audit at once. Each takes minutes, and pauses as long as it works.',
  ),
  replayGroupsMax: fixedRow(
    10_000,
    'limit_exceeded',
    'Distinct requests of each kind that one replay tells apart. Further ones are counted by host, and then together.',
  ),
  adminFollowersMax: fixedRow(
    64,
    'limit_exceeded',
    'Event streams at once: people who look, and their tabs.',
  ),
  adminFollowedEventsMax: fixedRow(
    4_096,
    'limit_exceeded',
    'Newest events that are kept in memory for followers. A follower that is further behind reads from the store.',
  ),
  adminFollowerBytesMax: fixedRow(
    1 * MiB,
    'limit_exceeded',
    'What waits for a follower that reads slowly. Beyond it, events wait in memory with those for all followers.',
  ),
  adminIdempotencyKeysMax: fixedRow(
    1_000,
    'limit_exceeded',
    'Responses that are remembered by their Idempotency-Key. The oldest makes room.',
  ),
  adminIdempotencyMs: fixedRow(86_400_000, 'limit_exceeded', 'How long such a response is remembered.'),
  adminIdempotencySecretMs: fixedRow(
    120_000,
    'state_changed',
    'How long such a response with a new token is remembered, and never longer than the token is good for: time for the attempts of a call, not a place to find tokens.',
  ),
  linkLifetimeMs: fixedRow(
    120_000,
    'operator_unknown',
    'The link that `run --ui` prints is good once, for this long: time to click it, not to find it later.',
  ),
  linkTokenLifetimeMs: fixedRow(
    7 * 86_400_000,
    'operator_unknown',
    'How long the token from that link lasts, and never longer than the run. There is no other link.',
  ),
  linkWrongPerMinuteMax: fixedRow(
    30,
    'limit_exceeded',
    'Wrong log-ins by link that are checked within a minute. The right one is accepted however many come.',
  ),
  linkBodyBytesMax: fixedRow(
    1 * KiB,
    'body_too_large',
    'A log-in by link, by somebody who is not known yet.',
  ),
  operatorTokensMax: fixedRow(1_000, 'limit_exceeded', 'Tokens for the admin API that are still good.'),
} satisfies Readonly<Record<string, LimitRow>>;
