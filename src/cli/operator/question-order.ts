// Questions in the order in which they have to be answered.

import type { ShownQuestion } from './operator-backend.ts';

/** The one with the least time first. */
export function byTimeLeft(questions: readonly ShownQuestion[]): readonly ShownQuestion[] {
  const until = ({ question, id }: ShownQuestion): string => `${question?.until ?? ''} ${id}`;
  return questions.toSorted((a, b) => (until(a) < until(b) ? -1 : 1));
}
