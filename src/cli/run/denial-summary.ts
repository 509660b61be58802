// What a run was refused, in few lines for its end: many clients show nothing of it.

import type { AuditEvent } from '../../api/audit-event.ts';
import { refusalOf } from '../../api/refusal-of-event.ts';
import { rawRule } from '../../policy/raw-rule.ts';
import { refusalPathCharacters, type SessionRefusal } from '../../protocol/session-refusals.ts';
import { printableText } from '../terminal/text-table.ts';

const rowsShown = 20;

interface Refused {
  readonly what: string;
  readonly why: string;
  /** The rule that would allow it, where that can be said. */
  readonly rule: string | undefined;
  count: number;
}

/** Of an audit. */
export function* refusalsOf(events: Iterable<AuditEvent>): Iterable<SessionRefusal> {
  for (const event of events) {
    const refusal = refusalOf(event);
    if (refusal !== undefined) yield refusal;
  }
}

/**
 * What was refused, most often first; raw TCP with the rule that would allow it. Empty if nothing was. `others` were refused too, and
 * nothing else is known of them here.
 */
export function denialSummary(refusals: Iterable<SessionRefusal>, auditPlace: string, others = 0): string {
  const all = together(refusals);
  if (all.length === 0 && others === 0) return '';
  const shown = all.slice(0, rowsShown);
  const lines = shown.map(({ what, why, rule, count }) => {
    const times = count === 1 ? '' : ` (${count} times)`;
    const remedy = rule === undefined ? '' : `    the rule that would allow it: ${rule}\n`;
    return `  ${what}: ${why}${times}\n${remedy}`;
  });
  const hidden = all.length - shown.length;
  const rest = others === 0 ? '' : `what else was refused ${timesText(others)}`;
  const more = [hidden > 0 ? `${hidden} more` : '', rest].filter(Boolean).join(', and ');
  const last = more === '' ? '' : `  and ${more}\n`;
  return `upstreamproxy: refused in this run (all of it: ${auditPlace}):\n${lines.join('')}${last}`;
}

function timesText(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

function together(refusals: Iterable<SessionRefusal>): readonly Refused[] {
  const byText = new Map<string, Refused>();
  for (const refusal of refusals) {
    const { code, rule, count } = refusal;
    const what = printableText(describe(refusal));
    const why = printableText(rule === undefined ? code : `${code}, rule ${rule}`);
    const key = JSON.stringify([what, why]);
    const one = byText.get(key) ?? { what, why, rule: missingRule(refusal), count: 0 };
    byText.set(key, one);
    one.count += count;
  }
  return [...byText.values()].toSorted((a, b) => b.count - a.count);
}

function describe({ kind, method, scheme, host = '?', port, path = '' }: SessionRefusal): string {
  const shownPort =
    port === undefined || (scheme === 'https' && port === 443) || (scheme === 'http' && port === 80)
      ? ''
      : `:${port}`;
  if (kind === 'stream') return `a connection to ${host}${shownPort}`;
  const cut = path.length > refusalPathCharacters ? `${path.slice(0, refusalPathCharacters)}…` : path;
  return `${method ?? '?'} ${scheme ?? 'https'}://${host}${shownPort}${cut}`;
}

/** A rule that denies was meant, and its remedy is not another rule. */
function missingRule({ code, rule, host, port, scheme }: SessionRefusal): string | undefined {
  const isRaw = code === 'protocol_denied' && (scheme === undefined || scheme === 'tcp');
  return isRaw && rule === 'default-deny' && host !== undefined && port !== undefined
    ? printableText(rawRule(host, port))
    : undefined;
}
