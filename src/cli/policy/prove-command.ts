// `upstreamproxy policy prove`: what a policy never allows.

import { parseProofQuestion } from '../../policy/proof/proof-question.ts';
import { type ProofResult, type ProofTask, provePolicy } from '../../policy/proof/prove-policy.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { policyDefinition } from '../commands/policy-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { harmlessText, jsonLine } from '../terminal/text-table.ts';
import { painted, standardOutput } from '../terminal/terminal-stream.ts';
import { readClaims } from './claims-file.ts';
import { postureOption } from './explain-access.ts';
import { openPolicy } from './open-policy.ts';

type Options = Input<(typeof policyDefinition)['actions'][12]>['options'];

export async function proveCommand({
  options,
}: Pick<Input<(typeof policyDefinition)['actions'][12]>, 'options'>): Promise<number> {
  const claim = await claimOf(options);
  const { policy } = await openPolicy(options.policy ?? [], options.config);
  const ceiling =
    options.ceiling === undefined ? [] : [(await openPolicy([options.ceiling], options.config)).policy];
  const task: ProofTask = {
    policies: [policy, ...ceiling],
    claim,
    asker: {
      claims: options.claims === undefined ? undefined : await readClaims(options.claims),
      posture: options.posture === undefined ? undefined : postureOption(options.posture),
    },
    nowMs: Date.now(),
    statesMax: defaultLimits.proofStatesMax,
  };
  const result = provePolicy(task);
  process.stdout.write(options.json ? jsonLine({ ...result, policy: policy.version }) : textOf(result));
  return result.kind === 'proven' ? 0 : 1;
}

/** @throws ProxyError usage */
async function claimOf({
  never,
  only,
  config,
  'without-grants': withoutGrants,
}: Options): Promise<ProofTask['claim']> {
  if ((never === undefined) === (only === undefined))
    throw new ProxyError('usage', "what is to be proven? give --never 'METHOD URL' or --only FILE");
  if (only !== undefined) {
    if (withoutGrants)
      throw new ProxyError('usage', '--only says nothing of grants in any case; leave --without-grants out');
    return { kind: 'only', bound: (await openPolicy([only], config)).policy };
  }
  const question = parseProofQuestion(never ?? '');
  if (typeof question === 'string') throw new ProxyError('usage', `--never: ${question}`);
  return { kind: 'never', question, grants: !withoutGrants };
}

function textOf(result: ProofResult): string {
  const line = (kind: 'good' | 'bad', word: string, text: string): string =>
    `${painted(standardOutput(), kind, word)} ${harmlessText(text)}\n`;
  switch (result.kind) {
    case 'proven': {
      const count = `${String(result.classes)} ${result.classes === 1 ? 'class' : 'classes'}`;
      return line('good', 'proven:', `${count} of requests were looked at, each in all its paths`);
    }
    case 'inconclusive':
      return line('bad', 'not proven:', result.why);
    case 'counterexample':
    case 'possible': {
      const { method, url, fromMs, needs } = result.example;
      const from = fromMs === undefined ? '' : `, from ${new Date(fromMs).toISOString()} on`;
      const word = result.kind === 'possible' ? 'possible:' : 'wrong:';
      const shown = line('bad', word, `${method} ${url} is allowed${from}`);
      return [shown, ...needs.map((need) => `  if ${harmlessText(need)}\n`)].join('');
    }
  }
}
