// `upstreamproxy session`: who is connected, and ending a session from outside.

import { confirmChange } from '../../gateway/changes/confirm-change.ts';
import { revokeSession } from '../../gateway/sessions/revoke-session.ts';
import { type SessionSummary, summaryOf } from '../../gateway/sessions/session-summary.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { sessionDefinition } from '../commands/session-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { groupOf } from '../terminal/command.ts';
import { gatewayOfOptions } from '../gateway/gateway-configuration.ts';
import { openStoreToRead } from './operator-store.ts';
import { confirmationLine } from './confirmation-line.ts';
import { withOperatorDesk } from './operator-audit.ts';
import { jsonLine, noteFullList, printableText, textTable } from '../terminal/text-table.ts';

type Actions = (typeof sessionDefinition)['actions'];

async function list({ options }: Input<Actions[0]>): Promise<number> {
  const { all, number: limit, json } = options;
  await using store = await openStoreToRead(await gatewayOfOptions(options));
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
    try {
      await revokeSession({ sessions: store.sessions, operator, record }, id, { reason, nowMs: Date.now() });
    } catch (error) {
      const { code, message } = asProxyError(error);
      if (code !== 'session_unknown') throw error;
      throw new ProxyError(code, `${printableText(id)}: ${message}`);
    }
    if (!options.json) process.stdout.write(`revoked ${id}\n`);
    const confirmation = await confirmChange(store);
    process.stdout.write(
      options.json ? jsonLine({ id, state: 'revoked', ...confirmation }) : confirmationLine(confirmation),
    );
  });
  return 0;
}

export const sessionCommand = groupOf(sessionDefinition, { list, revoke });
