// `upstreamproxy audit export`: events of a time, in its order, to whoever reads along. What is not read yet is not asked for. An export that
// is not whole says so, and up to where it came.

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import type { AuditEvent } from '../../api/audit-event.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import type { auditDefinition } from '../commands/audit-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { withProgress } from '../terminal/progress.ts';
import { listenForShutdown } from '../terminal/shutdown-signal.ts';
import { jsonLine, printableText } from '../terminal/text-table.ts';
import { askedTime } from './asked-time.ts';
import { csvLine, csvTitle } from './audit-csv.ts';
import type { EventPage, OperatorBackend, PeriodAsked } from './operator-backend.ts';
import { openOperatorBackend } from './operator-place.ts';

const chunkCharacters = 64 * 1024;

export interface AuditExport {
  readonly format: 'ndjson' | 'csv';
  /** Ends it behind a whole line. */
  readonly signal?: AbortSignal | undefined;
}

/** How far it is. */
interface Progress {
  count: number;
  last: AuditEvent | undefined;
  fault: unknown;
}

/** Resolves when all is written, or whoever reads has stopped. @throws ProxyError behind what could be written, where that is not all */
export async function exportAudit(
  events: AsyncIterable<AuditEvent>,
  { format, signal }: AuditExport,
  target: NodeJS.WritableStream,
): Promise<void> {
  const lines =
    format === 'csv'
      ? { title: csvTitle, line: csvLine }
      : { title: '', line: (event: AuditEvent) => jsonLine(event) };
  const progress: Progress = { count: 0, last: undefined, fault: undefined };
  const chunks = chunksOf(events, { ...lines, progress, signal });
  try {
    // One chunk is ready while another one is written.
    await pipeline(Readable.from(chunks, { highWaterMark: 1 }), target, { end: false });
  } catch (error) {
    if (!hasStopped(error)) throw error;
    return;
  }
  if (signal?.aborted === true) throw notWhole(progress, new ProxyError('cancelled', 'it was interrupted'));
  if (progress.fault !== undefined) throw notWhole(progress, asProxyError(progress.fault));
}

interface Chunking {
  readonly title: string;
  readonly line: (event: AuditEvent) => string;
  readonly progress: Progress;
  readonly signal: AbortSignal | undefined;
}

/** Whole lines, also before a fault, which is left with the progress. */
async function* chunksOf(
  events: AsyncIterable<AuditEvent>,
  { title, line, progress, signal }: Chunking,
): AsyncGenerator<string> {
  let chunk = title;
  try {
    for await (const event of events) {
      chunk += line(event);
      progress.count += 1;
      progress.last = event;
      if (signal?.aborted === true) break;
      if (chunk.length < chunkCharacters) continue;
      yield chunk;
      chunk = '';
    }
  } catch (error) {
    progress.fault = error;
  }
  if (chunk !== '') yield chunk;
}

function notWhole({ count, last }: Progress, { code, message, limit }: ProxyError): ProxyError {
  const reached =
    last === undefined
      ? 'nothing is exported'
      : `the export ends behind ${count} events, the last of ${last.time} with the id ${printableText(last.id)}; --since ${last.time} goes on there`;
  return new ProxyError(code, `${message}: ${reached}`, limit === undefined ? {} : { limit });
}

/** Whoever reads has had enough, which is no fault. */
function hasStopped(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'EPIPE' || error.code === 'ERR_STREAM_PREMATURE_CLOSE')
  );
}

/** Events in the order of their time, a page at a time when the one before was taken. */
export async function* eventsInTime(
  backend: OperatorBackend,
  asked: PeriodAsked,
  signal: AbortSignal,
): AsyncGenerator<AuditEvent> {
  let behind: string | undefined;
  do {
    const { events, next }: EventPage = await backend.eventsInTime(asked, behind, signal);
    yield* events;
    behind = next;
  } while (behind !== undefined);
}

async function* countedEvents(
  events: AsyncIterable<AuditEvent>,
  onEvent: () => void,
): AsyncGenerator<AuditEvent> {
  for await (const event of events) {
    onEvent();
    yield event;
  }
}

export async function exportCommand({
  options,
}: Input<(typeof auditDefinition)['actions'][1]>): Promise<number> {
  const nowMs = Date.now();
  const time = (name: 'since' | 'until'): number | undefined => {
    const text = options[name];
    return text === undefined ? undefined : askedTime(name, text, nowMs);
  };
  const asked = { fromMs: time('since'), untilMs: time('until') };
  const format = options.format === 'csv' ? 'csv' : 'ndjson';
  await using backend = await openOperatorBackend(options, 'read');
  using shutdown = listenForShutdown();
  const { signal } = shutdown;
  let count = 0;
  await withProgress(
    // What is exported to a terminal says itself how far it is.
    { quiet: options.quiet || process.stdout.isTTY === true },
    () => `${count} events`,
    async (step) => {
      const counted = countedEvents(eventsInTime(backend, asked, signal), () => {
        count += 1;
        step();
      });
      await exportAudit(counted, { format, signal }, process.stdout);
    },
  );
  return 0;
}
