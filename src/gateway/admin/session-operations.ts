// Sessions: who is connected, and ending one.

import type { OutputOf } from '../../api/admin/routes.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { ListPlace } from '../../store/list-place.ts';
import type { SessionRecord } from '../../store/store.ts';
import { revokeSession } from '../sessions/revoke-session.ts';
import { summaryOf } from '../sessions/session-summary.ts';
import { type AdminParts, given, type Handlers, isoTime } from './admin-parts.ts';
import { isSeen, type Operator } from './operator.ts';
import { requireMatch } from './etag.ts';
import { placeOfCursor, seenList } from './seen-list.ts';

type Session = OutputOf<'session'>;

export const sessionOperations: Handlers<'sessions' | 'session' | 'sessionLeases' | 'revokeSession'> = {
  sessions: async (parts, { operator, query, nowMs }) => {
    const { sessions } = parts.store;
    const living = query.all === 'true' ? {} : { living: true };
    const placeOf = ({ enrolledMs, id }: SessionRecord): ListPlace => ({ ms: enrolledMs, id });
    const found = await seenList({
      page: (before, limit) => sessions.list({ ...living, ...given('before', before), limit }),
      placeOf,
      sees: ({ claims }) => isSeen(operator, claims),
      before: await placeOfCursor(query.before, async (id) =>
        placeOf(await findSession(parts, operator, id)),
      ),
    });
    const items: Session[] = [];
    for (const session of found.items) items.push(await shownSession(parts, session, nowMs));
    return { items, ...given('next', found.next) };
  },
  session: async (parts, { operator, id, nowMs }) =>
    await shownSession(parts, await findSession(parts, operator, id), nowMs),
  sessionLeases: async (parts, { operator, id }) => {
    const { above } = await findSession(parts, operator, id);
    const { leasesPerSessionMax } = parts.config.limits;
    const found = await parts.store.leases.ofSession(above?.[0] ?? id, leasesPerSessionMax);
    return {
      items: found.map(({ credential, state, askedMs, endsMs, attempts }) =>
        Object.assign(
          { credential, state, asked: isoTime(askedMs), attempts },
          given('expires', endsMs === undefined ? undefined : isoTime(endsMs)),
        ),
      ),
    };
  },
  revokeSession: async (parts, { operator, id, body, nowMs, ifMatch }) => {
    const session = await findSession(parts, operator, id);
    requireMatch(ifMatch, await shownSession(parts, session, nowMs));
    const { store, record } = parts;
    const { reason = 'an operator revoked it' } = body;
    const desk = { sessions: store.sessions, operator: operator.name, record };
    await revokeSession(desk, id, { reason, nowMs }).catch((error: unknown) => {
      // Known, seen, and over: it cannot be ended once more.
      if (error instanceof ProxyError && error.code === 'session_unknown')
        throw new ProxyError('state_changed', error.message);
      throw error;
    });
    return await shownSession(parts, await findSession(parts, operator, id), nowMs);
  },
};

/** A session that is not theirs is as unknown as one that is not there. @throws ProxyError operation_unknown */
async function findSession({ store }: AdminParts, operator: Operator, id: string): Promise<SessionRecord> {
  const session = await store.sessions.find(id);
  if (session === undefined || !isSeen(operator, session.claims)) throw unknownSession();
  return session;
}

export function unknownSession(): ProxyError {
  return new ProxyError('operation_unknown', 'there is no session of that id');
}

async function shownSession({ store }: AdminParts, session: SessionRecord, nowMs: number): Promise<Session> {
  const summary = summaryOf(session, await store.presence.of(session.id), nowMs);
  const { id, principal, claims, created, lastSeen, tunnels, posture, expires, policy, reason } = summary;
  const { state, agentVersion, overMs } = session;
  return {
    id,
    principal,
    claims,
    state,
    created,
    tunnels,
    posture,
    way: session.posture.tokenInContainer === true ? 'proxy' : 'agent',
    agentVersion,
    expires,
    notes: session.posture.notes,
    ...given('lastSeen', lastSeen),
    ...given('ended', overMs === undefined ? undefined : isoTime(overMs)),
    ...given('policy', policy),
    ...given('reason', reason),
  };
}
