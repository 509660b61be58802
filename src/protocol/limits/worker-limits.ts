// Worker processes of one gateway.

import { KiB, fixedRow } from './limit-row.ts';

export const workerLimits = {
  workersMax: fixedRow(
    64,
    'config_invalid',
    'Worker processes of one gateway: each has its share of what bounds a process, which must not become too small to be of use.',
  ),
  workerStartTimeoutMs: fixedRow(
    60_000,
    'internal',
    'A worker that does not serve by then is ended: reading the largest policy takes as long.',
  ),
  workerReplyTimeoutMs: fixedRow(
    2_000,
    'shutting_down',
    'What one process of a gateway asks another is known there; only one that hangs takes longer.',
  ),
  workerCountsTimeoutMs: fixedRow(
    1_000,
    'internal',
    'A worker that does not say within it what it has counted counts as it was: who asks for the counts of all waits for `workerReplyTimeoutMs`, which is longer.',
  ),
  workerUntakenMax: fixedRow(
    1_024,
    'internal',
    'Connections on their way to one worker: one that took none of so many hangs, and those that follow go to others or wait for one.',
  ),
  workerRestartsMax: fixedRow(
    10,
    'internal',
    'A worker that dies again and again within a minute has a cause that no restart mends: the gateway ends, and says so.',
  ),
  workerRestartDelayMsMax: fixedRow(
    10_000,
    'internal',
    'The delay before a worker is started again doubles up to this: a cause that passes has passed by then.',
  ),
  workerEndTimeoutMs: fixedRow(
    10_000,
    'internal',
    'Behind the drain a worker writes its audit and closes its store; one that hangs is ended.',
  ),
  passedUpgradeBytesMax: fixedRow(
    256 * KiB,
    'internal',
    'An upgrade as it goes from worker to worker: its head and the claims of its session, each bounded where it came in.',
  ),
};
