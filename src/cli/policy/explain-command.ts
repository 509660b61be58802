// `upstreamproxy policy explain`: which rule decides about a request or an exchange of the audit, and why.

import { ProxyError } from '../../protocol/error.ts';
import { errorTable } from '../../protocol/error-table.ts';
import type { policyDefinition } from '../commands/policy-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { harmlessText, jsonLine } from '../terminal/text-table.ts';
import { readAskedBody } from './asked-body.ts';
import { postureOption, requestAccess } from './explain-access.ts';
import { explainSign } from './explain-sign.ts';
import { gitRequests } from './git-requests.ts';
import type { AskedRequest, Explained, PolicyWanted } from './judging-backend.ts';
import { openJudging } from './open-judging.ts';
import { readClaims } from './claims-file.ts';
import { exchangeText } from './recorded-exchange.ts';

type ExplainInput = Input<(typeof policyDefinition)['actions'][1]>;

export async function explainCommand(input: ExplainInput): Promise<number> {
  const { options, arguments: named } = input;
  if (named.METHOD === 'exchange') return await explainExchange(input);
  if (named.METHOD === 'sign') return await explainSign(input);
  if (options.state !== undefined)
    throw new ProxyError(
      'usage',
      '--state is for an exchange alone; say which policy: --policy FILE or --config FILE',
    );
  const posture = postureOption(options.posture);
  const requests = await requestsOf(input);
  // What is no request is told first, whoever would be asked about it.
  for (const { method, url, fields } of requests)
    if (method !== 'CONNECT') requestAccess(method, url, fields);
  const { policy: files, config } = options;
  await using backend = await openJudging(options, files !== undefined || config !== undefined);
  const claims = await readClaims(options.claims);
  const policy: PolicyWanted = files === undefined ? { kind: 'in-force' } : { kind: 'files', paths: files };
  const explained = distinct(await backend.explain(requests, policy, { claims, posture }));
  for (const { text, machine } of explained)
    process.stdout.write(options.json ? jsonLine(machine) : linesOf(text));
  return explained.every(({ isAllowed }) => isAllowed) ? 0 : errorTable.policy_denied.exit;
}

async function explainExchange({
  options,
  arguments: { URL: id, REF: more },
}: ExplainInput): Promise<number> {
  if (more.length > 0)
    throw new ProxyError('usage', 'name one exchange: upstreamproxy policy explain exchange ID');
  for (const name of ['policy', 'claims', 'posture', 'header', 'push-option', 'body'] as const)
    if (options[name] !== undefined)
      throw new ProxyError('usage', `an exchange has what was recorded of it; leave --${name} out`);
  const { config, state } = options;
  await using backend = await openJudging(options, config !== undefined || state !== undefined);
  const explained = await backend.explainExchange(id);
  process.stdout.write(options.json ? jsonLine(explained.machine) : linesOf(exchangeText(explained)));
  return explained.isAllowed ? 0 : errorTable.policy_denied.exit;
}

/** A connection that is not opened is one decision for all that passes in it. */
function distinct(explained: readonly Explained[]): readonly Explained[] {
  return explained.filter(
    ({ request, text }, i) =>
      !explained.slice(0, i).some((one) => one.request === request && one.text === text),
  );
}

/** Of a server, or with what a workload wrote: nothing of it acts on the terminal. */
function linesOf(text: string): string {
  return text.replaceAll(/[^\n]+/g, harmlessText);
}

async function requestsOf({
  options: { change, header, body: file, 'push-option': options = [] },
  arguments: { METHOD: method, URL: url, REF: more },
}: ExplainInput): Promise<readonly AskedRequest[]> {
  if (file !== undefined && (method === 'git' || method.toUpperCase() === 'CONNECT'))
    throw new ProxyError(
      'usage',
      `--body is that of a request, and ${method} says another thing; leave it out`,
    );
  if (method === 'git') return gitRequests(url, { url: more[0] ?? '', refs: more.slice(1), change, options });
  if (more.length > 0)
    throw new ProxyError('usage', 'name one request: upstreamproxy policy explain METHOD URL --policy FILE');
  const fields = header === undefined ? {} : { fields: header };
  const body = file === undefined ? {} : { body: await readAskedBody(file) };
  return [{ method: method.toUpperCase(), url, ...fields, ...body }];
}
