// `upstreamproxy session`: who is connected, and ending a session from outside.

import { principalOf } from '../../gateway/sessions/session-authenticator.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { openStore } from '../../store/open-store.ts';
import type { SessionPresence, SessionRecord } from '../../store/store.ts';
import { sessionDefinition } from '../commands/session-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { groupOf } from '../terminal/command.ts';
import { gatewayOfOptions } from '../gateway/gateway-configuration.ts';
import { withOperatorDesk } from './operator-audit.ts';
import { jsonLine, noteFullList, printableText, textTable } from '../terminal/text-table.ts';

/** What is shown of a session. */
export interface SessionSummary {
  readonly id: string;
  readonly principal: string;
  /** What `policy explain --claims` takes. */
  readonly claims: Readonly<Record<string, unknown>>;
  readonly state: string;
  readonly created: string;
  readonly lastSeen: string | undefined;
  readonly tunnels: number;
  readonly posture: readonly string[];
  readonly expires: string;
  readonly policy: string | undefined;
  readonly reason: string | undefined;
}

export function summaryOf(
  session: SessionRecord,
  presences: readonly SessionPresence[],
  nowMs: number,
): SessionSummary {
  const { id, principalId, claims, state, enrolledMs, committedMs, endsMs, overMs, reason } = session;
  const [newest] = presences.toSorted((a, b) => b.seenMs - a.seenMs);
  const isOver = overMs !== undefined;
  const tunnels = presences
    .filter(({ seenMs }) => !isOver && nowMs - seenMs <= defaultLimits.presenceAgeMsMax)
    .reduce((sum, presence) => sum + presence.tunnels, 0);
  const seenMs = Math.max(newest?.seenMs ?? 0, committedMs ?? enrolledMs);
  return {
    id,
    principal: principalId,
    claims,
    state,
    created: new Date(enrolledMs).toISOString(),
    lastSeen: new Date(isOver ? Math.min(seenMs, overMs) : seenMs).toISOString(),
    tunnels,
    posture: principalOf(session).posture,
    expires: new Date(endsMs).toISOString(),
    policy: newest?.policyVersion,
    reason,
  };
}

type Actions = (typeof sessionDefinition)['actions'];

async function list({ options }: Input<Actions[0]>): Promise<number> {
  const { all, number: limit, json } = options;
  await using store = await openStore((await gatewayOfOptions(options)).store);
  const nowMs = Date.now();
  const sessions = await store.sessions.list({ limit, ...(all ? {} : { living: true }) });
  noteFullList(sessions.length, limit);
  const summaries: SessionSummary[] = [];
  for (const session of sessions)
    summaries.push(summaryOf(session, await store.presence.of(session.id), nowMs));
  if (json) {
    process.stdout.write(summaries.map(jsonLine).join(''));
    return 0;
  }
  const title = [
    'id',
    'principal',
    'state',
    'created',
    'last seen',
    'tunnels',
    'expires',
    'policy',
    'posture',
  ];
  const rows = summaries.map(
    ({ id, principal, state, created, lastSeen, tunnels, expires, policy, posture }) => [
      id,
      principal,
      state,
      shortTime(created),
      shortTime(lastSeen ?? '-'),
      String(tunnels),
      shortTime(expires),
      policy ?? '-',
      posture.length === 0 ? 'nothing holds' : posture.join(','),
    ],
  );
  process.stdout.write(textTable([title, ...rows]));
  return 0;
}

/** To the second, in UTC. */
function shortTime(time: string): string {
  return time.replace(/\.\d{3}Z$/, 'Z');
}

async function revoke({ options, arguments: { ID: id } }: Input<Actions[1]>): Promise<number> {
  const reason = (options.reason ?? 'an operator revoked it').slice(0, 1000);
  await withOperatorDesk(await gatewayOfOptions(options), async ({ store, operator, record }) => {
    const session = await store.sessions.find(id);
    const nowMs = Date.now();
    const ended = await store.sessions.end(id, { state: 'revoked', reason }, nowMs);
    if (session === undefined || !ended) {
      const why =
        session === undefined ? 'there is no such session' : `the session is over: ${session.reason}`;
      throw new ProxyError('session_unknown', `${printableText(id)}: ${why}`);
    }
    // The session ends first: an audit that fails must not keep it alive.
    await record({
      action: 'revoked',
      nowMs,
      sessionId: id,
      principal: session.principalId,
      message: `The session was revoked: ${reason}.`,
      details: { operator },
    });
  });
  process.stdout.write(`revoked ${id}\n`);
  return 0;
}

export const sessionCommand = groupOf(sessionDefinition, { list, revoke });
