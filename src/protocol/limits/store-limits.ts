// The store on PostgreSQL.

import { fixedRow, MiB, row } from './limit-row.ts';

export const storeLimits = {
  historyKeptMs: fixedRow(
    900_000,
    'internal',
    'Sessions that began here are remembered for so long: a standby that takes over is behind by seconds.',
  ),
  recentSessionsMax: fixedRow(
    10_000,
    'internal',
    'Sessions that began here lately, for a store that loses them: about 30 MB; the oldest makes room.',
  ),
  historySettleMs: fixedRow(
    10_000,
    'store_unavailable',
    'Behind a store that lost what came last each gateway tells it within a second or two what it knows; until then no session is unknown.',
  ),
  storeConnectionsMax: fixedRow(
    4,
    'store_unavailable',
    'Connections of one process to PostgreSQL, beside the one that notices changes and the one that asks whether it is there: transactions are short, and a server has some hundred connections for all.',
  ),
  storeReadConnectionsMax: fixedRow(
    2,
    'store_unavailable',
    'Of these, for searches and lists of operators and for taking old events away, which may be slow: the others stay for sessions.',
  ),
  storeWaitingMax: fixedRow(
    2_000,
    'store_unavailable',
    'Statements that wait for a connection; more means that the database is too slow, and is told at once.',
  ),
  storeConnectTimeoutMs: fixedRow(
    5_000,
    'store_unavailable',
    'How long a connection to PostgreSQL, or one of the pool, is waited for: its TLS and password take some round trips.',
  ),
  storeConnectionIdleMs: fixedRow(
    60_000,
    'store_unavailable',
    'A connection that nobody needs for so long is given back to the server.',
  ),
  storeStatementTimeoutMs: fixedRow(
    5_000,
    'store_unavailable',
    'The server ends a statement that takes longer; a second later it is given up here, with its connection.',
  ),
  storeIdleTransactionMs: fixedRow(
    3_000,
    'store_unavailable',
    'The server ends a transaction whose gateway says nothing for so long: its locks make others wait, and less than `storeStatementTimeoutMs`.',
  ),
  storeMigrationTimeoutMs: fixedRow(
    600_000,
    'store_unavailable',
    'One statement of a migration: reading all events of a large audit takes minutes.',
  ),
  storeLookIntervalMs: fixedRow(
    1_000,
    'store_unavailable',
    'How often the counter of changes is looked at when no word of PostgreSQL wakes earlier: revocations hold within 2 s.',
  ),
  storeReconnectDelayMsMax: fixedRow(
    5_000,
    'store_unavailable',
    'The delay before the connection for changes is made anew doubles up to this, with jitter.',
  ),
  storeOutageMs: row(
    3_600_000,
    'store_unavailable',
    'How long running sessions go on while PostgreSQL is away; then nothing is forwarded, for what was revoked meanwhile is not known.',
  ),
  storeProbeIntervalMs: fixedRow(
    500,
    'store_unavailable',
    'How often a store that is away is asked whether it is back; nothing else asks it then.',
  ),
  storeSlowMs: fixedRow(
    1_000,
    'store_unavailable',
    'A statement that takes longer is no fault, but a reason to ask whether the store is there: a link can be dead without telling.',
  ),
  storeProbeTimeoutMs: fixedRow(
    3_000,
    'store_unavailable',
    'How long the question has whether the store is there; whoever waits for the store waits no longer, and agents give up after `enrolTimeoutMs`.',
  ),
  storeRetryAfterSeconds: fixedRow(
    5,
    'store_unavailable',
    'When an agent may enrol again that was refused because the store is away.',
  ),
  storeHolderReturnMs: fixedRow(
    60_000,
    'store_unavailable',
    'After a restart of the server a gateway has so long to come back before what it left open counts as left by one that is gone.',
  ),
  storeSpoolReturnMs: fixedRow(
    7_200_000,
    'store_unavailable',
    'A spool of the audit of which nothing came for so long is that of a gateway that is gone with its files: what it left open is told by others. More than `storeOutageMs`, past which a gateway has ended its exchanges.',
  ),
  storeSpoolKeptMs: fixedRow(
    86_400_000,
    'store_unavailable',
    'How long the store knows a spool that is delivered: somebody may be about to deliver it again.',
  ),
  backupLineBytesMax: fixedRow(
    128 * MiB,
    'config_invalid',
    'A row of a backup: the files of one policy are the longest. More is no backup of ours, and would fill the memory.',
  ),
  actLookIntervalMs: fixedRow(
    2_000,
    'store_unavailable',
    'How often acts of operators in the database are looked for when no word of PostgreSQL wakes earlier.',
  ),
  actsTakenMax: fixedRow(
    100,
    'store_unavailable',
    'Acts of operators that go into the audit together; more are behind them.',
  ),
  auditDayRunsMax: fixedRow(
    200_000,
    'store_unavailable',
    'Stretches of chains in a day of the audit that goes, more than a day of ours has: who has the database put the rest there. Nothing is signed of it, so it is found missing; the log says so.',
  ),
};
