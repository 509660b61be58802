// Requests for access, and questions of rules: what workloads asked for, and what an operator makes of it.

import { coversRole } from '../../api/admin/roles.ts';
import type { OutputOf } from '../../api/admin/routes.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { closeAccess, type DecisionDesk, grantAccess, grantTerms } from '../access/decide-access.ts';
import { answerQuestion, closeQuestion } from '../access/decide-question.ts';
import { type AdminParts, type Asked, given, type Handlers } from './admin-parts.ts';
import { requireMatch } from './etag.ts';
import { mergedPage, placeOf, type SeenAccess, shownSeen } from './seen-access.ts';
import type { Operator } from './operator.ts';
import { placeOfCursor, seenList } from './seen-list.ts';
import { VisibleEvents } from './visible-events.ts';

type Access = OutputOf<'accessRequest'>;
type Closing = 'denyAccess' | 'revokeAccess';

export const accessOperations: Handlers<
  'accessRequests' | 'accessRequest' | 'grantAccess' | 'denyAccess' | 'revokeAccess' | 'decideQuestion'
> = {
  accessRequests: async (parts, { operator, nowMs, query: { state, session, before: cursor } }) => {
    await noteApprover(parts, operator, nowMs);
    const filter = { ...given('state', state), ...given('sessionId', session) };
    const visible = new VisibleEvents(operator, parts.store);
    const { items, next } = await seenList({
      page: (before, limit) => mergedPage(parts.store, { ...filter, ...given('before', before), limit }),
      placeOf,
      sees: async (one) =>
        (state === undefined || shownSeen(one, nowMs).state === state) && (await visible.sees(one.record)),
      before: await placeOfCursor(cursor, async (id) => placeOf(await findAccess(parts, operator, id))),
    });
    return { items: items.map((one) => shownSeen(one, nowMs)), ...given('next', next) };
  },
  accessRequest: async (parts, { operator, id, nowMs }) =>
    shownSeen(await findAccess(parts, operator, id), nowMs),
  grantAccess: async (parts, { operator, id, body, nowMs, ifMatch }) => {
    const { config } = parts;
    if (!config.access.enabled)
      throw new ProxyError(
        'state_changed',
        'access.enabled is false in the configuration, so no grant would hold',
      );
    const found = await findAccess(parts, operator, id);
    requireMatch(ifMatch, shownSeen(found, nowMs));
    if (found.kind === 'question')
      throw new ProxyError('state_changed', `${id} is a question of a rule: decide it, it cannot be granted`);
    const { record } = found;
    const { scope, subject = 'session', refs, seconds, note } = body;
    const maxMs = config.limits.accessGrantLifetimeMsMax;
    const terms = grantTerms(record, { scope, subject, refs, forMs: seconds * 1000 }, { nowMs, maxMs });
    // Whoever sees only some sessions cannot know that those of the principal are all theirs.
    if (subject === 'principal' && operator.sees !== undefined)
      throw new ProxyError('operator_refused', `${operator.name} may grant for one session only`);
    await settled(() => grantAccess(deskOf(parts, operator), { record, note, nowMs }, terms));
    return shownSeen(await findAccess(parts, operator, id), nowMs);
  },
  denyAccess: (parts, asked) => close(parts, asked, 'denied'),
  revokeAccess: (parts, asked) => close(parts, asked, 'revoked'),
  decideQuestion: async (parts, { operator, id, body, nowMs, ifMatch }) => {
    const found = await findAccess(parts, operator, id);
    if (found.kind === 'request')
      throw new ProxyError(
        'state_changed',
        `${id} is a request for access and no question: grant or deny it`,
      );
    requireMatch(ifMatch, shownSeen(found, nowMs));
    const { decision, note } = body;
    await answerQuestion(answerDeskOf(parts, operator), { record: found.record, nowMs, note }, decision);
    return shownSeen(await findAccess(parts, operator, id), nowMs);
  },
};

async function close(parts: AdminParts, asked: Asked<Closing>, to: 'denied' | 'revoked'): Promise<Access> {
  const { operator, id, body, nowMs, ifMatch } = asked;
  const found = await findAccess(parts, operator, id);
  requireMatch(ifMatch, shownSeen(found, nowMs));
  if (found.kind === 'question') {
    const input = { record: found.record, nowMs, ...body };
    const desk = answerDeskOf(parts, operator);
    await (to === 'denied' ? answerQuestion(desk, input, 'deny') : closeQuestion(desk, input));
  } else {
    const { record } = found;
    await settled(() => closeAccess(deskOf(parts, operator), { record, nowMs, ...body }, to));
  }
  return shownSeen(await findAccess(parts, operator, id), nowMs);
}

/** Whoever looks at what is open and may decide is there to be asked. */
async function noteApprover(
  { store }: AdminParts,
  { name, role, sees }: Operator,
  nowMs: number,
): Promise<void> {
  if (!coversRole(role, 'approver')) return;
  const untilMs = nowMs + defaultLimits.approverSeenMs;
  await store.questions.noteApprover({
    name,
    sees: sees === undefined ? undefined : JSON.stringify(sees),
    untilMs,
  });
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

function answerDeskOf({ store, record, config }: AdminParts, { name }: Operator) {
  return { questions: store.questions, operator: name, record, limits: config.limits };
}

/** One that is not theirs is as unknown as one that is not there. @throws ProxyError operation_unknown */
async function findAccess({ store }: AdminParts, operator: Operator, id: string): Promise<SeenAccess> {
  const visible = new VisibleEvents(operator, store);
  const found = await findEither(store, id);
  if (found === undefined || !(await visible.sees(found.record)))
    throw new ProxyError('operation_unknown', 'there is no request for access of that id');
  return found;
}

async function findEither(
  { access, questions }: AdminParts['store'],
  id: string,
): Promise<SeenAccess | undefined> {
  const request = await access.find(id);
  if (request !== undefined) return { kind: 'request', record: request };
  const question = await questions.find(id);
  return question === undefined ? undefined : { kind: 'question', record: question };
}
