// The store on PostgreSQL.

import { fixedRow, MiB, row } from './limit-row.ts';

export const storeLimits = {
  historyKeptMs: fixedRow(
    900_000,
    'internal',
    'How long sessions that began here are remembered. A standby that takes over is behind by seconds.',
  ),
  recentSessionsMax: fixedRow(
    10_000,
    'internal',
    'Sessions that began here recently, for a store that loses them: about 30 MB. The oldest makes room.',
  ),
  historySettleMs: fixedRow(
    10_000,
    'store_unavailable',
    'After a store has lost its latest writes, each gateway tells it within a second or two what it knows. Until then, no session counts as unknown.',
  ),
  storeConnectionsMax: fixedRow(
    4,
    'store_unavailable',
    'Connections of one process to PostgreSQL, beside one that notices changes and one that checks whether it is there. Transactions are short, and a server has some hundred connections for all.',
  ),
  storeReadConnectionsMax: fixedRow(
    2,
    'store_unavailable',
    'Those of them for searches and lists of operators, and for deleting old events, which may be slow. The others stay free for sessions.',
  ),
  storeWaitingMax: fixedRow(
    2_000,
    'store_unavailable',
    'Statements that wait for a connection. With more, the database is too slow, and the gateway says so at once.',
  ),
  storeConnectTimeoutMs: fixedRow(
    5_000,
    'store_unavailable',
    'Waiting for a connection to PostgreSQL, or for one of the pool. TLS and password take some round trips.',
  ),
  storeConnectionIdleMs: fixedRow(
    60_000,
    'store_unavailable',
    'A connection that nobody needs for this long is given back to the server.',
  ),
  storeStatementTimeoutMs: fixedRow(
    5_000,
    'store_unavailable',
    'The server ends a statement that takes longer. A second later the gateway gives it up, with its connection.',
  ),
  storeIdleTransactionMs: fixedRow(
    3_000,
    'store_unavailable',
    'The server ends a transaction whose gateway is silent for this long, because its locks make others wait. It is less than `storeStatementTimeoutMs`.',
  ),
  storeMigrationTimeoutMs: fixedRow(
    600_000,
    'store_unavailable',
    'One statement of a migration. Reading all events of a large audit takes minutes.',
  ),
  storeLookIntervalMs: fixedRow(
    1_000,
    'store_unavailable',
    'How often the counter of changes is read if PostgreSQL sends no notice earlier. So revocations hold within 2 s.',
  ),
  storeReconnectDelayMsMax: fixedRow(
    5_000,
    'store_unavailable',
    'The delay before the connection for changes is made again doubles up to this, with jitter.',
  ),
  storeOutageMs: row(
    3_600_000,
    'store_unavailable',
    'How long running sessions go on while PostgreSQL is away. Then nothing is forwarded, because recent revocations are not known.',
  ),
  storeProbeIntervalMs: fixedRow(
    500,
    'store_unavailable',
    'How often the gateway checks whether a store that is away is back. Nothing else asks it then.',
  ),
  storeSlowMs: fixedRow(
    1_000,
    'store_unavailable',
    'A slower statement is not a fault, but a reason to check whether the store is there. A link can be dead without a sign.',
  ),
  storeProbeTimeoutMs: fixedRow(
    3_000,
    'store_unavailable',
    'How long the check whether the store is there may take. Whoever waits for the store waits no longer, and agents give up after `enrolTimeoutMs`.',
  ),
  storeRetryAfterSeconds: fixedRow(
    5,
    'store_unavailable',
    'When an agent may enrol again after a refusal because the store is away.',
  ),
  storeHolderReturnMs: fixedRow(
    60_000,
    'store_unavailable',
    'After a restart of the server, a gateway has this long to come back. Then its open exchanges count as left behind.',
  ),
  storeSpoolReturnMs: fixedRow(
    7_200_000,
    'store_unavailable',
    'A spool of the audit that delivers nothing for this long belongs to a gateway that is gone with its files. Others then report its open exchanges. It is more than `storeOutageMs`, past which a gateway has ended its exchanges.',
  ),
  storeSpoolKeptMs: fixedRow(
    86_400_000,
    'store_unavailable',
    'How long the store remembers a delivered spool, because somebody may be about to deliver it again.',
  ),
  firstSeenVersionsMax: fixedRow(
    1_000_000,
    'store_unavailable',
    'Versions of which the store knows when they were seen first. Beyond, those leave first that were unused for long (`firstSeenUnusedMs`), and then those of the principal and the session that have the most. They would be too young again.',
  ),
  firstSeenPromisesMax: fixedRow(
    1_000_000,
    'store_unavailable',
    'Files of which the store knows when they were seen first, and what was promised of them then. Beyond, they leave as versions do.',
  ),
  firstSeenUnusedMs: fixedRow(
    2_592_000_000,
    'store_unavailable',
    'Where there are too many, those leave first that were unused for this long, whoever saw them. What builds of a month use is asked for in it.',
  ),
  firstSeenPerDayMax: fixedRow(
    50_000,
    'store_unavailable',
    'Versions and files that one session, with all sessions that it made, may see first in a day. It sees no more that day: they stay too young. A large project of Go has lists of some 30,000 versions.',
  ),
  packagesForgottenMax: fixedRow(
    1000,
    'store_unavailable',
    'Versions and files that one request of an operator lets the store forget, and that its response tells. `packages forget` asks until none is left.',
  ),
  backupLineBytesMax: fixedRow(
    128 * MiB,
    'config_invalid',
    'A row of a backup. The longest are the files of one policy. A longer one is not from our backup, and would fill the memory.',
  ),
  actLookIntervalMs: fixedRow(
    2_000,
    'store_unavailable',
    'How often the database is searched for acts of operators if PostgreSQL sends no notice earlier.',
  ),
  actsTakenMax: fixedRow(
    100,
    'store_unavailable',
    'Acts of operators that go into the audit together. Further ones follow.',
  ),
  auditDayRunsMax: fixedRow(
    200_000,
    'store_unavailable',
    'Stretches of chains in a deleted day of the audit, more than a gateway writes in a day. Further ones come from whoever can write to the database. They are not signed, so verification finds them missing, and the log says so.',
  ),
};
