// What is said where no rule has something signed.

import type { SignCondition } from './sign-condition.ts';
import { signText } from './sign-rule.ts';

interface Signing {
  readonly reference: { readonly name: string };
  readonly sign: SignCondition | undefined;
}

/** For the workload: what the rules of its session sign. */
export function signRemedy(rules: readonly Signing[]): string {
  const told = rules.flatMap(({ reference, sign }) =>
    sign === undefined ? [] : [`The rule ${reference.name} signs this alone: ${signText(sign)}.`],
  );
  return told.length > 0 ? told.join(' ') : 'Ask the owner of the policy for a rule with "sign".';
}

/** For the operator, behind the name of the rule. */
export function signNote({ sign }: Pick<Signing, 'sign'>): string {
  return sign === undefined
    ? 'is for requests, and signs nothing'
    : `signs something else, or with another key (${signText(sign)})`;
}
