// `screen` of a rule as it is written, to what is looked for and who is asked.

import { defaultLimits } from '../protocol/limits.ts';
import type { RuleDocument } from './policy-schema.ts';
import type { Rule } from './rule.ts';
import { asList } from './schema-parts.ts';
import { type RuleScreen, screenMarks } from './screen-rule.ts';
import type { Report } from './yaml-source.ts';

interface ScreenContext {
  /** Names of the known deciders; undefined if they are not known here. */
  readonly deciders: ReadonlySet<string> | undefined;
  /** Those that can be asked about requests alone. */
  readonly requestDeciders: ReadonlySet<string>;
  readonly mode: Rule['mode'];
  readonly report: Report;
}

export function compileScreen({ screen }: RuleDocument, context: ScreenContext): RuleScreen | undefined {
  if (screen === undefined) return undefined;
  const { on, find, by, timeoutMs, onError } = screen;
  const { deciders, requestDeciders, report, mode } = context;
  if (by === undefined) {
    for (const key of ['timeoutMs', 'onError'] as const)
      if (screen[key] !== undefined)
        report(['screen', key], `"${key}" is about a decider; write by: with its name, or remove it`);
  } else if (deciders?.has(by) === false)
    report(['screen', 'by'], `there is no decider ${JSON.stringify(by)} in the gateway's configuration`);
  else if (requestDeciders.has(by))
    report(
      ['screen', 'by'],
      `the decider ${by} is asked over ext_authz, which knows requests alone; name one of kind opa or webhook`,
    );
  const judge =
    by === undefined
      ? []
      : [{ by, timeoutMs: timeoutMs ?? defaultLimits.deciderTimeoutMs, onError: onError ?? 'deny' } as const];
  return {
    // On trial nothing is kept back.
    on: on === 'block' && mode === 'observe' ? 'alert' : on,
    find: screenMarks.filter((mark) => find === undefined || asList(find).includes(mark)),
    judges: judge,
  };
}
