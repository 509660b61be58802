// Operator commands in the store of a gateway on this machine, whether it runs or not.

import { adminRoles } from '../../api/admin/roles.ts';
import {
  closeAccess,
  type DecisionInput,
  grantAccess,
  grantTerms,
} from '../../gateway/access/decide-access.ts';
import {
  makeOperatorToken,
  revokeOperatorToken,
  type TokenDesk,
} from '../../gateway/admin/operator-tokens.ts';
import { answerQuestion } from '../../gateway/access/decide-question.ts';
import { mergedPage, shownSeen } from '../../gateway/admin/seen-access.ts';
import { confirmChange } from '../../gateway/changes/confirm-change.ts';
import type { GatewayConfig } from '../../gateway/config/config.ts';
import { type Forgotten, forgetSeen, type ForgetWish } from '../../gateway/packages/forget-seen.ts';
import { revokeSession } from '../../gateway/sessions/revoke-session.ts';
import { type SessionSummary, summaryOf } from '../../gateway/sessions/session-summary.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { auditCursor, placeOfAuditCursor } from '../../store/audit-cursor.ts';
import type { StoredOperatorToken } from '../../store/operator-store.ts';
import type { Store } from '../../store/store.ts';
import { printableText } from '../terminal/text-table.ts';
import { bodiesHere } from './bodies-here.ts';
import { openOperatorDesk, type OperatorDesk } from './operator-audit.ts';
import { byTimeLeft } from './question-order.ts';
import type { OperatorBackend, ShownQuestion, ShownToken } from './operator-backend.ts';
import { openStoreToRead } from './operator-store.ts';

/** Events that are looked at by one question to the store. */
const lookBatch = 10_000;
/** Events of a page in the order of time: some of two kilobytes each. */
const periodEvents = 1000;

/** `write`: its audit is opened too. */
export async function openStoreBackend(
  config: GatewayConfig,
  access: 'read' | 'write',
): Promise<OperatorBackend> {
  if (access === 'read') {
    const store = await openStoreToRead(config);
    const refuse = (): Promise<never> =>
      Promise.reject(new ProxyError('internal', 'the store was opened to be read'));
    return backendOf(config, { store, operator: '', record: refuse }, store);
  }
  const desk = await openOperatorDesk(config);
  return backendOf(config, desk, desk);
}

function backendOf(config: GatewayConfig, desk: OperatorDesk, owned: AsyncDisposable): OperatorBackend {
  const { store, operator, record } = desk;
  const tokenDesk: TokenDesk = { operators: store.operators, operator, record };
  return {
    sessions: (asked) => sessionsOf(store, asked),
    revokeSession: (id, reason) => endSession(desk, id, reason),
    accessRequests: (asked) => store.access.list(asked),
    questions: ({ isHere }) => questionsOf(store, isHere ? operator : undefined),
    answerQuestion: async (id, decision, note) => {
      const question = await store.questions.find(id);
      if (question === undefined)
        throw new ProxyError('access_unknown', `there is no question ${printableText(id)}`);
      const answers = { questions: store.questions, operator, record, limits: config.limits };
      await answerQuestion(answers, { record: question, note, nowMs: Date.now() }, decision);
    },
    grantAccess: async (id, { note, ...wish }) => {
      if (!config.access.enabled)
        throw new ProxyError(
          'config_invalid',
          'access.enabled is false in the configuration, so no grant would hold',
        );
      const decision = await decisionOf(store, id, note);
      const at = { nowMs: decision.nowMs, maxMs: config.limits.accessGrantLifetimeMsMax };
      const terms = grantTerms(decision.record, wish, at);
      return await grantAccess({ access: store.access, operator, record }, decision, terms);
    },
    closeAccess: async (id, to, note) =>
      await closeAccess({ access: store.access, operator, record }, await decisionOf(store, id, note), to),
    tokens: async () => (await store.operators.list(Date.now())).map(shownToken),
    makeToken: async (asked) => (await makeOperatorToken(tokenDesk, asked, Date.now())).token,
    revokeToken: async (id) => (await revokeOperatorToken(tokenDesk, id, Date.now())).name,
    events: async (asked, limit, beforeId) => {
      const before = beforeId === undefined ? {} : { beforeId };
      return await store.audit.search({ ...asked, ...before, limit, lookMax: lookBatch });
    },
    eventsBehind: (asked, sinceId, limit) =>
      store.audit.query({ ...asked, limit, ...(sinceId === undefined ? {} : { sinceId }) }),
    eventsInTime: async (asked, behind) => {
      const place = behind === undefined ? undefined : placeOfAuditCursor(behind);
      const { events, next } = await store.audit.period({ ...asked, behind: place, limit: periodEvents });
      return { events, next: next === undefined ? undefined : auditCursor(next) };
    },
    bodies: (id) => bodiesHere(config, desk, id),
    forgetSeen: (wish) => forgetHere(desk, wish),
    confirm: () => confirmChange(store),
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

async function questionsOf(
  { access, questions }: Store,
  approver: string | undefined,
): Promise<readonly ShownQuestion[]> {
  const nowMs = Date.now();
  if (approver !== undefined)
    await questions.noteApprover({
      name: approver,
      sees: undefined,
      untilMs: nowMs + defaultLimits.approverSeenMs,
    });
  const asked = await mergedPage(
    { access, questions },
    { state: 'pending', limit: defaultLimits.adminListedMax },
  );
  const shown = asked.map((one) => shownSeen(one, nowMs));
  return byTimeLeft(shown.filter(({ kind, state }) => kind === 'question' && state === 'pending'));
}

async function sessionsOf(
  store: Store,
  { all, limit }: { readonly all: boolean; readonly limit: number },
): Promise<readonly SessionSummary[]> {
  const nowMs = Date.now();
  const sessions = await store.sessions.list({ limit, ...(all ? {} : { living: true }) });
  const summaries: SessionSummary[] = [];
  for (const session of sessions)
    summaries.push(summaryOf(session, await store.presence.of(session.id), nowMs));
  return summaries;
}

async function endSession(
  { store, operator, record }: OperatorDesk,
  id: string,
  reason: string,
): Promise<void> {
  try {
    await revokeSession({ sessions: store.sessions, operator, record }, id, { reason, nowMs: Date.now() });
  } catch (error) {
    const { code, message } = asProxyError(error);
    if (code !== 'session_unknown') throw error;
    throw new ProxyError(
      code,
      `${printableText(id)}: ${message}; \`upstreamproxy session list --all\` shows those that the store has`,
    );
  }
}

/** @throws ProxyError usage for a login that leaves its acts in the store: none of them is this one */
async function forgetHere({ store, operator, record }: OperatorDesk, wish: ForgetWish): Promise<Forgotten> {
  if (store.actsAs !== undefined && !wish.dry)
    throw new ProxyError(
      'usage',
      'a login of its own cannot record that it forgets; ask the admin API for it, by --server or --context',
    );
  return await forgetSeen({ firstSeen: store.firstSeen, operator, record }, wish, Date.now());
}

async function decisionOf(store: Store, id: string, note: string | undefined): Promise<DecisionInput> {
  const record = await store.access.find(id);
  if (record === undefined)
    throw new ProxyError('access_unknown', `there is no request for access ${printableText(id)}`);
  return { record, note, nowMs: Date.now() };
}

function shownToken(token: StoredOperatorToken): ShownToken {
  const { id, name, sees, role, createdMs, createdBy, expiresMs, usedMs } = token;
  return {
    id,
    name,
    sees,
    createdBy,
    role: adminRoles.find((one) => one === role) ?? 'unknown',
    created: new Date(createdMs).toISOString(),
    expires: new Date(expiresMs).toISOString(),
    lastUsed: usedMs === undefined ? undefined : new Date(usedMs).toISOString(),
  };
}
