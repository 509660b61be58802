// A question in one line.

import { hostField } from '../../http/authority.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { QuestionContent } from '../../store/question-store.ts';

/** The request that is held, without what could be secret in its query. */
export function describeQuestion({ method, scheme, host, port, path }: QuestionContent): string {
  return `${method} ${scheme}://${hostField({ scheme, host, port })}${path.replace(/\?.*$/s, '?…')}`;
}

type Bound = QuestionContent['bound'][number];

/** What a decision is bound to, in few lines, for people who are told elsewhere: of fields their names, and nothing of a query. */
export function toldBound({ bound }: QuestionContent): readonly Bound[] {
  const lines = new Map<string, string[]>();
  for (const one of bound) {
    if (one.name === 'request') continue;
    const { name, value } = toldLine(one);
    const values = lines.get(name);
    if (values === undefined) lines.set(name, [value]);
    else values.push(value);
  }
  return [...lines].map(([name, values]) => ({ name, value: shortened(values.join(', ')) }));
}

function toldLine({ name, value }: Bound): Bound {
  const [, kind, field] = /^(field|not bound:) (.*)$/s.exec(name) ?? [];
  if (kind !== undefined && field !== undefined)
    return { name: kind === 'field' ? 'fields' : 'not bound', value: field };
  return { name: name.startsWith('operation ') ? 'operations' : name, value };
}

function shortened(text: string): string {
  const { telemetryTextCharactersMax: max } = defaultLimits;
  return text.length <= max ? text : `${text.slice(0, max - 1).toWellFormed()}…`;
}
