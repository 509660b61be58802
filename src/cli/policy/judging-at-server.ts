// Policies asked by the admin API of a gateway elsewhere, which knows its credentials, sessions and what is in force.

import type { Of, OutputOf } from '../../api/admin/routes.ts';
import type { AuditEvent } from '../../api/audit-event.ts';
import type { RecordedDecision } from '../../gateway/policies/recorded-decision.ts';
import { formatAuthority, hostField } from '../../http/authority.ts';
import { mainName } from '../../policy/bound-policies.ts';
import { InvalidFilesError } from '../../policy/problem.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import type { AdminConnection } from '../../admin/admin-connection.ts';
import { toldResults } from '../../admin/told-results.ts';
import { lastOf } from '../operator/server-progress.ts';
import { headerField, requireWhole } from './explain-access.ts';
import type {
  AskedRequest,
  Asker,
  Checked,
  ExchangeExplained,
  Explained,
  JudgingBackend,
  PolicyWanted,
  ShownReplay,
} from './judging-backend.ts';
import { readTexts } from './policy-texts.ts';
import {
  decisionOf,
  exchangeOf,
  isTrace,
  policyGone,
  recordedNotes,
  sessionGone,
} from './recorded-exchange.ts';

/** `name`: which policy of the store, where the one in force is meant. */
export function judgingAtServer(connection: AdminConnection, name: string | undefined): JudgingBackend {
  return {
    check: (policy) => check(connection, policy),
    explain: (requests, policy, asker) => explainAll(connection, requests, { policy, asker }),
    explainExchange: (id) => explainExchange(connection, id),
    replay: (policy, fromMs, onSeen) => replay(connection, { policy, name, fromMs, onSeen }),
    compare: async (before, after) => {
      const body = {
        before: await eitherOf(connection, before, name),
        after: await eitherOf(connection, after, name),
      };
      const { text, ...machine } = await connection.ask('diffPolicy', { body });
      return { text, machine };
    },
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

async function check(connection: AdminConnection, policy: PolicyWanted): Promise<Checked> {
  const paths = policy.kind === 'files' ? policy.paths : [];
  if (paths.length === 0) throw new ProxyError('usage', 'which policy? name a file or folder');
  const files = await readTexts(paths);
  const { ok, version = '', rules = 0, problems } = await connection.ask('checkPolicy', { body: { files } });
  if (ok) return { version, rules, warnings: problems };
  throw new InvalidFilesError(
    problems.map(({ file = 'policy', line = 1, column = 1, severity, message }) => ({
      file,
      line,
      column,
      severity,
      message,
    })),
  );
}

type Either = Of<'replayPolicy', 'body'>;

/** A policy as the API takes it. */
async function eitherOf(
  connection: AdminConnection,
  policy: PolicyWanted,
  name: string | undefined,
): Promise<Pick<Either, 'version' | 'files'>> {
  switch (policy.kind) {
    case 'files':
      return { files: [...(await readTexts(policy.paths))] };
    case 'version':
      return { version: policy.number === undefined ? policy.policy : `${policy.policy}@${policy.number}` };
    case 'in-force': {
      const { mode } = await connection.ask('policy');
      if (mode === 'store') return { version: name ?? mainName };
      const { files } = await connection.ask('policyText');
      if (files.length > 0) return { files: files.map(({ name: file, text }) => ({ name: file, text })) };
      throw new ProxyError('usage', `that gateway has no policy of its own (${mode}); name a file`);
    }
  }
}

type ExplainBody = Of<'explainPolicy', 'body'>;

async function explainAll(
  connection: AdminConnection,
  requests: readonly AskedRequest[],
  { policy, asker }: { readonly policy: PolicyWanted; readonly asker: Asker },
): Promise<readonly Explained[]> {
  const files = policy.kind === 'files' ? { files: [...(await readTexts(policy.paths))] } : {};
  const found: Explained[] = [];
  for (const request of requests) {
    const { claims, posture } = asker;
    const body = { ...bodyOf(request), ...files, claims, posture: [...posture] };
    found.push(shown(await connection.ask('explainPolicy', { body })));
  }
  return found;
}

function bodyOf({ method, url, fields = [], body, pushed, pushOptions = [] }: AskedRequest): ExplainBody {
  requireWhole(url);
  return {
    method,
    url,
    headers: fields.map((field): [string, string] => [...headerField(field)]),
    ...(body === undefined ? {} : { bodyBase64: body.toString('base64') }),
    ...(pushed === undefined ? {} : { pushed: [...pushed], pushOptions: [...pushOptions] }),
  };
}

function shown(told: OutputOf<'explainPolicy'>): Explained {
  const { request, policy, effect, rule, policyName, place, body, reason, inject, steps, text } = told;
  const decision = {
    effect,
    rule: {
      name: rule,
      ...(place === undefined ? {} : { place }),
      ...(policyName === undefined ? {} : { policy: policyName }),
    },
    ...(reason === undefined ? {} : { reason }),
    ...(effect === 'allow' ? { inject: inject.map((credential) => ({ credential })) } : {}),
  };
  return {
    request,
    policy,
    isAllowed: effect === 'allow',
    text,
    machine: machineOf(request, body, { decision, steps }),
  };
}

function machineOf(request: string, body: string | undefined, rest: object): object {
  return { request, ...(body === undefined ? {} : { body }), ...rest };
}

async function explainExchange(connection: AdminConnection, id: string): Promise<ExchangeExplained> {
  const event = await findEvent(connection, id);
  const recorded = decisionOf(event);
  const notes = [...recordedNotes(recorded)];
  const body = { ...recordedBody(recorded), at: event.time };
  const version = event.policyVersion === undefined ? {} : { version: event.policyVersion };
  const { sessionId } = event;
  const ask = (who: Pick<ExplainBody, 'session'>) =>
    connection.ask('explainPolicy', { body: { ...body, ...version, ...who } });
  const told = await ask(sessionId === undefined ? {} : { session: sessionId }).catch(
    async (error: unknown) => {
      // Not even the event of its enrolment is kept. Who sees only some sessions was told of no such exchange.
      if (sessionId === undefined || asProxyError(error).code !== 'operation_unknown') throw error;
      notes.push(sessionGone);
      return await ask({});
    },
  );
  const { machine, ...explained } = shown(told);
  if (explained.policy !== event.policyVersion) notes.push(policyGone(explained.policy));
  return { ...explained, event, notes, machine: { event: event.id, notes, ...machine } };
}

async function findEvent(connection: AdminConnection, id: string): Promise<AuditEvent> {
  if (!isTrace(id)) return await connection.ask('exchange', { id });
  const { items } = await connection.ask('exchanges', { query: { trace: id, count: '10' } });
  return exchangeOf(items, id);
}

/** What was decided about, as a question. */
function recordedBody({ access }: RecordedDecision): ExplainBody {
  if (access.depth === 'connect') return { method: 'CONNECT', url: formatAuthority(access.destination) };
  const { method, path, query, pushed, pushOptions = [] } = access;
  const url = `${access.destination.scheme}://${hostField(access.destination)}${path}${query}`;
  return {
    method,
    url,
    ...(pushed === undefined || pushed.length === 0
      ? {}
      : { pushed: [...pushed], pushOptions: [...pushOptions] }),
  };
}

interface ReplayAsked {
  readonly policy: PolicyWanted;
  readonly name: string | undefined;
  readonly fromMs: number | undefined;
  readonly onSeen: (events: number) => void;
}

async function replay(
  connection: AdminConnection,
  { policy, name, fromMs, onSeen }: ReplayAsked,
): Promise<ShownReplay> {
  const body = {
    ...(await eitherOf(connection, policy, name)),
    ...(fromMs === undefined ? {} : { since: new Date(fromMs).toISOString() }),
  };
  const { policy: policyVersion, ...result } = await lastOf(
    toldResults(connection, 'replayWhole', { body }),
    ({ result: one }) => one,
    onSeen,
  );
  return { policyVersion, ...result };
}
