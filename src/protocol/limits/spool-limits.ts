// The audit's spool: what waits on this machine for a store that is another process.

import { fixedRow, MiB, row } from './limit-row.ts';

export const spoolLimits = {
  spoolBytesMax: row(
    1024 * MiB,
    'audit_unavailable',
    'What waits in files for PostgreSQL: an hour of 350 events a second. At 95 % nothing new is served, and running exchanges still end with their events.',
  ),
  spoolSegmentBytes: fixedRow(
    8 * MiB,
    'audit_unavailable',
    'A larger file of the spool gets no more batches. It is at most an eighth of `spoolBytesMax`.',
  ),
  spoolReserveBytes: fixedRow(
    16 * MiB,
    'audit_unavailable',
    'Released when the disk is full, so that running exchanges end with their events.',
  ),
  spoolKeptMs: fixedRow(
    900_000,
    'audit_unavailable',
    'How long delivered events stay. A standby that took over without them gets them again.',
  ),
  spoolKeptBytesMax: fixedRow(
    256 * MiB,
    'audit_unavailable',
    'Delivered events that stay, at most a quarter of `spoolBytesMax`.',
  ),
  spoolBatchEventsMax: fixedRow(
    1_000,
    'audit_unavailable',
    'Events that are delivered in one transaction. More gain nothing, and delay the batches of other gateways.',
  ),
  spoolBatchBytesMax: fixedRow(MiB, 'audit_unavailable', 'The JSON of such a batch.'),
  spoolSignOfLifeMs: fixedRow(
    60_000,
    'audit_unavailable',
    'How often a gateway without events tells the store that its spool is in use, and sees whether the store went back.',
  ),
  spoolAdoptIntervalMs: fixedRow(
    30_000,
    'audit_unavailable',
    'How often the gateway looks for spools whose process is gone.',
  ),
  spoolDeliveredTimeoutMs: fixedRow(
    10_000,
    'store_unavailable',
    'How long a gateway that starts or ends waits for the store to take over the spool. The rest is for the next start.',
  ),
};
