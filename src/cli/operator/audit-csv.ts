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
 * Spaces before the sign are no help, as some programs take them away. Where lists are separated by `;`, a spreadsheet divides a
 * cell of this file there, so behind a separator is as good as in front.
 */
function inert(text: string): string {
  let [done, front, isFront] = ['', '', true];
  for (const char of harmlessText(text)) {
    if (separators.has(char)) {
      done += front + char;
      [front, isFront] = ['', true];
    } else if (!isFront) {
      done += char;
    } else if (char === '"' || char === "'" || char.trim() === '') {
      front += char;
    } else {
      done += `${signs.has(char) ? "'" : ''}${front}${char}`;
      [front, isFront] = ['', false];
    }
  }
  return done + front;
}

const separators = new Set([';', ',', '\t']);
/** With the wide forms that some programs take for the same signs. */
const signs = new Set(['=', '+', '-', '@', '|', '%', '\uff1d', '\uff0b', '\uff0d', '\uff20']);
