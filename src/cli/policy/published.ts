// `policy publish`, `history`, `show`, `rollback` and `withdraw`: the policies of a store, which gateways with `policy: store` follow.

import { checkName } from '../../gateway/policies/publish-policy.ts';
import { publishedPlace } from '../../gateway/policies/published-policies.ts';
import type { GatewayConfig } from '../../gateway/config/config.ts';
import type { CompiledPolicy } from '../../policy/compiled-policy.ts';
import { InvalidFilesError } from '../../policy/problem.ts';
import { mainName } from '../../policy/bound-policies.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { PolicyBinding } from '../../store/policy-store.ts';
import type { policyDefinition } from '../commands/policy-definition.ts';
import type { CommonValues, Input } from '../definition/command-definition.ts';
import { gatewayOfOptions } from '../gateway/gateway-configuration.ts';
import { tellConfirmation } from '../operator/confirmation-line.ts';
import { openConnection, type PlaceOptions } from '../operator/operator-place.ts';
import { openStoreToRead } from '../operator/operator-store.ts';
import { tableStyle } from '../terminal/table-style.ts';
import { asciiText, harmlessText, jsonLine, noteFullList, textTable } from '../terminal/text-table.ts';
import { readTexts } from './policy-texts.ts';
import { publishedAtServer } from './published-at-server.ts';
import type {
  Changed,
  HistoryLine,
  PolicyChange,
  PublishedBackend,
  ShownOutcome,
} from './published-backend.ts';
import { findPublished, publishedInStore, readerOf } from './published-in-store.ts';
import { tellDone } from '../terminal/notes.ts';

type Actions = (typeof policyDefinition)['actions'];
type PublishInput = Input<Actions[5]>;
type HistoryInput = Input<Actions[6]>;
type ShowInput = Input<Actions[7]>;
type RollbackInput = Input<Actions[8]>;
type WithdrawInput = Input<Actions[9]>;

async function openBackend(options: PlaceOptions, access: 'read' | 'write'): Promise<PublishedBackend> {
  const connection = await openConnection(options);
  return connection === undefined
    ? await publishedInStore(await gatewayOfOptions(options), access)
    : publishedAtServer(connection);
}

export async function publish({ options, arguments: { FILE: paths } }: PublishInput): Promise<number> {
  if (paths.length === 0)
    throw new ProxyError('usage', 'which files? upstreamproxy policy publish FILE --config FILE');
  const files = await readTexts(paths);
  return await change(options, { kind: 'publish', files, binding: readBinding(options.for) });
}

export async function rollBack({ options, arguments: { VERSION: text } }: RollbackInput): Promise<number> {
  return await change(options, { kind: 'rollback', to: numberOf(text) });
}

export async function withdraw({ options }: WithdrawInput): Promise<number> {
  return await change(options, { kind: 'withdraw' });
}

/** Publishes upon what is published now, or upon what the operator says they saw; and says what became of it. */
async function change(options: WithdrawInput['options'], what: PolicyChange): Promise<number> {
  const { name: policy = mainName, note, seen, json } = options;
  checkName(policy);
  await using backend = await openBackend(options, 'write');
  const changed = await backend.change(what, { policy, note, seen });
  const { version, machine, outcomes, confirmation } = changed;
  if (json) process.stdout.write(jsonLine({ ...version, ...machine, gateways: outcomes, ...confirmation }));
  else tell(changed, options);
  return outcomes.some(({ state }) => state === 'refused') ? 1 : 0;
}

function tell(
  { version, diff, warnings, outcomes, confirmation, isFollowed }: Changed,
  options: CommonValues,
): void {
  for (const warning of warnings) process.stdout.write(`${harmlessText(warning)}\n`);
  if (diff !== undefined) tellDone(options, diff.replaceAll(/[^\n]+/g, harmlessText));
  const what = version.isWithdrawn ? 'withdrew' : 'published';
  const done = harmlessText(`${what} ${publishedPlace(version)}, version ${version.version}`);
  tellDone(options, `${done}\n`);
  if (isFollowed === false) {
    process.stderr.write(
      'upstreamproxy: gateways of this configuration do not follow it; write policy: store there\n',
    );
    return;
  }
  const taken = outcomes.filter(({ state }) => state === 'taken').length;
  const count = (n: number): string => `${n} ${n === 1 ? 'gateway' : 'gateways'}`;
  tellConfirmation(options, confirmation);
  if (outcomes.length > 0) tellDone(options, `${count(taken)} took it\n`);
  for (const outcome of outcomes) if (outcome.state === 'refused') process.stdout.write(refusalText(outcome));
}

function refusalText({ gatewayId, reason = 'no reason is known' }: ShownOutcome): string {
  const lines = reason.split('\n').map((line) => `  ${harmlessText(line)}\n`);
  return `${asciiText(gatewayId)} refused it, and keeps what it had:\n${lines.join('')}`;
}

export async function history({ options }: HistoryInput): Promise<number> {
  const { name, number: limit, json } = options;
  await using backend = await openBackend(options, 'read');
  const found = await backend.history(name, limit);
  noteFullList(found.length, limit);
  if (json) {
    for (const { version, isPublished, outcomes } of found)
      process.stdout.write(jsonLine({ ...version, isPublished, gateways: outcomes }));
    return 0;
  }
  const title = ['version', 'published', 'by', 'policy', 'for', 'what', 'gateways', 'note'];
  process.stdout.write(textTable([title, ...found.map(rowOf)], tableStyle({ hasTitle: true })));
  for (const { version, outcomes } of found)
    for (const outcome of outcomes)
      if (outcome.state === 'refused')
        process.stdout.write(`${asciiText(publishedPlace(version))}: ${refusalText(outcome)}`);
  return 0;
}

function rowOf({ version, outcomes, isPublished }: HistoryLine): string[] {
  const { published, publishedBy, binding, isWithdrawn, backTo, note = '' } = version;
  const refused = outcomes.filter(({ state }) => state === 'refused').length;
  const words = [
    ...(isPublished ? ['in force'] : []),
    ...(isWithdrawn ? ['withdrawn'] : []),
    ...(backTo === undefined ? [] : [`${backTo} again`]),
  ];
  return [
    publishedPlace(version),
    published.replace(/\.\d{3}Z$/, 'Z'),
    publishedBy,
    version.version,
    bindingText(binding),
    words.length === 0 ? '-' : words.join(', '),
    `${outcomes.length - refused} took it${refused === 0 ? '' : `, ${refused} refused`}`,
    note,
  ];
}

function bindingText(binding: PolicyBinding | undefined): string {
  if (binding === undefined) return 'all';
  return Object.entries(binding)
    .map(([claim, value]) => `${claim}=${String(value)}`)
    .join(',');
}

export async function show({ options, arguments: { VERSION: text } }: ShowInput): Promise<number> {
  const { name: policy = mainName, json } = options;
  checkName(policy);
  const number = text === undefined ? undefined : numberOf(text);
  await using backend = await openBackend(options, 'read');
  const { version, files } = await backend.show(policy, number);
  if (json) process.stdout.write(jsonLine({ ...version, files }));
  else for (const { name, text: body } of files) process.stdout.write(fileText(name, body, files.length));
  return 0;
}

/** As it was published; on a terminal, what would act on it is shown. */
function fileText(name: string, text: string, count: number): string {
  const shown = process.stdout.isTTY ? text.replaceAll(/[^\n\t]+/g, harmlessText) : text;
  // Into a file too: a name of two lines would be read as a line of the policy.
  const head = count === 1 ? '' : `# ${harmlessText(name)}\n`;
  return `${head}${shown}${shown.endsWith('\n') ? '' : '\n'}`;
}

/** A version of the store, or the published one, as a gateway of the configuration reads it. @throws ProxyError usage, operation_unknown, config_invalid */
export async function openPublished(
  config: GatewayConfig,
  policy: string,
  number: number | undefined,
): Promise<CompiledPolicy> {
  await using store = await openStoreToRead(config);
  const { version, files } = await findPublished(store.policies, policy, number);
  const place = publishedPlace(version);
  const sources = files.map(({ name, text: body }) => ({ file: `${place}/${name}`, text: body }));
  const result = await readerOf(config)(sources);
  if ('problems' in result) throw new InvalidFilesError(result.problems);
  return result.policy;
}

/** @throws ProxyError usage */
export function numberOf(text: string): number {
  if (!/^\d{1,9}$/.test(text))
    throw new ProxyError('usage', 'versions are numbers, as policy history shows them');
  return Number(text);
}

function readBinding(pairs: readonly string[] | undefined): PolicyBinding | undefined {
  if (pairs === undefined) return undefined;
  const claims = pairs.map((pair) => {
    const equals = pair.indexOf('=');
    if (equals < 1) throw new ProxyError('usage', `--for takes CLAIM=VALUE, not "${asciiText(pair)}"`);
    return [pair.slice(0, equals), pair.slice(equals + 1)] as const;
  });
  const names = claims.map(([name]) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new ProxyError('usage', `--for names the claim "${asciiText(twice)}" twice`);
  return Object.fromEntries(claims);
}
