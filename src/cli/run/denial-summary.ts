// What a run was refused, in few lines for its end: many clients show nothing of it.

import { rawRule } from '../../policy/raw-rule.ts';
import { defaultLimits } from '../../protocol/limits.ts';
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

/** Counts what was refused: `summaryRowsMax` different things, and of all else how often. */
export class Denials {
  readonly #byText = new Map<string, Refused>();
  #others = 0;

  add(refusal: SessionRefusal): void {
    const { code, rule, count } = refusal;
    const what = printableText(refusalText(refusal));
    const why = printableText(rule === undefined ? code : `${code}, rule ${rule}`);
    const key = JSON.stringify([what, why]);
    const known = this.#byText.get(key);
    if (known !== undefined) known.count += count;
    else if (this.#byText.size < defaultLimits.summaryRowsMax)
      this.#byText.set(key, { what, why, rule: missingRule(refusal), count });
    else this.#others += count;
  }

  /**
   * What was refused, most often first; raw TCP with the rule that would allow it. Empty if nothing was. `others` were refused too, and
   * nothing else is known of them here.
   */
  summary(auditPlace: string, others = 0): string {
    const all = [...this.#byText.values()].toSorted((a, b) => b.count - a.count);
    const unknown = this.#others + others;
    if (all.length === 0 && unknown === 0) return '';
    const lines = all.slice(0, rowsShown).map(({ what, why, rule, count }) => {
      const times = count === 1 ? '' : ` (${count} times)`;
      const remedy = rule === undefined ? '' : `    the rule that would allow it: ${rule}\n`;
      return `  ${what}: ${why}${times}\n${remedy}`;
    });
    const hidden = all.length - lines.length;
    const rest = unknown === 0 ? '' : `what else was refused ${unknown === 1 ? 'once' : `${unknown} times`}`;
    const more = [hidden > 0 ? `${hidden} more` : '', rest].filter(Boolean).join(', and ');
    const last = more === '' ? '' : `  and ${more}\n`;
    return `upstreamproxy: refused in this run (all of it: ${auditPlace}):\n${lines.join('')}${last}`;
  }
}

/** What was asked for, in one line. It has what a stranger wrote. */
export function refusalText({ kind, method, scheme, host = '?', port, path = '' }: SessionRefusal): string {
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
