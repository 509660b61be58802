// `upstreamproxy audit export`: events of a time, in its order, to whoever reads along. What is not read yet is not asked of the store.

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import type { AuditEvent } from '../../api/audit-event.ts';
import type { AuditStore } from '../../store/store.ts';
import { gatewayOfOptions } from '../gateway/gateway-configuration.ts';
import type { auditDefinition } from '../commands/audit-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { jsonLine } from '../terminal/text-table.ts';
import { askedTime } from './asked-time.ts';
import { csvLine, csvTitle } from './audit-csv.ts';
import { eventsOfPeriod } from './audit-records.ts';
import { openStoreToRead } from './operator-store.ts';

const chunkCharacters = 64 * 1024;

export interface AuditExport {
  readonly fromMs?: number | undefined;
  readonly untilMs?: number | undefined;
  readonly format: 'ndjson' | 'csv';
}

/** Resolves when all is written, or whoever reads has stopped. */
export async function exportAudit(
  audit: AuditStore,
  { fromMs, untilMs, format }: AuditExport,
  target: NodeJS.WritableStream,
): Promise<void> {
  const lines =
    format === 'csv'
      ? { title: csvTitle, line: csvLine }
      : { title: '', line: (event: AuditEvent) => jsonLine(event) };
  const chunks = chunksOf(eventsOfPeriod(audit, { fromMs, untilMs }), lines);
  try {
    // One chunk is ready while another one is written.
    await pipeline(Readable.from(chunks, { highWaterMark: 1 }), target, { end: false });
  } catch (error) {
    if (!hasStopped(error)) throw error;
  }
}

async function* chunksOf(
  events: AsyncIterable<AuditEvent>,
  { title, line }: { readonly title: string; readonly line: (event: AuditEvent) => string },
): AsyncGenerator<string> {
  let chunk = title;
  for await (const event of events) {
    chunk += line(event);
    if (chunk.length < chunkCharacters) continue;
    yield chunk;
    chunk = '';
  }
  if (chunk !== '') yield chunk;
}

/** Whoever reads has had enough, which is no fault. */
function hasStopped(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'EPIPE' || error.code === 'ERR_STREAM_PREMATURE_CLOSE')
  );
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
  await using store = await openStoreToRead(await gatewayOfOptions(options));
  await exportAudit(store.audit, { ...asked, format }, process.stdout);
  return 0;
}
