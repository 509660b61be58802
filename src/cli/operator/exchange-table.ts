// The audit as a table for people.

import type { AuditEvent } from '../../api/audit-event.ts';
import { cutNote } from '../../api/cut-note.ts';
import { tableStyle } from '../terminal/table-style.ts';
import { asciiText, textTable } from '../terminal/text-table.ts';

/** The rest is in the JSON. */
const causeShown = 400;

/** One column: its title, and the text of an event in it. */
const columns: readonly (readonly [title: string, text: (event: AuditEvent) => string])[] = [
  ['time', (event) => event.time.slice(11, 23)],
  ['verdict', (event) => event.verdict],
  ['what', what],
  ['status', (event) => String(event.status ?? event.errorCode ?? '-')],
  ['rule', (event) => event.rule ?? '-'],
  ['credential', (event) => event.injected?.join(',') || '-'],
  ['sent', (event) => size(event.requestBytes)],
  ['received', (event) => size(event.responseBytes)],
  ['ms', (event) => (event.durationMs === undefined ? '-' : String(Math.round(event.durationMs)))],
];

/** What went as it was asked has no colour: the eye is to find the others. */
const verdictLooks = { deny: 'bad', error: 'doubtful' } as const;

function what(event: AuditEvent): string {
  if (event.kind === 'session' || event.kind === 'alarm') {
    return `${event.kind} ${event.action ?? ''}${event.message === undefined ? '' : `: ${event.message}`}`;
  }
  const standard = event.scheme === 'https' ? 443 : event.scheme === 'http' ? 80 : undefined;
  const port = event.port === undefined || event.port === standard ? '' : `:${event.port}`;
  const scheme = event.scheme === undefined ? '' : `${event.scheme}://`;
  return `${event.method ?? event.kind} ${scheme}${event.host ?? '?'}${port}${event.path ?? ''}${cutOf(event)}`;
}

/** What stands there is the beginning of a longer one. */
function cutOf({ cut }: AuditEvent): string {
  const path = cut?.['path'];
  return path === undefined ? '' : cutNote(path.bytes);
}

function size(bytes: number | undefined): string {
  if (bytes === undefined) return '-';
  if (bytes < 10_000) return `${bytes} B`;
  if (bytes < 10_000_000) return `${Math.round(bytes / 1000)} kB`;
  return `${Math.round(bytes / 1_000_000)} MB`;
}

/** Rows of equal columns, with a title row if asked for. Every line ends with a line break. */
export function exchangeTable(events: readonly AuditEvent[], options: { readonly title: boolean }): string {
  const rows = events.map((event) => columns.map(([, text]) => text(event)));
  if (options.title) rows.unshift(columns.map(([title]) => title));
  const style = tableStyle({ hasTitle: options.title, words: { 1: verdictLooks }, errorColumn: 3 });
  const [title, ...lines] = textTable(options.title ? rows : [[], ...rows], style).split(/(?<=\n)/);
  const told = lines.map((line, at) => line + causeLine(events[at]));
  return [...(options.title ? [title] : []), ...told].join('');
}

/** Why something was refused or failed, and what only the operator is told of it. */
function causeLine(event: AuditEvent | undefined): string {
  if (event === undefined || (event.kind !== 'exchange' && event.kind !== 'stream')) return '';
  if (event.verdict !== 'deny' && event.verdict !== 'error') return '';
  const operator = event.details?.['operator'];
  const parts = [event.message, typeof operator === 'string' ? operator : undefined];
  const text = [...new Set(parts.filter((part) => part !== undefined && part !== ''))].join(' | ');
  return text === '' ? '' : `    ${asciiText(text).slice(0, causeShown)}\n`;
}
