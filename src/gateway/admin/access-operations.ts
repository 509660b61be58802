// Requests for access: what workloads asked for, and what an operator makes of it.

import type { OutputOf } from '../../api/admin/routes.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { AccessRecord } from '../../store/access-store.ts';
import type { ListPlace } from '../../store/list-place.ts';
import { closeAccess, type DecisionDesk, grantAccess, grantTerms } from '../access/decide-access.ts';
import { type AdminParts, type Asked, given, type Handlers, isoTime } from './admin-parts.ts';
import { requireMatch } from './etag.ts';
import type { Operator } from './operator.ts';
import { placeOfCursor, seenList } from './seen-list.ts';
import { VisibleEvents } from './visible-events.ts';

type Access = OutputOf<'accessRequest'>;
type Closing = 'denyAccess' | 'revokeAccess';

export const accessOperations: Handlers<
  'accessRequests' | 'accessRequest' | 'grantAccess' | 'denyAccess' | 'revokeAccess' | 'decideQuestion'
> = {
  accessRequests: async (parts, { operator, query: { state, session, before: cursor } }) => {
    const { access } = parts.store;
    const filter = { ...given('state', state), ...given('sessionId', session) };
    const visible = new VisibleEvents(operator, parts.store);
    const placeOf = ({ createdMs, id }: AccessRecord): ListPlace => ({ ms: createdMs, id });
    const { items, next } = await seenList({
      page: (before, limit) => access.list({ ...filter, ...given('before', before), limit }),
      placeOf,
      sees: (record) => visible.sees(record),
      before: await placeOfCursor(cursor, async (id) => placeOf(await findAccess(parts, operator, id))),
    });
    return { items: items.map(shownAccess), ...given('next', next) };
  },
  accessRequest: async (parts, { operator, id }) => shownAccess(await findAccess(parts, operator, id)),
  grantAccess: async (parts, { operator, id, body, nowMs, ifMatch }) => {
    const { config } = parts;
    if (!config.access.enabled)
      throw new ProxyError(
        'state_changed',
        'access.enabled is false in the configuration, so no grant would hold',
      );
    const record = await findAccess(parts, operator, id);
    requireMatch(ifMatch, shownAccess(record));
    const { scope, subject = 'session', refs, seconds, note } = body;
    const maxMs = config.limits.accessGrantLifetimeMsMax;
    const terms = grantTerms(record, { scope, subject, refs, forMs: seconds * 1000 }, { nowMs, maxMs });
    // Whoever sees only some sessions cannot know that those of the principal are all theirs.
    if (subject === 'principal' && operator.sees !== undefined)
      throw new ProxyError('operator_refused', `${operator.name} may grant for one session only`);
    await settled(() => grantAccess(deskOf(parts, operator), { record, note, nowMs }, terms));
    return shownAccess(await findAccess(parts, operator, id));
  },
  denyAccess: (parts, asked) => close(parts, asked, 'denied'),
  revokeAccess: (parts, asked) => close(parts, asked, 'revoked'),
  decideQuestion: async (parts, { operator, id }) => {
    const record = await findAccess(parts, operator, id);
    // No rule holds a request back: whatever is here is refused already, and nobody waits.
    throw new ProxyError(
      'state_changed',
      `${record.id} is a request for access and no question: grant or deny it`,
    );
  },
};

async function close(parts: AdminParts, asked: Asked<Closing>, to: 'denied' | 'revoked'): Promise<Access> {
  const { operator, id, body, nowMs, ifMatch } = asked;
  const record = await findAccess(parts, operator, id);
  requireMatch(ifMatch, shownAccess(record));
  await settled(() => closeAccess(deskOf(parts, operator), { record, nowMs, ...body }, to));
  return shownAccess(await findAccess(parts, operator, id));
}

/** A request that is known, and in another state than it must be. */
async function settled(act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (error instanceof ProxyError && error.code === 'access_unknown')
      throw new ProxyError('state_changed', error.message);
    throw error;
  }
}

function deskOf({ store, record }: AdminParts, { name }: Operator): DecisionDesk {
  return { access: store.access, operator: name, record };
}

/** One that is not theirs is as unknown as one that is not there. @throws ProxyError operation_unknown */
async function findAccess({ store }: AdminParts, operator: Operator, id: string): Promise<AccessRecord> {
  const record = await store.access.find(id);
  const visible = new VisibleEvents(operator, store);
  if (record === undefined || !(await visible.sees(record)))
    throw new ProxyError('operation_unknown', 'there is no request for access of that id');
  return record;
}

function shownAccess(record: AccessRecord): Access {
  const { id, sessionId, principalId, state, scheme, host, port, method, path, reason, traceId } = record;
  const { createdMs, pendingUntilMs, decidedMs, note, terms } = record;
  return {
    id,
    session: sessionId,
    principal: principalId,
    state,
    reason,
    asked: { scheme, host, port, ...given('method', method), ...given('path', path) },
    created: isoTime(createdMs),
    pendingUntil: isoTime(pendingUntilMs),
    ...given('trace', traceId),
    ...given('decided', decidedMs === undefined ? undefined : isoTime(decidedMs)),
    ...given('note', note),
    ...(terms === undefined
      ? {}
      : {
          terms: {
            scope: terms.scope,
            subject: terms.subject,
            ...given('refs', terms.refs),
            ends: isoTime(terms.endsMs),
          },
        }),
  };
}
