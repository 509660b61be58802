// What was refused, as annotations of a run on GitHub Actions.

import { refusalText } from '../run/denial-summary.ts';
import { printableText } from '../terminal/text-table.ts';
import type { JobFacts } from './job-facts.ts';
import { workflowCommand } from './workflow-command.ts';

/** GitHub keeps ten of a level for each step, and drops the others without a word. */
const levelMax = 10;

interface Annotation {
  readonly level: 'error' | 'warning';
  readonly title: string;
  readonly text: string;
}

/** `about`: the file of the repository that they are shown at. */
export function jobAnnotations(facts: JobFacts, about: string | undefined): string {
  const all = annotationsOf(facts);
  const shown = [...fewOf(all, 'error'), ...fewOf(all, 'warning')];
  const place = about === undefined ? [] : [['file', about] as const];
  return shown
    .map(({ level, title, text }) => {
      const properties = Object.fromEntries([['title', `upstreamproxy: ${title}`], ...place]);
      return workflowCommand(level, printableText(text), properties);
    })
    .join('');
}

function fewOf(all: readonly Annotation[], level: Annotation['level']): readonly Annotation[] {
  const ones = all.filter((one) => one.level === level);
  if (ones.length <= levelMax) return ones;
  const text = `${ones.length - levelMax + 1} more; the summary of the job has them`;
  return [...ones.slice(0, levelMax - 1), { level, title: 'more', text }];
}

function annotationsOf({
  refused,
  refusedElse,
  alarms,
  would,
  early,
  unread,
  form,
}: JobFacts): readonly Annotation[] {
  // Where nothing decides, what is refused all the same is no fault of the job.
  const level = form === 'observe' ? 'warning' : 'error';
  const times = (count: number): string => (count === 1 ? '' : ` (${count} times)`);
  const denied = refused.map(({ refusal, count, isMeant }): Annotation => {
    const rule = refusal.rule === undefined ? '' : `, rule ${refusal.rule}`;
    return {
      level: isMeant ? 'warning' : level,
      title: isMeant ? 'refused by a rule' : 'refused',
      text: `${refusalText(refusal)}: ${refusal.code}${rule}${times(count)}`,
    };
  });
  const error = (title: string, text: string): Annotation => ({ level: 'error', title, text });
  return [
    ...(early === undefined ? [] : [error('the session was over before the job was', early)]),
    ...alarms.map(({ text, count }) => error('alarm', `${text}${times(count)}`)),
    ...(unread === undefined ? [] : [error('this may not be all', unread)]),
    ...denied,
    ...(refusedElse === 0
      ? []
      : [{ level, title: 'refused', text: `${refusedElse} more, of which no more is known` } as const]),
    ...would.map(({ request, rule, count }): Annotation => ({
      level: 'warning',
      title: 'the policy would refuse',
      text: `${request}: rule ${rule}${times(count)}`,
    })),
  ];
}
