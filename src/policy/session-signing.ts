// What a session may have signed, as its agent is told before anything is.

import type { Principal } from './decision.ts';
import { isForSession, type Rule } from './rule.ts';
import type { SessionSigning, SignCondition, SignedKind } from './sign-condition.ts';

/** What rules that allow may have signed for a session; undefined: nothing. */
export function signingOf(rules: readonly Rule[], principal: Principal): SessionSigning | undefined {
  const own = rules.filter((rule) => rule.effect === 'allow' && isForSession(rule, principal));
  const conditions = own.flatMap(({ sign }) => sign ?? []);
  const credential = own.find(({ sign }) => sign !== undefined)?.inject[0];
  if (conditions.length === 0) return undefined;
  const kinds = (some: readonly SignCondition[]): readonly SignedKind[] => [
    ...new Set(some.flatMap(({ objects }) => objects)),
  ];
  return {
    credential: credential ?? '',
    objects: kinds(conditions),
    automatic: kinds(conditions.filter(({ isAutomatic }) => isAutomatic)),
  };
}

/** What both of them leave. */
export function bothSignings(
  own: SessionSigning | undefined,
  bound: SessionSigning | undefined,
): SessionSigning | undefined {
  if (own === undefined || bound === undefined) return undefined;
  const objects = own.objects.filter((one) => bound.objects.includes(one));
  if (objects.length === 0) return undefined;
  return { ...own, objects, automatic: own.automatic.filter((one) => objects.includes(one)) };
}
