// What the audit says of a request by git.

import { defaultLimits } from '../../protocol/limits.ts';
import type { GitFacts } from '../../api/audit-facts.ts';
import type { RequestHead } from '../../http/message-head.ts';
import type { RefUpdate } from '../../policy/git-commands.ts';
import { gitRequestOf } from '../../policy/git-request.ts';

/** Undefined for what is not smart HTTP of git. */
export function gitFacts(head: RequestHead, pushed?: readonly RefUpdate[]): GitFacts | undefined {
  const request = gitRequestOf(head);
  const [operation] = request?.operations ?? [];
  if (request === undefined || operation === undefined || !(request.isSmart || pushed !== undefined))
    return undefined;
  const { repository } = request;
  if (pushed === undefined) return { repository, operation };
  const refs = pushed.slice(0, defaultLimits.auditedRefsMax);
  const refsTotal = pushed.length > refs.length ? { refsTotal: pushed.length } : {};
  return { repository, operation, refs, ...refsTotal };
}
