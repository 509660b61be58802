// What each key of the filter stands for in an event: one reading for tests and for completion.

import type { AuditEvent } from '../../api/audit-event.ts';
import type { FilterKey } from './filter-keys.ts';

export type Field = string | number | readonly string[] | undefined;

/** Times and traces are looked at in ways of their own. */
export const eventFields: Readonly<
  Record<Exclude<FilterKey, 'since' | 'until' | 'trace'>, (event: AuditEvent) => Field>
> = {
  verdict: ({ verdict }) => verdict,
  kind: ({ kind }) => kind,
  action: ({ action }) => action,
  host: ({ host }) => host,
  // Rules look at a path without its query, and so may a filter.
  path: ({ path }) => (path?.includes('?') === true ? [path, path.slice(0, path.indexOf('?'))] : path),
  method: ({ method }) => method,
  status: ({ status }) => status,
  rule: ({ rule }) => rule,
  credential: ({ injected }) => injected,
  session: ({ sessionId }) => sessionId,
  principal: ({ principal }) => principal,
  error: ({ errorCode }) => errorCode,
  limit: ({ limit }) => limit,
  policy: ({ policyVersion }) => policyVersion,
  observed: ({ observed }) => observed,
  'git.repository': ({ git }) => git?.repository,
  'git.ref': ({ git }) => git?.refs?.map(({ ref }) => ref),
  sent: ({ requestBytes }) => requestBytes,
  received: ({ responseBytes }) => responseBytes,
  took: ({ durationMs }) => durationMs,
  address: ({ address }) => address,
};
