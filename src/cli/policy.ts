// `upstreamproxy policy`: checks, explains and proposes policies. Contacts nothing.

import { readFile } from 'node:fs/promises';

import { loadGatewayConfig } from '../gateway/config.ts';
import { PolicySource } from '../gateway/policy-source.ts';
import { parseAuthority } from '../http/authority.ts';
import { HeaderList } from '../http/header-list.ts';
import { CompiledPolicy } from '../policy/compiled-policy.ts';
import type { Principal, RequestAccess } from '../policy/decision.ts';
import { explain } from '../policy/explain.ts';
import { formatProblem } from '../policy/problem.ts';
import { errorTable, ProxyError } from '../protocol/error.ts';
import { readAuditFile } from './audit-file.ts';
import { parseOptions, type Command } from './command.ts';
import { proposePolicy } from './policy-proposal.ts';

const usage = `upstreamproxy policy check [--config FILE] FILE …
  checks policy files or folders; every problem on a line, with its place

upstreamproxy policy explain METHOD URL --policy FILE [--config FILE] [--claims FILE]
  says which rule decides about a request, why, and what would be injected

upstreamproxy policy learn AUDIT
  prints a policy that allows what an audit in JSON lines has seen

  --config FILE         a gateway's configuration: its credentials and trust are known then, and its policy is the default
  --policy FILE         policy file or folder; may be given several times
  --claims FILE         claims of the session, as a JSON object
`;

interface Options {
  readonly config?: string | undefined;
  readonly policy?: string[] | undefined;
  readonly claims?: string | undefined;
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
  const names =
    config === undefined
      ? {}
      : { credentials: Object.keys(config.credentials), trust: Object.keys(config.trust) };
  await using source = await PolicySource.open(paths, { ...names, pollIntervalMs: 0 });
  const policy = source.current;
  if (!(policy instanceof CompiledPolicy))
    throw new ProxyError('internal', 'a policy of files is a compiled one');
  return { policy, warnings: source.state.warnings.map(formatProblem) };
}

async function check(files: readonly string[], options: Options): Promise<number> {
  const { policy, warnings } = await openPolicy([...files, ...(options.policy ?? [])], options);
  for (const warning of warnings) process.stdout.write(`${warning}\n`);
  const count = policy.rules.length;
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

/** The request that a method and a URL mean, in canonical form. */
function accessOf(method: string, text: string): RequestAccess {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new ProxyError('usage', `"${text}" is not an http or https URL`);
  }
  const scheme = url.protocol === 'https:' ? 'https' : 'http';
  const authority = parseAuthority(url.host, { defaultPort: scheme === 'https' ? 443 : 80 });
  const headers = new HeaderList();
  return {
    depth: 'request',
    destination: { scheme, ...authority },
    method,
    path: url.pathname,
    query: url.search,
    headers,
  };
}

async function explainRequest(positionals: readonly string[], options: Options): Promise<number> {
  const [method, url, ...more] = positionals;
  if (method === undefined || url === undefined || more.length > 0) {
    throw new ProxyError('usage', 'name the request: upstreamproxy policy explain METHOD URL --policy FILE');
  }
  const access = accessOf(method.toUpperCase(), url);
  const { policy } = await openPolicy(options.policy ?? [], options);
  const claims = await readClaims(options.claims);
  const principal: Principal = { id: 'explain', sessionId: 'explain', claims, posture: [] };
  const { decision, text } = explain(policy, principal, access, Date.now());
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  return decision.effect === 'allow' ? 0 : errorTable.policy_denied.exit;
}

async function learn(positionals: readonly string[]): Promise<number> {
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0)
    throw new ProxyError('usage', 'name the audit: upstreamproxy policy learn AUDIT');
  process.stdout.write(proposePolicy(await Array.fromAsync(readAuditFile(file))));
  return 0;
}

async function policy(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions('policy', args, {
    config: { type: 'string', short: 'c' },
    policy: { type: 'string', multiple: true },
    claims: { type: 'string' },
  });
  const [action, ...rest] = positionals;
  switch (action) {
    case 'check':
      return await check(rest, values);
    case 'explain':
      return await explainRequest(rest, values);
    case 'learn':
      return await learn(rest);
    default:
      throw new ProxyError('usage', 'what about policies? upstreamproxy policy check, explain or learn');
  }
}

export const policyCommand: Command = { usage, run: policy };
