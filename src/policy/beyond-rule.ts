// What a request that a rule allows gets because of more than that rule: what rules that deny have to see of it, the package that it is for, and what it awaits.

import type { AccessRequest, AllowDecision } from './decision.ts';
import { opensGraphqlSocket } from './graphql-rule.ts';
import type { Rule } from './rule.ts';

interface Seen {
  readonly allow: Rule | undefined;
  readonly seesMessages: boolean;
  readonly readsOperations: boolean;
  /** The package that it is for. */
  readonly fetched: Pick<AllowDecision, 'package' | 'registryFile'>;
}

type Awaited = Pick<AllowDecision, 'awaits' | 'awaitsOnTrial' | 'awaitsOf'>;

/** `awaits` itself where it gets no more. */
export function moreOf(
  { allow, seesMessages, readsOperations, fetched }: Seen,
  awaits: Awaited,
  access: AccessRequest,
): Awaited & Pick<AllowDecision, 'showsLists' | 'readsOperations' | 'package'> {
  const isOfSocket = access.depth === 'request' && allow?.graphql !== undefined && opensGraphqlSocket(access);
  const operations = operationsOf({ readsOperations: readsOperations || isOfSocket });
  const seesPackage = fetched.package !== undefined || fetched.registryFile !== undefined;
  if (!seesMessages && operations.readsOperations === undefined && !seesPackage) return awaits;
  return { ...(seesMessages ? { showsLists: true } : {}), ...operations, ...fetched, ...awaits };
}

export function operationsOf({
  readsOperations,
}: Pick<Seen, 'readsOperations'>): Pick<AllowDecision, 'readsOperations'> {
  return readsOperations ? { readsOperations: true } : {};
}
