// `when:` of a rule. The language is not part of this version, so the key is refused rather than ignored.

import type { RuleCondition } from './rule.ts';

/** Reads an expression; a string is the reason why it is none. */
export type CompileCondition = (source: string) => RuleCondition | string;

export const compileCondition: CompileCondition = () =>
  '"when" is not supported by this version; use hosts, methods, paths and for, and remove "when"';
