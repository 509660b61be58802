// What a run was refused, in few lines for its end: many clients show nothing of it.

import type { AuditEvent } from '../../api/audit-event.ts';
import { rawRule } from '../../policy/raw-rule.ts';
import { printableText } from '../terminal/text-table.ts';

const rowsShown = 20;
/** The rest of a path is in the audit. */
const pathShown = 80;

interface Refused {
  readonly what: string;
  readonly why: string;
  /** The rule that would allow it, where that can be said. */
  readonly rule: string | undefined;
  count: number;
}

/** What was refused, most often first; raw TCP with the rule that would allow it. Empty if nothing was. */
export function denialSummary(events: Iterable<AuditEvent>, auditFile: string): string {
  const all = refusals(events);
  if (all.length === 0) return '';
  const shown = all.slice(0, rowsShown);
  const lines = shown.map(({ what, why, rule, count }) => {
    const times = count === 1 ? '' : ` (${count} times)`;
    const remedy = rule === undefined ? '' : `    the rule that would allow it: ${rule}\n`;
    return `  ${what}: ${why}${times}\n${remedy}`;
  });
  const more = all.length > shown.length ? `  and ${all.length - shown.length} more\n` : '';
  return `upstreamproxy: refused in this run (all of it: ${auditFile}):\n${lines.join('')}${more}`;
}

function refusals(events: Iterable<AuditEvent>): readonly Refused[] {
  const byText = new Map<string, Refused>();
  for (const event of events) {
    if (event.verdict !== 'deny' || (event.kind !== 'exchange' && event.kind !== 'stream')) continue;
    const { errorCode = 'refused', rule } = event;
    const what = printableText(describe(event));
    const why = printableText(rule === undefined ? errorCode : `${errorCode}, rule ${rule}`);
    const key = JSON.stringify([what, why]);
    const one = byText.get(key) ?? { what, why, rule: missingRule(event), count: 0 };
    byText.set(key, one);
    one.count += 1;
  }
  return [...byText.values()].toSorted((a, b) => b.count - a.count);
}

function describe({ kind, method, scheme, host = '?', port, path = '' }: AuditEvent): string {
  const shownPort =
    port === undefined || (scheme === 'https' && port === 443) || (scheme === 'http' && port === 80)
      ? ''
      : `:${port}`;
  if (kind === 'stream') return `a connection to ${host}${shownPort}`;
  const bare = path.replace(/\?.*$/s, '');
  const cut = bare.length > pathShown ? `${bare.slice(0, pathShown)}…` : bare;
  return `${method ?? '?'} ${scheme ?? 'https'}://${host}${shownPort}${cut}`;
}

/** A rule that denies was meant, and its remedy is not another rule. */
function missingRule({ errorCode, rule, host, port, scheme }: AuditEvent): string | undefined {
  const isRaw = errorCode === 'protocol_denied' && (scheme === undefined || scheme === 'tcp');
  return isRaw && rule === 'default-deny' && host !== undefined && port !== undefined
    ? printableText(rawRule(host, port))
    : undefined;
}
