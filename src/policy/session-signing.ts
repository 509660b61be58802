// What a session may have signed, as its agent is told before anything is.

import type { Principal } from './decision.ts';
import { isForSession, type Rule } from './rule.ts';
import type { AgentSigning, ObjectCondition, SessionSigning, SignedKind } from './sign-condition.ts';

/** What rules that allow may have signed for a session; undefined: nothing. */
export function signingOf(rules: readonly Rule[], principal: Principal): SessionSigning | undefined {
  const own = rules.filter((rule) => rule.effect === 'allow' && isForSession(rule, principal));
  const conditions = own.flatMap(({ sign }) => (sign?.kind === 'objects' ? [sign] : []));
  const credential = own.find(({ sign }) => sign?.kind === 'objects')?.inject[0];
  const agent = agentOf(own);
  if (conditions.length === 0 && agent === undefined) return undefined;
  const kinds = (some: readonly ObjectCondition[]): readonly SignedKind[] => [
    ...new Set(some.flatMap(({ objects }) => objects)),
  ];
  return {
    // A policy that narrows names none.
    credential: conditions.length === 0 ? undefined : (credential ?? ''),
    objects: kinds(conditions),
    automatic: kinds(conditions.filter(({ isAutomatic }) => isAutomatic)),
    ...(agent === undefined ? {} : { agent }),
  };
}

function agentOf(rules: readonly Rule[]): AgentSigning | undefined {
  const own = rules.filter(({ sign }) => sign !== undefined && sign.kind !== 'objects');
  if (own.length === 0) return undefined;
  return {
    credentials: [...new Set(own.flatMap(({ inject }) => inject))],
    servers: own.flatMap(({ sign }) =>
      sign?.kind === 'log-in'
        ? (sign.hostKeys ?? []).map((hostKey) => ({ server: sign.server, hostKey }))
        : [],
    ),
  };
}

/** What both of them leave. */
export function bothSignings(
  own: SessionSigning | undefined,
  bound: SessionSigning | undefined,
): SessionSigning | undefined {
  if (own === undefined || bound === undefined) return undefined;
  const objects = own.objects.filter((one) => bound.objects.includes(one));
  // Which of its log-ins and hashes are left is decided where they are asked for.
  const agent = bound.agent === undefined ? undefined : own.agent;
  if (objects.length === 0 && agent === undefined) return undefined;
  const credential = objects.length === 0 ? undefined : own.credential;
  const automatic = own.automatic.filter((one) => objects.includes(one));
  return { credential, objects, automatic, ...(agent === undefined ? {} : { agent }) };
}
