// The audit's spool: what waits on this machine for a store that is another process.

import { fixedRow, MiB, row } from './limit-row.ts';

export const spoolLimits = {
  spoolBytesMax: row(
    1024 * MiB,
    'audit_unavailable',
    'What waits in files for PostgreSQL: an hour of 350 events a second. At 95 % nothing new is served, and what runs still ends with its event.',
  ),
  spoolSegmentBytes: fixedRow(
    8 * MiB,
    'audit_unavailable',
    'A file of the spool that is larger gets no more batches; at most an eighth of `spoolBytesMax`.',
  ),
  spoolReserveBytes: fixedRow(
    16 * MiB,
    'audit_unavailable',
    'Given up when the disk is full, so that what runs ends with its event.',
  ),
  spoolKeptMs: fixedRow(
    900_000,
    'audit_unavailable',
    'How long what is delivered stays: a standby that took over without it gets it again.',
  ),
  spoolKeptBytesMax: fixedRow(
    256 * MiB,
    'audit_unavailable',
    'What stays so; at most a quarter of `spoolBytesMax`.',
  ),
  spoolBatchEventsMax: fixedRow(
    1_000,
    'audit_unavailable',
    'Events that are delivered in one transaction: more gain nothing, and hold up the batches of other gateways.',
  ),
  spoolBatchBytesMax: fixedRow(MiB, 'audit_unavailable', 'Their JSON.'),
  spoolSignOfLifeMs: fixedRow(
    60_000,
    'audit_unavailable',
    'How often a gateway without events tells the store that its spool is in use, and sees whether the store went back.',
  ),
  spoolAdoptIntervalMs: fixedRow(
    30_000,
    'audit_unavailable',
    'How often spools are looked for whose process is gone.',
  ),
  spoolDeliveredTimeoutMs: fixedRow(
    10_000,
    'store_unavailable',
    'How long a start, and the end of a gateway, wait for the store to take over what is in the spool. The rest is for the next start.',
  ),
};
