// `upstreamproxy policy`: checks, explains, proposes, replays and compares policies. Contacts nothing.

import { readFile } from 'node:fs/promises';

import { loadGatewayConfig } from '../../gateway/config/config.ts';
import { hostDiscovery } from '../../gateway/policies/discover-hosts.ts';
import { policyNames } from '../../gateway/policies/open-policies.ts';
import { PolicySource } from '../../gateway/policies/policy-source.ts';
import { CompiledPolicy } from '../../policy/compiled-policy.ts';
import type { AccessRequest, Decision, Principal } from '../../policy/decision.ts';
import { diffPolicies, diffText } from '../../policy/diff-policy.ts';
import { explain } from '../../policy/explain.ts';
import { ProxyError } from '../../protocol/error.ts';
import { errorTable } from '../../protocol/error-table.ts';
import { readRecords } from '../operator/audit-records.ts';
import { parseOptions, type Command } from '../terminal/command.ts';
import { connectionAccess, judgedAccess, postureOption, requestAccess } from './explain-access.ts';
import { gitAccesses } from './git-accesses.ts';
import { proposePolicy } from './policy-proposal.ts';
import { policyWarnings } from '../gateway/policy-warnings.ts';
import { replay, replayText } from './policy-replay.ts';
import { jsonLine } from '../terminal/text-table.ts';

const usage = `upstreamproxy policy check [--config FILE] FILE …
  checks policy files or folders; every problem and warning on a line, with its place

upstreamproxy policy explain METHOD URL --policy FILE [--claims FILE] [--posture FACTS] [--header FIELD] …
  says which rule decides about a request, why, and what would be injected; exits with 77 if it is denied

upstreamproxy policy explain CONNECT HOST:PORT --policy FILE
  says what becomes of a connection: raw TCP, TLS that is passed through, or requests that are decided

upstreamproxy policy explain git fetch URL | git push URL [REF …] --policy FILE [--change create|update|delete]
  says that about each request of git to a repository; a push of refs is an update if --change does not say otherwise

upstreamproxy policy learn AUDIT | --state DIR | --config FILE
  prints a policy that allows what an audit has seen, with ids, hashes and versions in paths as patterns

upstreamproxy policy replay FILE … --audit AUDIT | --state DIR | --config FILE
  says which recorded requests a policy would decide otherwise

upstreamproxy policy diff OLD NEW
  says what a change of the policy opens, closes, widens and narrows, and which hosts get credentials

  --config FILE         a gateway's configuration: its credentials and trust are known then, and its policy is the default
  --policy FILE         policy file or folder; may be given several times
  --change CHANGE       what explain git push takes the refs for
  --claims FILE         explain: claims of the session, as a JSON object
  --posture FACTS       explain: facts of the session that "require" can ask for, with commas between them
  --header FIELD        explain: a field of the request, "Name: value"; may be given several times
  --audit FILE          an audit in JSON lines
  --state DIR           the folder of a gateway without a configuration, such as that of a run
  --since DURATION      learn and replay: only what is not older, such as 12h or 7d
  --fail-on-warning     check exits with 1 if there is a warning
  --fail-on-flip        replay exits with 1 if a request flips
  --json                replay and diff: one JSON object
`;

interface Options {
  readonly config?: string | undefined;
  readonly policy?: string[] | undefined;
  readonly claims?: string | undefined;
  readonly posture?: string | undefined;
  readonly header?: string[] | undefined;
  readonly audit?: string | undefined;
  readonly state?: string | undefined;
  readonly since?: string | undefined;
  readonly change?: string | undefined;
  readonly json?: boolean | undefined;
  readonly 'fail-on-warning'?: boolean | undefined;
  readonly 'fail-on-flip'?: boolean | undefined;
}

/** The policy of the files, or of the configuration. Throws `config_invalid` with every problem. */
async function openPolicy(
  files: readonly string[],
  options: Options,
): Promise<{ policy: CompiledPolicy; warnings: readonly string[] }> {
  const config = options.config === undefined ? undefined : await loadGatewayConfig(options.config);
  const paths = files.length > 0 ? files : (config?.policy.paths ?? []);
  if (paths.length === 0)
    throw new ProxyError('usage', 'which policy? name a file or folder, or a --config that has one');
  const names = config === undefined ? { discover: hostDiscovery() } : policyNames(config);
  await using source = await PolicySource.open(paths, { ...names, pollIntervalMs: 0 });
  const policy = source.current;
  if (!(policy instanceof CompiledPolicy))
    throw new ProxyError('internal', 'a policy of files is a compiled one');
  return { policy, warnings: policyWarnings(source, Date.now()) };
}

async function check(files: readonly string[], options: Options): Promise<number> {
  const { policy, warnings } = await openPolicy([...files, ...(options.policy ?? [])], options);
  for (const warning of warnings) process.stdout.write(`${warning}\n`);
  const count = policy.rules.length;
  if (options['fail-on-warning'] === true && warnings.length > 0) return 1;
  process.stdout.write(`good: ${count} ${count === 1 ? 'rule' : 'rules'}, version ${policy.version}\n`);
  return 0;
}

async function readClaims(file: string | undefined): Promise<Readonly<Record<string, unknown>>> {
  if (file === undefined) return {};
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new Error('it is not a JSON object');
    // An object of JSON has string keys and unknown values.
    return value as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw new ProxyError('config_invalid', `cannot use the claims of ${file}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

async function explainRequest(positionals: readonly string[], options: Options): Promise<number> {
  const posture = postureOption(options.posture);
  const asked = accessesOf(positionals, options);
  const { policy } = await openPolicy(options.policy ?? [], options);
  const claims = await readClaims(options.claims);
  const principal: Principal = { id: 'explain', sessionId: 'explain', claims, posture };
  const nowMs = Date.now();
  const decide = (access: AccessRequest): Decision => policy.decide(principal, access, nowMs);
  const explanations = asked(decide).map((access) => explain(policy, principal, access, nowMs));
  for (const { text } of explanations) process.stdout.write(text);
  const isAllowed = explanations.every(({ decision }) => decision.effect === 'allow');
  return isAllowed ? 0 : errorTable.policy_denied.exit;
}

/** What is asked about, once there is a policy that says whether connections are opened. */
function accessesOf(
  positionals: readonly string[],
  { change, header }: Options,
): (decide: (access: AccessRequest) => Decision) => readonly AccessRequest[] {
  const [method, url, ...more] = positionals;
  if (method === undefined || url === undefined || (method !== 'git' && more.length > 0)) {
    throw new ProxyError('usage', 'name the request: upstreamproxy policy explain METHOD URL --policy FILE');
  }
  if (method.toUpperCase() === 'CONNECT') return (decide) => [connectionAccess(url, decide)];
  const requests =
    method === 'git'
      ? gitAccesses(url, { url: more[0] ?? '', refs: more.slice(1), change }, requestAccess)
      : [requestAccess(method.toUpperCase(), url, header)];
  return (decide) => {
    const judged = requests.map((access) => judgedAccess(access, decide));
    // A connection that is not opened is one decision for all that passes in it.
    return judged.every(({ depth }) => depth === 'connect') ? judged.slice(0, 1) : judged;
  };
}

async function learn(positionals: readonly string[], options: Options): Promise<number> {
  const [file, ...more] = positionals;
  if (more.length > 0) throw new ProxyError('usage', 'name one audit: upstreamproxy policy learn AUDIT');
  const { events } = await readRecords(
    { ...options, ...(file === undefined ? {} : { audit: file }) },
    Date.now(),
  );
  process.stdout.write(proposePolicy(events));
  return 0;
}

async function replayPolicy(positionals: readonly string[], options: Options): Promise<number> {
  const files = [...positionals, ...(options.policy ?? [])];
  if (files.length === 0)
    throw new ProxyError('usage', 'which policy? upstreamproxy policy replay FILE --audit AUDIT');
  const { policy } = await openPolicy(files, options);
  const { events, sessions } = await readRecords(options, Date.now());
  const result = replay(events, policy, sessions);
  process.stdout.write(options.json === true ? jsonLine(result) : replayText(result));
  return options['fail-on-flip'] === true && result.flips.length > 0 ? 1 : 0;
}

async function diff(positionals: readonly string[], options: Options): Promise<number> {
  const [before, after, ...more] = positionals;
  if (before === undefined || after === undefined || more.length > 0)
    throw new ProxyError('usage', 'name two policies: upstreamproxy policy diff OLD NEW');
  const old = await openPolicy([before], options);
  const result = diffPolicies(old.policy, (await openPolicy([after], options)).policy);
  process.stdout.write(options.json === true ? `${JSON.stringify(result)}\n` : diffText(result));
  return 0;
}

const actions: Readonly<
  Record<string, (rest: readonly string[], options: Options) => number | Promise<number>>
> = { check, explain: explainRequest, learn, replay: replayPolicy, diff };

async function policy(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions('policy', args, {
    config: { type: 'string', short: 'c' },
    policy: { type: 'string', multiple: true },
    change: { type: 'string' },
    claims: { type: 'string' },
    posture: { type: 'string' },
    header: { type: 'string', multiple: true, short: 'H' },
    audit: { type: 'string' },
    state: { type: 'string' },
    since: { type: 'string' },
    json: { type: 'boolean' },
    'fail-on-warning': { type: 'boolean' },
    'fail-on-flip': { type: 'boolean' },
  });
  const [action = '', ...rest] = positionals;
  const run = Object.hasOwn(actions, action) ? actions[action] : undefined;
  if (run === undefined)
    throw new ProxyError(
      'usage',
      'what about policies? upstreamproxy policy check, explain, learn, replay or diff',
    );
  return await run(rest, values);
}

export const policyCommand: Command = { usage, run: policy };
