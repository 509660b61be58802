// What is told to collectors: it waits in the process, is bounded there, and holds up no request.

import { fixedRow, type LimitRow, MiB, row } from './limit-row.ts';

export const telemetryLimits = {
  telemetryQueueEventsMax: row(
    8_192,
    'limit_exceeded',
    'Events that wait for one receiver (traces, logs, syslog: each has a queue). What comes on top is not told, and counted; the audit has it.',
  ),
  telemetryQueueBytesMax: row(8 * MiB, 'limit_exceeded', 'Their JSON, of each queue.'),
  continuedTracesPerSecondMax: row(
    100,
    'limit_exceeded',
    'Exchanges that are sent because their client says that its trace is sampled. Beyond it an exchange has a trace of its own, and a share of these is sent.',
  ),
  telemetryBatchEventsMax: fixedRow(512, 'limit_exceeded', 'Events in one message to a collector.'),
  telemetryFlushDelayMs: fixedRow(
    2_000,
    'limit_exceeded',
    'How long an event waits for company: one message a batch, not an event.',
  ),
  telemetryTimeoutMs: row(
    10_000,
    'limit_exceeded',
    'One attempt to hand over a batch, from the dial to the end of the response.',
  ),
  telemetryAttemptsMax: fixedRow(
    6,
    'limit_exceeded',
    'How often a batch is offered before it is dropped: half a minute of an outage is bridged, and a longer one does not tell old news first.',
  ),
  telemetryRetryDelayMsMax: fixedRow(
    30_000,
    'limit_exceeded',
    'Longest pause between attempts, whatever a collector asks for in `Retry-After`.',
  ),
  telemetryCloseTimeoutMs: fixedRow(
    2_000,
    'limit_exceeded',
    'What is left when the gateway ends has one attempt of this length.',
  ),
  syslogMessageBytesMax: fixedRow(
    8_192,
    'limit_exceeded',
    'A message of syslog; receivers take as much (RFC 5425 §4.3.1). What is longer has its structured data alone.',
  ),
  syslogReadBytesMax: fixedRow(
    65_536,
    'limit_exceeded',
    'A receiver of syslog says nothing; one that does not stop loses its connection.',
  ),
  telemetryTextCharactersMax: fixedRow(
    256,
    'limit_exceeded',
    'A text in an attribute or in structured data; the audit has the rest.',
  ),
} as const satisfies Record<string, LimitRow>;
