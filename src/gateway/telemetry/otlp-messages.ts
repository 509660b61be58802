// Batches of events as requests of OTLP: ExportTraceServiceRequest, ExportLogsServiceRequest, ExportMetricsServiceRequest.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AuditEvent } from '../../api/audit-event.ts';
import { parseIsoTime } from '../audit/event-identity.ts';
import { type Attributes, exchangeSpans, type Span, spanKinds } from './exchange-spans.ts';
import type { MetricFamily } from './metric-family.ts';
import { OtlpWriter, type Origin } from './otlp-writer.ts';
import { traceOf } from './trace-context.ts';
import { spanIdOf } from './trace-sampling.ts';

/** So many events are written before the streams have their turn. */
const eventsPerTurn = 16;

export function traceRequest(batch: readonly string[], origin: Origin): Promise<Uint8Array> {
  return writtenInTurns(batch, origin, (writer, event) => {
    for (const span of exchangeSpans(event)) writer.message(2, () => writeSpan(writer, span));
  });
}

function writeSpan(writer: OtlpWriter, span: Span): void {
  writer.hex(1, span.traceId).hex(2, span.spanId).hex(4, span.parentSpanId);
  writer.text(5, span.name).number(6, spanKinds[span.kind]).time(7, span.startMs).time(8, span.endMs);
  writer.attributes(9, span.attributes);
  for (const { name, atMs } of span.events) writer.message(11, () => writer.time(1, atMs).text(2, name));
  // STATUS_CODE_ERROR; what went well says nothing, as the conventions want it.
  if (span.isError) writer.message(15, () => writer.number(3, 2));
  // The trace id is random, and it is sampled (W3C Trace Context level 2).
  writer.fixed32(16, 0x3);
}

/** Numbers of the protocol: INFO, WARN, ERROR. */
const severities = { INFO: 9, WARN: 13, ERROR: 17 } as const;

function severityOf({ kind, verdict }: AuditEvent): keyof typeof severities {
  if (kind === 'alarm' || verdict === 'error') return 'ERROR';
  return verdict === 'deny' || verdict === 'unknown' ? 'WARN' : 'INFO';
}

/** The body is the event as the audit has it. */
export function logRequest(batch: readonly string[], origin: Origin, nowMs: number): Promise<Uint8Array> {
  return writtenInTurns(batch, origin, (writer, event, json) => {
    writer.message(2, () => writeLog(writer, event, { json, nowMs }));
  });
}

function writeLog(
  writer: OtlpWriter,
  event: AuditEvent,
  { json, nowMs }: { readonly json: string; readonly nowMs: number },
): void {
  const severity = severityOf(event);
  writer.time(1, parseIsoTime(event.time)).number(2, severities[severity]).text(3, severity);
  writer.body(5, json);
  writer.attributes(6, {
    'upstreamproxy.event_id': event.id,
    'upstreamproxy.kind': event.kind,
    'upstreamproxy.action': event.action,
    'upstreamproxy.verdict': event.verdict,
    'error.type': event.errorCode,
  });
  if (isTraceId(event.traceId)) writer.hex(9, traceOf(event).traceId).hex(10, spanIdOf(event.traceId, 0));
  writer.time(11, nowMs).text(12, `upstreamproxy.${event.action ?? event.kind}`);
}

export interface MetricsMoment {
  readonly startMs: number;
  readonly nowMs: number;
}

export function metricsRequest(
  families: readonly MetricFamily[],
  origin: Origin,
  moment: MetricsMoment,
): Uint8Array {
  const writer = new OtlpWriter();
  writer.scoped(origin, () => {
    for (const family of families) writer.message(2, () => writeMetric(writer, family, moment));
  });
  return writer.finish();
}

/** AGGREGATION_TEMPORALITY_CUMULATIVE. */
const cumulative = 2;

function writeMetric(writer: OtlpWriter, family: MetricFamily, moment: MetricsMoment): void {
  const { name, help, type } = family;
  writer.text(1, `upstreamproxy.${name}`).text(2, help).text(3, unitOf(name));
  switch (type) {
    case 'gauge':
      writer.message(5, () => writePoints(writer, family, moment));
      return;
    case 'counter':
      writer.message(7, () => {
        writePoints(writer, family, moment);
        writer.number(2, cumulative).number(3, 1);
      });
      return;
    case 'histogram':
      writer.message(9, () => {
        writer.message(1, () => writeHistogram(writer, family, moment));
        writer.number(2, cumulative);
      });
  }
}

/** As UCUM writes them. */
function unitOf(name: string): string {
  if (name.endsWith('_seconds')) return 's';
  return name.endsWith('_bytes') ? 'By' : '1';
}

function writePoints(
  writer: OtlpWriter,
  { samples }: Extract<MetricFamily, { readonly type: 'counter' | 'gauge' }>,
  { startMs, nowMs }: MetricsMoment,
): void {
  for (const { labels, value } of samples)
    writer.message(1, () => {
      writer.time(2, startMs).time(3, nowMs).double(4, value);
      writer.attributes(7, labelsOf(labels));
    });
}

/** Of the form that an exposition has; no value has a comma or a quotation mark. */
function labelsOf(labels: string): Attributes {
  const pairs = labels === '' ? [] : labels.split(',').map((pair) => pair.split('='));
  return Object.fromEntries(pairs.map(([name = '', value = '']) => [name, value.slice(1, -1)]));
}

function writeHistogram(
  writer: OtlpWriter,
  { bounds, histogram }: Extract<MetricFamily, { readonly type: 'histogram' }>,
  { startMs, nowMs }: MetricsMoment,
): void {
  const { within, count, seconds, exemplars } = histogram;
  // There each bucket counts what the one below it does not.
  const buckets = [...within, count].map((total, i, all) => total - (i === 0 ? 0 : (all[i - 1] ?? 0)));
  writer.time(2, startMs).time(3, nowMs).fixed64(4, count).double(5, seconds);
  writer.packedFixed64(6, buckets).packedDoubles(7, bounds);
  for (const exemplar of exemplars) {
    if (exemplar === undefined || !isTraceId(exemplar.traceId)) continue;
    writer.message(8, () =>
      writer
        .time(2, exemplar.atMs)
        .double(3, exemplar.seconds)
        .hex(4, spanIdOf(exemplar.traceId, 0))
        .hex(5, exemplar.traceId),
    );
  }
}

function isTraceId(text: string): boolean {
  return /^[0-9a-f]{32}$/.test(text);
}

/** A resource for each turn: a request has any number of them, so nothing of one turn waits for the next. The JSON is our own. */
async function writtenInTurns(
  batch: readonly string[],
  origin: Origin,
  write: (writer: OtlpWriter, event: AuditEvent, json: string) => void,
): Promise<Uint8Array> {
  const writer = new OtlpWriter();
  for (let from = 0; from < batch.length; from += eventsPerTurn) {
    if (from > 0) await nextTurn();
    writer.scoped(origin, () => {
      for (const json of batch.slice(from, from + eventsPerTurn))
        write(writer, JSON.parse(json) as AuditEvent, json);
    });
  }
  return writer.finish();
}
