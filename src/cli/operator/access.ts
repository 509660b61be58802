// `upstreamproxy access`: what workloads asked for, and what the operator decides.

import { describeAsked } from '../../gateway/access/access-request.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { AccessRecord, AccessState } from '../../store/access-store.ts';
import { accessDefinition } from '../commands/access-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { groupOf } from '../terminal/command.ts';
import { tableStyle } from '../terminal/table-style.ts';
import { harmlessText, jsonLine, noteFullList, textTable } from '../terminal/text-table.ts';
import { askedConfirmation, tellConfirmation } from './confirmation-line.ts';
import type { OperatorBackend } from './operator-backend.ts';
import { decisionOf, listQuestions } from './questions.ts';
import { openOperatorBackend } from './operator-place.ts';
import { tellDone } from '../terminal/notes.ts';

type Actions = (typeof accessDefinition)['actions'];
type GrantInput = Input<Actions[1]>;
type CloseInput = Input<Actions[2]>;

const noteCharactersMax = 1000;

async function list({ options }: Input<Actions[0]>): Promise<number> {
  const { all, number: limit, json } = options;
  await using backend = await openOperatorBackend(options, 'read');
  const open: readonly AccessState[] = ['pending', 'granted'];
  const lists = all
    ? [await backend.accessRequests({ limit })]
    : await Promise.all(open.map((state) => backend.accessRequests({ state, limit })));
  noteFullList(Math.max(...lists.map((list) => list.length)), limit);
  const records = lists.flat();
  if (json) {
    process.stdout.write(records.map(jsonLine).join(''));
    return 0;
  }
  const title = ['id', 'state', 'asked', 'request', 'scope', 'ends', 'principal', 'reason'];
  process.stdout.write(
    textTable(
      [title, ...records.map(rowOf)],
      tableStyle({ hasTitle: true, words: { 1: { pending: 'doubtful' } } }),
    ),
  );
  return 0;
}

function rowOf(record: AccessRecord): readonly string[] {
  const { id, state, createdMs, principalId, reason, terms } = record;
  const time = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');
  const scope =
    terms === undefined
      ? '-'
      : `${terms.refs?.join(' ') ?? terms.scope}${terms.subject === 'principal' ? ', principal' : ''}`;
  const ends = terms === undefined ? '-' : time(terms.endsMs);
  return [id, state, time(createdMs), describeAsked(record), scope, ends, principalId, reason];
}

/** Does it, and prints what became of it. */
async function act(
  id: string,
  options: CloseInput['options'],
  action: (backend: OperatorBackend, note: string | undefined) => Promise<string>,
): Promise<number> {
  await using backend = await openOperatorBackend(options, 'write');
  const done = await action(backend, options.note?.slice(0, noteCharactersMax));
  if (!options.json) tellDone(options, `${harmlessText(done)}\n`);
  const confirmation = await askedConfirmation(() => backend.confirm());
  if (options.json) process.stdout.write(jsonLine({ id, done, ...confirmation }));
  else tellConfirmation(options, confirmation);
  return 0;
}

function grant({ options, arguments: { ID: id } }: GrantInput): Promise<number> {
  const { for: forMs, scope, refs, principal } = options;
  if (forMs === undefined)
    throw new ProxyError('usage', 'for how long? give it with --for, such as --for 15m');
  const subject = principal ? 'principal' : 'session';
  return act(id, options, (backend, note) => backend.grantAccess(id, { scope, subject, refs, forMs, note }));
}

function end({ options, arguments: { ID: id } }: CloseInput, to: 'denied' | 'revoked'): Promise<number> {
  return act(id, options, async (backend, note) => {
    await backend.closeAccess(id, to, note);
    return `${to} ${id}`;
  });
}

function answer({ options, arguments: { ID: id, ANSWER: said } }: Input<Actions[5]>): Promise<number> {
  const decision = decisionOf(said);
  return act(id, options, async (backend, note) => {
    await backend.answerQuestion(id, decision, note);
    return `answered ${id}: ${decision}`;
  });
}

export const accessCommand = groupOf(accessDefinition, {
  list,
  grant,
  deny: (input) => end(input, 'denied'),
  revoke: (input) => end(input, 'revoked'),
  questions: listQuestions,
  answer,
});
