// `upstreamproxy access questions`: what rules ask a person about, once or for as long as somebody looks.

import { setTimeout as delay } from 'node:timers/promises';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { accessDefinition } from '../commands/access-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { quoted } from '../definition/option-value.ts';
import { note } from '../terminal/notes.ts';
import { harmlessText, jsonLine } from '../terminal/text-table.ts';
import type { QuestionDecision, ShownQuestion } from './operator-backend.ts';
import { openOperatorBackend } from './operator-place.ts';

type QuestionsInput = Input<(typeof accessDefinition)['actions'][4]>;

const followIntervalMs = 1000;
const decisions: readonly QuestionDecision[] = ['once', 'session', 'minutes', 'always', 'deny'];

export async function listQuestions({ options }: QuestionsInput): Promise<number> {
  const { follow, json } = options;
  await using backend = await openOperatorBackend(options, follow ? 'write' : 'read');
  const show = (one: ShownQuestion): string => (json ? jsonLine(one) : questionText(one));
  const printed = new Set<string>();
  let isTold = !follow;
  for (;;) {
    const asked = await backend.questions({ isHere: follow });
    if (!isTold) note('you are there to be asked while this runs');
    isTold = true;
    const open = new Set(asked.map(({ id }) => id));
    const fresh = asked.filter(({ id }) => !printed.has(id));
    process.stdout.write(fresh.map(show).join(''));
    for (const { id } of fresh) printed.add(id);
    // What is over is not asked again under the same id.
    for (const id of printed) if (!open.has(id)) printed.delete(id);
    if (!follow) return 0;
    await delay(followIntervalMs);
  }
}

/** What is asked, as it will be bound, and how it is answered. */
function questionText({ id, question, session, principal }: ShownQuestion): string {
  const { rule = '', until = '', bound = [], choices = [], body, shown } = question ?? {};
  const lines = [
    `question ${id} of the rule ${rule}, held until ${until}`,
    `  session ${session} of ${principal}`,
    ...bound.map(({ name, value }) => `  ${name}: ${value}`),
    ...(body === 'unseen'
      ? [
          '  nobody could look at its body: an answer holds for any; once for that of the digest above, if there is one',
        ]
      : []),
    ...(shown === undefined ? [] : [`  ${shownText(shown)}`]),
    `  answer: upstreamproxy access answer ${id} ${[...choices, 'deny'].join('|')}`,
  ];
  // All of it could be written to mislead: no line, and no control character, is the workload's.
  return lines.map((line) => `${harmlessText(line)}\n`).join('');
}

/** How much there is, where it is cut: what stands behind it is allowed too. */
function shownText(shown: string): string {
  const { length } = shown;
  const { askBoundCharactersMax: shownCharactersMax } = defaultLimits;
  return length <= shownCharactersMax
    ? `its body: ${shown}`
    : `it begins (${String(shownCharactersMax)} of ${String(length)} characters; how long all of it is stands above): ${shown.slice(0, shownCharactersMax).toWellFormed()}`;
}

/** @throws ProxyError usage */
export function decisionOf(text: string): QuestionDecision {
  const decision = decisions.find((one) => one === text);
  if (decision !== undefined) return decision;
  throw new ProxyError('usage', `ANSWER is one of ${decisions.join(', ')}, not ${quoted(text)}`);
}
