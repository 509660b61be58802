// `upstreamproxy access`: what workloads asked for, and what the operator decides.

import { describeAsked } from '../../gateway/access/access-request.ts';
import {
  closeAccess,
  type DecisionDesk,
  type DecisionInput,
  grantAccess,
  grantTerms,
} from '../../gateway/access/decide-access.ts';
import { confirmChange } from '../../gateway/changes/confirm-change.ts';
import type { GatewayConfig } from '../../gateway/config/config.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { AccessRecord, AccessState, AccessTerms } from '../../store/access-store.ts';
import { accessDefinition } from '../commands/access-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { groupOf } from '../terminal/command.ts';
import { gatewayOfOptions } from '../gateway/gateway-configuration.ts';
import { confirmationLine } from './confirmation-line.ts';
import { openStoreToRead } from './operator-store.ts';
import { withOperatorDesk } from './operator-audit.ts';
import { jsonLine, noteFullList, printableText, textTable } from '../terminal/text-table.ts';

type Actions = (typeof accessDefinition)['actions'];
type GrantInput = Input<Actions[1]>;
type CloseInput = Input<Actions[2]>;

/** What each decision can say. */
type Values = Pick<CloseInput['options'], 'note' | 'json'>;

const noteCharactersMax = 1000;

async function list({ options }: Input<Actions[0]>): Promise<number> {
  const { all, number: limit, json } = options;
  await using store = await openStoreToRead(await gatewayOfOptions(options));
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
  const subject = values.principal ? 'principal' : 'session';
  return grantTerms(record, { scope: values.scope, subject, forMs: values.for }, at);
}

interface Decision extends DecisionInput {
  readonly desk: DecisionDesk;
}

/** Finds the request, lets the action decide, and prints what became of it. */
async function decide(
  { ID: id }: { readonly ID: string },
  { config, values }: { readonly config: GatewayConfig; readonly values: Values },
  action: (decision: Decision) => Promise<string>,
): Promise<number> {
  await withOperatorDesk(config, async ({ store, operator, record: write }) => {
    const record = await store.access.find(id);
    if (record === undefined)
      throw new ProxyError('access_unknown', `there is no request for access ${printableText(id)}`);
    const note = values.note?.slice(0, noteCharactersMax);
    const desk = { access: store.access, operator, record: write };
    const done = await action({ desk, record, note, nowMs: Date.now() });
    if (!values.json) process.stdout.write(`${done}\n`);
    const confirmation = await confirmChange(store);
    process.stdout.write(
      values.json ? jsonLine({ id, done, ...confirmation }) : confirmationLine(confirmation),
    );
  });
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
    grantAccess(decision.desk, decision, termsOf(decision.record, options, { nowMs: decision.nowMs, maxMs })),
  );
}

async function end({ options, arguments: named }: CloseInput, to: 'denied' | 'revoked'): Promise<number> {
  const config = await gatewayOfOptions(options);
  return await decide(named, { config, values: options }, async (decision) => {
    await closeAccess(decision.desk, decision, to);
    return `${to} ${decision.record.id}`;
  });
}

export const accessCommand = groupOf(accessDefinition, {
  list,
  grant,
  deny: (input) => end(input, 'denied'),
  revoke: (input) => end(input, 'revoked'),
});
