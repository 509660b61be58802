// `rewrite` of a rule: named fields of JSON that are changed on their way, in a request or in its response.

import type { FieldPath, JsonRewrite } from '../understand/rewrite-json.ts';

export interface RuleRewrite {
  readonly request?: JsonRewrite;
  readonly response?: JsonRewrite;
}

/** What both change; what the second one sets holds. */
export function bothRewrites(
  own: RuleRewrite | undefined,
  bound: RuleRewrite | undefined,
): RuleRewrite | undefined {
  if (own === undefined || bound === undefined) return own ?? bound;
  const request = bothJson(own.request, bound.request);
  const response = bothJson(own.response, bound.response);
  return {
    ...(request === undefined ? {} : { request }),
    ...(response === undefined ? {} : { response }),
  };
}

function bothJson(own: JsonRewrite | undefined, bound: JsonRewrite | undefined): JsonRewrite | undefined {
  if (own === undefined || bound === undefined) return own ?? bound;
  if (JSON.stringify(own) === JSON.stringify(bound)) return own;
  return {
    set: [...own.set, ...bound.set],
    drop: [...own.drop, ...bound.drop],
    redact: [...own.redact, ...bound.redact],
  };
}

/** Whether what the outer one changes the inner one changes alike. */
export function rewriteCovers(outer: RuleRewrite | undefined, inner: RuleRewrite | undefined): boolean {
  return outer === undefined || JSON.stringify(outer) === JSON.stringify(inner);
}

/** For people. */
export function rewriteText(rewrite: RuleRewrite): string {
  return (['request', 'response'] as const)
    .flatMap((side) => {
      const one = rewrite[side];
      if (one === undefined) return [];
      const set = one.set.map(({ path, value }) => `set ${pointer(path)} to ${JSON.stringify(value)}`);
      const drop = one.drop.map((path) => `drop ${pointer(path)}`);
      const redact = one.redact.map((path) => `redact ${pointer(path)}`);
      return [`${side}: ${[...set, ...drop, ...redact].join(', ')}`];
    })
    .join('; ');
}

function pointer(path: FieldPath): string {
  return path.map((name) => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
