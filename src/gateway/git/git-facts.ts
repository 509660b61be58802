// What the audit says of a request by git.

import { defaultLimits } from '../../protocol/limits.ts';
import type { GitFacts } from '../../api/audit-facts.ts';
import type { RequestHead } from '../../http/message-head.ts';
import type { PushCommands } from '../../policy/git-commands.ts';
import { gitRequestOf } from '../../policy/git-request.ts';

/** What was read of a push. */
export type ReadPush = Pick<PushCommands, 'updates' | 'options'>;

/** Undefined for what is not smart HTTP of git. */
export function gitFacts(head: RequestHead, pushed?: ReadPush): GitFacts | undefined {
  const request = gitRequestOf(head);
  const [operation] = request?.operations ?? [];
  if (request === undefined || operation === undefined || !(request.isSmart || pushed !== undefined))
    return undefined;
  return factsOfGit({ repository: request.repository, operation }, pushed);
}

export function factsOfGit(
  { repository, operation }: Pick<GitFacts, 'repository' | 'operation'>,
  pushed?: ReadPush,
): GitFacts {
  if (pushed === undefined) return { repository, operation };
  const { updates, options } = pushed;
  const refs = updates.slice(0, defaultLimits.auditedRefsMax);
  const refsTotal = updates.length > refs.length ? { refsTotal: updates.length } : {};
  const facts = { repository, operation, refs, ...refsTotal };
  if (options.length === 0) return facts;
  const shown = options.slice(0, defaultLimits.auditedRefsMax);
  const optionsTotal = options.length > shown.length ? { optionsTotal: options.length } : {};
  return { ...facts, options: shown, ...optionsTotal };
}
