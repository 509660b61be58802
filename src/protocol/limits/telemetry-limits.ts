// What is told to collectors: it waits in the process, is bounded there, and holds up no request.

import { fixedRow, type LimitRow, MiB, row } from './limit-row.ts';

export const telemetryLimits = {
  telemetryQueueEventsMax: row(
    8_192,
    'limit_exceeded',
    'Events that wait for one receiver (traces, logs, syslog: each has a queue). Further ones are not sent, and are counted. The audit has them.',
  ),
  telemetryQueueBytesMax: row(8 * MiB, 'limit_exceeded', 'The JSON of each such queue.'),
  continuedTracesPerSecondMax: row(
    100,
    'limit_exceeded',
    'Exchanges that are sent because their client says that its trace is sampled. Beyond it an exchange has a separate trace, and a share of these is sent.',
  ),
  telemetryBatchEventsMax: fixedRow(512, 'limit_exceeded', 'Events in one message to a collector.'),
  telemetryFlushDelayMs: fixedRow(
    2_000,
    'limit_exceeded',
    'How long an event waits for others, so that a batch and not each event is a message.',
  ),
  telemetryTimeoutMs: row(
    10_000,
    'limit_exceeded',
    'One attempt to hand over a batch, from the dial to the end of the response.',
  ),
  telemetryAttemptsMax: fixedRow(
    6,
    'limit_exceeded',
    'How often a batch is offered before it is dropped. That bridges half a minute of an outage, and after a longer one the receiver does not get old news first.',
  ),
  telemetryRetryDelayMsMax: fixedRow(
    30_000,
    'limit_exceeded',
    'Longest pause between attempts, whatever a collector asks for in `Retry-After`.',
  ),
  telemetryCloseTimeoutMs: fixedRow(
    2_000,
    'limit_exceeded',
    'When the gateway ends, the rest has one attempt of this length.',
  ),
  syslogMessageBytesMax: fixedRow(
    8_192,
    'limit_exceeded',
    'A message of syslog. Receivers take that much (RFC 5425 §4.3.1). A longer one has only its structured data.',
  ),
  syslogReadBytesMax: fixedRow(
    65_536,
    'limit_exceeded',
    'What a receiver of syslog may send, which says nothing. One that goes on loses its connection.',
  ),
  telemetryTextCharactersMax: fixedRow(
    256,
    'limit_exceeded',
    'A text in an attribute or in structured data. The audit has the rest.',
  ),
} as const satisfies Record<string, LimitRow>;
