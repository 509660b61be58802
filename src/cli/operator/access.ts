// `upstreamproxy access`: what workloads asked for, and what the operator decides.

import { describeAsked } from '../../gateway/access/access-request.ts';
import type { GatewayConfig } from '../../gateway/config/config.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { AccessRecord, AccessScope, AccessState, AccessTerms } from '../../store/access-store.ts';
import { openStore } from '../../store/open-store.ts';
import { accessDefinition } from '../commands/access-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { groupOf } from '../terminal/command.ts';
import { gatewayOfOptions } from '../gateway/gateway-configuration.ts';
import { withOperatorDesk, type OperatorDesk } from './operator-audit.ts';
import { jsonLine, noteFullList, printableText, textTable } from '../terminal/text-table.ts';

type Actions = (typeof accessDefinition)['actions'];
type GrantInput = Input<Actions[1]>;
type CloseInput = Input<Actions[2]>;

/** What each decision can say. */
type Values = Pick<CloseInput['options'], 'note'>;

const noteCharactersMax = 1000;

async function list({ options }: Input<Actions[0]>): Promise<number> {
  const { all, number: limit, json } = options;
  await using store = await openStore((await gatewayOfOptions(options)).store);
  const open: readonly AccessState[] = ['pending', 'granted'];
  const lists = all
    ? [await store.access.list({ limit })]
    : await Promise.all(open.map((state) => store.access.list({ state, limit })));
  noteFullList(Math.max(...lists.map((list) => list.length)), limit);
  const records = lists.flat();
  if (json) {
    process.stdout.write(records.map(jsonLine).join(''));
    return 0;
  }
  const title = ['id', 'state', 'asked', 'request', 'scope', 'ends', 'principal', 'reason'];
  process.stdout.write(textTable([title, ...records.map(rowOf)]));
  return 0;
}

function rowOf(record: AccessRecord): readonly string[] {
  const { id, state, createdMs, principalId, reason, terms } = record;
  const time = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');
  const scope =
    terms === undefined ? '-' : `${terms.scope}${terms.subject === 'principal' ? ', principal' : ''}`;
  const ends = terms === undefined ? '-' : time(terms.endsMs);
  return [id, state, time(createdMs), describeAsked(record), scope, ends, principalId, reason];
}

/** The terms of a grant. Throws `usage` for those that the request cannot have. */
function termsOf(
  record: AccessRecord,
  values: GrantInput['options'],
  at: { nowMs: number; maxMs: number },
): AccessTerms {
  if (values.for === undefined) throw new ProxyError('usage', 'for how long? --for 15m');
  const hasPath = record.path !== undefined;
  const scope: AccessScope = values.scope ?? (hasPath ? 'exact' : 'host');
  if (!hasPath && scope !== 'host') {
    throw new ProxyError('usage', `the request asks for all of ${record.host}: --scope host, or deny it`);
  }
  if (values.for > at.maxMs)
    throw new ProxyError(
      'usage',
      `--for is at most ${at.maxMs / 1000}s; what should hold longer is a rule of the policy`,
    );
  const subject = values.principal ? 'principal' : 'session';
  return { scope, subject, endsMs: at.nowMs + values.for };
}

interface Decision {
  readonly desk: OperatorDesk;
  readonly record: AccessRecord;
  readonly values: Values;
  readonly nowMs: number;
}

async function open(decision: Decision, terms: AccessTerms): Promise<string> {
  const { desk, record, values, nowMs } = decision;
  const { id } = record;
  if (!['pending', 'denied', 'granted'].includes(record.state)) throw wrongState(record, 'granted');
  const asked = describeAsked(record);
  const ends = new Date(terms.endsMs).toISOString();
  const message = `Access ${id} was granted until ${ends}: ${asked}, scope ${terms.scope}, for the ${terms.subject}.`;
  // Stored first: no grant without its event.
  await desk.record({ ...stepOf('access_granted', decision), message });
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

/** Finds the request, lets the action decide, and prints what became of it. */
async function decide(
  { ID: id }: { readonly ID: string },
  { config, values }: { readonly config: GatewayConfig; readonly values: Values },
  action: (decision: Decision) => Promise<string>,
): Promise<number> {
  const done = await withOperatorDesk(config, async (desk) => {
    const record = await desk.store.access.find(id);
    if (record === undefined)
      throw new ProxyError('access_unknown', `there is no request for access ${printableText(id)}`);
    return await action({ desk, record, values, nowMs: Date.now() });
  });
  process.stdout.write(`${done}\n`);
  return 0;
}

async function grant({ options, arguments: named }: GrantInput): Promise<number> {
  const config = await gatewayOfOptions(options);
  if (!config.access.enabled)
    throw new ProxyError(
      'config_invalid',
      'access.enabled is false in the configuration, so no grant would hold',
    );
  const maxMs = config.limits.accessGrantLifetimeMsMax;
  return await decide(named, { config, values: options }, (decision) =>
    open(decision, termsOf(decision.record, options, { nowMs: decision.nowMs, maxMs })),
  );
}

async function end({ options, arguments: named }: CloseInput, to: 'denied' | 'revoked'): Promise<number> {
  const config = await gatewayOfOptions(options);
  return await decide(named, { config, values: options }, (decision) => close(decision, to));
}

export const accessCommand = groupOf(accessDefinition, {
  list,
  grant,
  deny: (input) => end(input, 'denied'),
  revoke: (input) => end(input, 'revoked'),
});
