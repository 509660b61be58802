// What somebody should look at after a job, one by one: annotations and SARIF show the same.

import { refusalKey } from '../../protocol/session-refusals.ts';
import { refusalText } from '../run/denial-summary.ts';
import type { JobFacts } from './job-facts.ts';

export type FindingKind = 'early' | 'alarm' | 'unread' | 'refused' | 'refused-by-rule' | 'would-be-refused';

export interface Finding {
  readonly kind: FindingKind;
  readonly level: 'error' | 'warning';
  /** It has what a stranger wrote. */
  readonly text: string;
  /** What makes it the same finding in the next run. */
  readonly key: string;
  readonly count: number;
}

/** What weighs most first. */
export function jobFindings({
  refused,
  refusedElse,
  alarms,
  would,
  early,
  unread,
  form,
}: JobFacts): readonly Finding[] {
  // Where nothing decides, what is refused all the same is no fault of the job.
  const level = form === 'observe' ? 'warning' : 'error';
  const whole = (kind: FindingKind, text: string, count = 1): Finding => ({
    kind,
    level: 'error',
    text,
    key: text,
    count,
  });
  const denied = refused.map(({ refusal, isMeant, count }): Finding => {
    const rule = refusal.rule === undefined ? '' : `, rule ${refusal.rule}`;
    return {
      kind: isMeant ? 'refused-by-rule' : 'refused',
      level: isMeant ? 'warning' : level,
      text: `${refusalText(refusal)}: ${refusal.code}${rule}`,
      key: refusalKey({ ...refusal, count: 1 }),
      count,
    };
  });
  const others = whole('refused', 'More was refused, of which no more is known', refusedElse);
  return [
    ...(early === undefined ? [] : [whole('early', early)]),
    ...alarms.map(({ text, count }) => whole('alarm', text, count)),
    ...(unread === undefined ? [] : [whole('unread', unread)]),
    ...denied,
    ...(refusedElse === 0 ? [] : [{ ...others, level } as const]),
    ...would.map(({ request, rule, count }): Finding => ({
      kind: 'would-be-refused',
      level: 'warning',
      text: `${request}: rule ${rule}`,
      key: request,
      count,
    })),
  ];
}
