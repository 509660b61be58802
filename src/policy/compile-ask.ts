// `ask` of a rule as it is written, to what a person may say.

import { askChoices, type RuleAsk } from './ask-rule.ts';
import type { RuleDocument } from './policy-schema.ts';
import { asList } from './schema-parts.ts';

export function compileAsk({ ask }: RuleDocument): RuleAsk | undefined {
  if (ask === undefined) return undefined;
  if (ask === true) return { body: 'seen', choices: askChoices };
  const { body = 'seen', choices } = ask;
  return {
    body,
    choices: askChoices.filter((choice) => choices === undefined || asList(choices).includes(choice)),
  };
}
