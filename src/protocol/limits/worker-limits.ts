// Worker processes of one gateway.

import { KiB, fixedRow } from './limit-row.ts';

export const workerLimits = {
  workersMax: fixedRow(
    64,
    'config_invalid',
    'Worker processes of one gateway. Each has its share of what bounds a process, and the share must not become too small to be useful.',
  ),
  workerStartTimeoutMs: fixedRow(
    60_000,
    'internal',
    'A worker that does not serve by then is ended. Reading the largest policy takes as long.',
  ),
  workerReplyTimeoutMs: fixedRow(
    2_000,
    'shutting_down',
    'One process of a gateway asks another for something that it knows. Only one that hangs takes longer.',
  ),
  workerCountsTimeoutMs: fixedRow(
    1_000,
    'internal',
    'A worker that does not report its counts within this time counts as before. Whoever asks for the counts of all waits for `workerReplyTimeoutMs`, which is longer.',
  ),
  workerUntakenMax: fixedRow(
    1_024,
    'internal',
    'Connections on their way to one worker. One that has taken none of so many hangs. The next ones go to others or wait for one.',
  ),
  workerRestartsMax: fixedRow(
    10,
    'internal',
    'Restarts within a minute. A worker that dies that often has a cause that no restart removes. The gateway ends, and says so.',
  ),
  workerRestartDelayMsMax: fixedRow(
    10_000,
    'internal',
    'The delay before a worker is started again doubles up to this. A passing cause has passed by then.',
  ),
  workerEndTimeoutMs: fixedRow(
    10_000,
    'internal',
    'After the drain a worker writes its audit and closes its store. One that hangs is ended.',
  ),
  passedUpgradeBytesMax: fixedRow(
    256 * KiB,
    'internal',
    'An upgrade that goes from worker to worker: its head and the claims of its session, each bounded where it arrived.',
  ),
};
