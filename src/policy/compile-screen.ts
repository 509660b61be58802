// `screen` of a rule as it is written, to what is looked for.

import type { RuleDocument } from './policy-schema.ts';
import { asList } from './schema-parts.ts';
import { type RuleScreen, screenMarks } from './screen-rule.ts';

export function compileScreen({ screen }: RuleDocument): RuleScreen | undefined {
  if (screen === undefined) return undefined;
  const { on, find } = screen;
  return { on, find: screenMarks.filter((mark) => find === undefined || asList(find).includes(mark)) };
}
