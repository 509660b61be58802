// `leaks` of a rule, or of its file, to what is searched for.

import { leakKinds, type RuleLeaks } from './leak-rule.ts';
import type { PolicyDocument, RuleDocument } from './policy-schema.ts';
import { asList } from './schema-parts.ts';
import type { Rule } from './rule.ts';
import type { Report } from './yaml-source.ts';

export interface LeaksContext {
  readonly effect: Rule['effect'];
  readonly handling: Rule['handling'];
  readonly fileLeaks: PolicyDocument['leaks'];
  /** Credentials that sign what they are put on. */
  readonly signing: ReadonlySet<string>;
  readonly report: Report;
}

/** Undefined where nothing is searched for: in rules that deny, and where nothing can be seen. */
export function compileLeaks(
  { leaks, inject }: RuleDocument,
  { effect, handling, fileLeaks, signing, report }: LeaksContext,
): RuleLeaks | undefined {
  const written = leaks ?? fileLeaks;
  if (written === undefined || written === false || effect === 'deny' || handling !== 'intercept')
    return undefined;
  const signer = asList(inject).find((name) => signing.has(name));
  if (leaks !== undefined && written.on === 'redact' && signer !== undefined)
    report(
      ['leaks', 'on'],
      `${signer} signs what is sent, and what a client signed cannot be redacted; write on: block`,
    );
  return {
    // Of the whole file: what cannot be redacted is refused.
    on: written.on === 'redact' && signer !== undefined ? 'block' : written.on,
    find: leakKinds.filter((kind) => written.find === undefined || asList(written.find).includes(kind)),
    allow: [...new Set(asList(written.allow))],
  };
}
