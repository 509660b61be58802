// `rewrite` of a rule as it is written, to what is changed.

import { defaultLimits } from '../protocol/limits.ts';
import type { FieldPath, JsonRewrite } from '../understand/rewrite-json.ts';
import type { RuleDocument } from './policy-schema.ts';
import type { RuleRewrite } from './rewrite-rule.ts';
import { asList } from './schema-parts.ts';
import type { Report } from './yaml-source.ts';

const { rewritePathsMax: pathsMax, rewriteNamesMax: namesMax } = defaultLimits;

type Side = NonNullable<NonNullable<RuleDocument['rewrite']>['request']>;

/** `signing`: credentials that sign what they are put on. Problems go to `report`. */
export function compileRewrite(
  { rewrite, inject }: RuleDocument,
  signing: ReadonlySet<string>,
  report: Report,
): RuleRewrite | undefined {
  if (rewrite === undefined) return undefined;
  const { request, response } = rewrite;
  if (request === undefined && response === undefined)
    report(['rewrite'], 'write what is changed: request, response, or both');
  const signer = asList(inject).find((name) => signing.has(name));
  if (request !== undefined && signer !== undefined)
    report(
      ['rewrite', 'request'],
      `${signer} signs what the client signed, so it cannot be changed; remove it`,
    );
  const compiled = (side: Side, name: string): JsonRewrite => compileSide(side, name, report);
  return {
    ...(request === undefined ? {} : { request: compiled(request, 'request') }),
    ...(response === undefined ? {} : { response: compiled(response, 'response') }),
  };
}

function compileSide({ set = {}, drop, redact }: Side, side: string, report: Report): JsonRewrite {
  const at = ['rewrite', side];
  const pathOf = (text: string): FieldPath => {
    const names = text.split('/').slice(1);
    if (!text.startsWith('/') || names.length > namesMax || names.some((name) => isBadName(name)))
      report(
        at,
        `${JSON.stringify(text.slice(0, 60))} is not a path; write it as /user/email, of at most ${namesMax} names`,
      );
    return names.map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  };
  const all = [Object.keys(set), asList(drop), asList(redact)];
  const count = all.reduce((sum, { length }) => sum + length, 0);
  if (count === 0) report(at, 'write what is changed: set, drop or redact');
  if (count > pathsMax) report(at, `${count} paths are more than ${pathsMax}`);
  return {
    set: Object.entries(set).map(([path, value]) => ({ path: pathOf(path), value })),
    drop: asList(drop).map(pathOf),
    redact: asList(redact).map(pathOf),
  };
}

/** RFC 6901 §3: a tilde stands before 0 or 1 alone. */
function isBadName(name: string): boolean {
  return name === '' || name.replaceAll('~0', '').replaceAll('~1', '').includes('~');
}
