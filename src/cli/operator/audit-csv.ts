// The audit as comma-separated values (RFC 4180), for spreadsheets.

import type { AuditEvent } from '../../api/audit-event.ts';
import { harmlessText } from '../terminal/text-table.ts';

/** In the order of their columns. What has fields of its own stands as JSON. */
const columns = [
  'time',
  'id',
  'kind',
  'action',
  'verdict',
  'decided',
  'rule',
  'policyVersion',
  'observed',
  'deniedField',
  'sessionId',
  'principal',
  'method',
  'scheme',
  'host',
  'port',
  'path',
  'status',
  'errorCode',
  'limit',
  'message',
  'injected',
  'offered',
  'git',
  'requestBytes',
  'responseBytes',
  'durationMs',
  'protocol',
  'upstreamProtocol',
  'address',
  'aliases',
  'connection',
  'count',
  'traceId',
  'lastTraceId',
  'claimed',
  'times',
  'cut',
  'details',
] as const satisfies readonly (keyof AuditEvent)[];

/** The first line. */
export const csvTitle = `${columns.join(',')}\r\n`;

export function csvLine(event: AuditEvent): string {
  return `${columns.map((name) => cell(event[name])).join(',')}\r\n`;
}

function cell(value: AuditEvent[keyof AuditEvent]): string {
  if (value === undefined) return '';
  if (typeof value === 'number') return String(value);
  return `"${inert(typeof value === 'string' ? value : JSON.stringify(value)).replaceAll('"', '""')}"`;
}

/**
 * A workload writes paths and methods: what a spreadsheet would take for a formula gets an apostrophe in front, by which it is text.
 * Spaces before the sign are no help, as some programs take them away.
 */
function inert(text: string): string {
  const printed = harmlessText(text);
  return isFormula(printed) ? `'${printed}` : printed;
}

/** With the wide forms that some programs take for the same signs. */
const signs = new Set(['=', '+', '-', '@', '|', '%', '\uff1d', '\uff0b', '\uff0d', '\uff20']);

function isFormula(text: string): boolean {
  for (const char of text) {
    const isBefore = char === '"' || char === "'" || char.trim() === '';
    if (!isBefore) return signs.has(char);
  }
  return false;
}
