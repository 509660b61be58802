// What was refused, as annotations of a run on GitHub Actions.

import { printableText } from '../terminal/text-table.ts';
import type { JobFacts } from './job-facts.ts';
import { type Finding, type FindingKind, jobFindings } from './job-findings.ts';
import { workflowCommand } from './workflow-command.ts';

/** GitHub keeps ten of a level for each step, and drops the others without a word. The tenth is that of the step that fails by them. */
const levelMax = 9;

const titles: Readonly<Record<FindingKind, string>> = {
  early: 'the session was over before the job was',
  alarm: 'alarm',
  unread: 'this may not be all',
  refused: 'refused',
  'refused-by-rule': 'refused by a rule',
  'would-be-refused': 'the policy would refuse',
};

/** `about`: the file of the repository that they are shown at. */
export function jobAnnotations(facts: JobFacts, about: string | undefined): string {
  const all = jobFindings(facts);
  const place = about === undefined ? [] : [['file', about] as const];
  const line = (level: Finding['level'], title: string, text: string): string =>
    workflowCommand(
      level,
      printableText(text),
      Object.fromEntries([['title', `upstreamproxy: ${title}`], ...place]),
    );
  return (['error', 'warning'] as const)
    .flatMap((level) => {
      const ones = all.filter((one) => one.level === level);
      const shown = ones.length <= levelMax ? ones : ones.slice(0, levelMax - 1);
      const lines = shown.map(({ kind, text, count }) =>
        line(level, titles[kind], count === 1 ? text : `${text} (${count} times)`),
      );
      const hidden = ones.length - shown.length;
      if (hidden > 0) lines.push(line(level, 'more', `${hidden} more; the summary of the job has them`));
      return lines;
    })
    .join('');
}
