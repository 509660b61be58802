// `upstreamproxy access`: what workloads asked for, and what the operator decides.

import { describeAsked } from '../../gateway/access/access-request.ts';
import type { GatewayConfig } from '../../gateway/config/config.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { AccessRecord, AccessScope, AccessState, AccessTerms } from '../../store/access-store.ts';
import { openStore } from '../../store/open-store.ts';
import { choiceOption, numberOption, parseOptions, type Command } from '../terminal/command.ts';
import { durationOption } from '../terminal/duration.ts';
import {
  gatewayOfOptions,
  gatewayPlaceOptions,
  gatewayPlaceUsage,
} from '../gateway/gateway-configuration.ts';
import { withOperatorDesk, type OperatorDesk } from './operator-audit.ts';
import { jsonLine, noteFullList, printableText, textTable } from '../terminal/text-table.ts';

const usage = `upstreamproxy access list --config FILE [--all] [--json]
  lists what waits for a decision, and the grants in force

upstreamproxy access grant ID --for 15m --config FILE [--scope exact|path|host] [--principal] [--note TEXT]
upstreamproxy access deny ID --config FILE [--note TEXT]
upstreamproxy access revoke ID --config FILE [--note TEXT]
  decide; the note is told to the workload

A grant opens what was asked for and nothing else: no credential, no private address, and nothing that a rule denies.
The reasons are the words of workloads, which may be written to mislead.

${gatewayPlaceUsage}  --for DURATION        how long: 90s, 15m, 2h; at most a day
  --scope SCOPE         exact: the path that was asked for (default); path: it and all below; host: every path
  --principal           for every session of the principal, not only the one that asked
  --all                 list: decided and ended ones too
  -n, --number N        list: how many at most; default 100
  --json                list: one JSON object a line
`;

interface Values {
  readonly for?: string | undefined;
  readonly scope?: string | undefined;
  readonly principal?: boolean | undefined;
  readonly note?: string | undefined;
}

const noteCharactersMax = 1000;
const scopes = ['exact', 'path', 'host'] as const satisfies readonly AccessScope[];

async function list(
  config: GatewayConfig,
  options: { all: boolean; limit: number; json: boolean },
): Promise<void> {
  const { all, limit, json } = options;
  await using store = await openStore(config.store);
  const open: readonly AccessState[] = ['pending', 'granted'];
  const lists = all
    ? [await store.access.list({ limit })]
    : await Promise.all(open.map((state) => store.access.list({ state, limit })));
  noteFullList(Math.max(...lists.map((list) => list.length)), limit);
  const records = lists.flat();
  if (json) {
    process.stdout.write(records.map(jsonLine).join(''));
    return;
  }
  const title = ['id', 'state', 'asked', 'request', 'scope', 'ends', 'principal', 'reason'];
  process.stdout.write(textTable([title, ...records.map(rowOf)]));
}

function rowOf(record: AccessRecord): readonly string[] {
  const { id, state, createdMs, principalId, reason, terms } = record;
  const time = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
  const scope =
    terms === undefined ? '-' : `${terms.scope}${terms.subject === 'principal' ? ', principal' : ''}`;
  const ends = terms === undefined ? '-' : time(terms.endsMs);
  return [id, state, time(createdMs), describeAsked(record), scope, ends, principalId, reason];
}

/** The terms of a grant. Throws `usage` for those that the request cannot have. */
function termsOf(record: AccessRecord, values: Values, at: { nowMs: number; maxMs: number }): AccessTerms {
  if (values.for === undefined) throw new ProxyError('usage', 'for how long? --for 15m');
  const hasPath = record.path !== undefined;
  const scope = values.scope === undefined && !hasPath ? 'host' : choiceOption('scope', values.scope, scopes);
  if (!hasPath && scope !== 'host') {
    throw new ProxyError('usage', `the request asks for all of ${record.host}: --scope host, or deny it`);
  }
  const subject = values.principal === true ? 'principal' : 'session';
  return { scope, subject, endsMs: at.nowMs + durationOption('for', values.for, at.maxMs) };
}

interface Decision {
  readonly desk: OperatorDesk;
  readonly record: AccessRecord;
  readonly values: Values;
  readonly nowMs: number;
}

async function grant({ desk, record, values, nowMs }: Decision, maxMs: number): Promise<string> {
  const { id } = record;
  const terms = termsOf(record, values, { nowMs, maxMs });
  if (!['pending', 'denied', 'granted'].includes(record.state)) throw wrongState(record, 'granted');
  const asked = describeAsked(record);
  const ends = new Date(terms.endsMs).toISOString();
  const message = `Access ${id} was granted until ${ends}: ${asked}, scope ${terms.scope}, for the ${terms.subject}.`;
  // Stored first: no grant without its event.
  await desk.record({ ...stepOf('access_granted', { desk, record, values, nowMs }), message });
  if (!(await desk.store.access.grant(id, terms, decisionOf(values, nowMs))))
    throw wrongState(record, 'granted');
  return `granted ${id} until ${ends}: ${asked}, scope ${terms.scope}, for the ${terms.subject}`;
}

async function close(decision: Decision, to: 'denied' | 'revoked'): Promise<string> {
  const { desk, record, values, nowMs } = decision;
  const { access } = desk.store;
  const done =
    to === 'denied'
      ? await access.deny(record.id, decisionOf(values, nowMs))
      : await access.revoke(record.id, decisionOf(values, nowMs));
  if (!done) throw wrongState(record, to);
  const message = `Access ${record.id} was ${to}: ${describeAsked(record)}.`;
  await desk.record({ ...stepOf(`access_${to}`, decision), message });
  return `${to} ${record.id}`;
}

function decisionOf({ note }: Values, nowMs: number): { nowMs: number; note?: string } {
  return note === undefined ? { nowMs } : { nowMs, note: note.slice(0, noteCharactersMax) };
}

function stepOf<const Action extends string>(action: Action, { desk, record, values, nowMs }: Decision) {
  const { id, sessionId, principalId } = record;
  const details = {
    id,
    operator: desk.operator,
    ...(values.note === undefined ? {} : { note: values.note }),
  };
  return { action, nowMs, sessionId, principal: principalId, details };
}

function wrongState({ id, state }: AccessRecord, to: string): ProxyError {
  return new ProxyError('access_unknown', `the request ${id} is ${state} and cannot be ${to}`);
}

async function decide(
  action: string,
  { id, config, values }: { id: string; config: GatewayConfig; values: Values },
): Promise<string> {
  if (action === 'grant' && !config.access.enabled)
    throw new ProxyError(
      'config_invalid',
      'access.enabled is false in the configuration, so no grant would hold',
    );
  return await withOperatorDesk(config, async (desk) => {
    const record = await desk.store.access.find(id);
    if (record === undefined)
      throw new ProxyError('access_unknown', `there is no request for access ${printableText(id)}`);
    const decision = { desk, record, values, nowMs: Date.now() };
    if (action === 'grant') return await grant(decision, config.limits.accessGrantLifetimeMsMax);
    return await close(decision, action === 'deny' ? 'denied' : 'revoked');
  });
}

async function access(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions('access', args, {
    ...gatewayPlaceOptions,
    for: { type: 'string' },
    scope: { type: 'string' },
    principal: { type: 'boolean' },
    note: { type: 'string' },
    all: { type: 'boolean' },
    number: { type: 'string', short: 'n' },
    json: { type: 'boolean' },
  });
  const [action = '', id, ...more] = positionals;
  const config = (): Promise<GatewayConfig> => gatewayOfOptions(values);
  if (action === 'list' && id === undefined) {
    const limit = numberOption('number', values.number, { min: 1, max: 10_000, otherwise: 100 });
    await list(await config(), { all: values.all === true, limit, json: values.json === true });
    return 0;
  }
  if (!['grant', 'deny', 'revoke'].includes(action) || id === undefined || more.length > 0) {
    throw new ProxyError(
      'usage',
      'what about access? upstreamproxy access list, grant ID, deny ID or revoke ID',
    );
  }
  process.stdout.write(`${await decide(action, { id, config: await config(), values })}\n`);
  return 0;
}

export const accessCommand: Command = { usage, run: access };
