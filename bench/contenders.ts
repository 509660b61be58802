// What is compared: no proxy, and our agents and gateway over wss on loopback, in the variants that this version has.

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { createEphemeralAuthority } from '../src/pki/certificate-authority.ts';
import { accepts, firstLine, freePort, mustRun, runtimeFile, stop } from './child.ts';
import type { LoadTarget } from './load/load-job.ts';
import { withDescendants } from './process-usage.ts';

const command = fileURLToPath(new URL('../bin/upstreamproxy', import.meta.url));

export const originHost = 'origin.test';
/** Origins whose requests get a credential, by what they speak beside HTTP/1.1. */
export const keyedHosts = { http1: 'keyed.test', http2: 'keyed-http2.test' } as const;
export type KeyedOrigin = keyof typeof keyedHosts;

export interface Contender extends AsyncDisposable {
  readonly name: string;
  /** How the load generator reaches the origin through it. */
  readonly to: LoadTarget;
  /** Its processes by role, at this time. */
  pids(): Readonly<Record<string, readonly number[]>>;
}

export interface OriginProcess {
  readonly port: number;
  readonly keyedPorts: Readonly<Record<KeyedOrigin, number>>;
  readonly caPem: string;
  readonly caFile: string;
  /** Of all of them. */
  readonly pids: readonly number[];
}

/** Starts the origins, one for each host; their certificates come from an authority of their own. */
export async function startOrigin(directory: string, stack: AsyncDisposableStack): Promise<OriginProcess> {
  const authority = createEphemeralAuthority(Date.now());
  const caFile = join(directory, 'origin-ca.pem');
  await writeFile(caFile, authority.certificatesPem);
  const script = fileURLToPath(new URL('origin-process.ts', import.meta.url));
  const start = async (host: string, ...options: readonly string[]): Promise<[number, ChildProcess]> => {
    const leaf = authority.issue(host, Date.now());
    const key =
      typeof leaf.privateKey === 'string'
        ? leaf.privateKey
        : leaf.privateKey.export({ type: 'pkcs8', format: 'pem' });
    const [certFile, keyFile] = [join(directory, `${host}.pem`), join(directory, `${host}.key`)];
    await writeFile(certFile, leaf.certificatePem);
    await writeFile(keyFile, key, { mode: 0o600 });
    // As the load generator: what stands at both ends takes as little of the machine as can be.
    const child = spawn(
      runtimeFile(options.length === 0 ? 'bun' : 'node'),
      [script, certFile, keyFile, ...options],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    stack.defer(() => stop(child));
    return [Number(await firstLine(child)), child];
  };
  const [port, plain] = await start(originHost);
  const [http1, keyed] = await start(keyedHosts.http1);
  const [http2, keyedHttp2] = await start(keyedHosts.http2, 'http2');
  return {
    port,
    keyedPorts: { http1, http2 },
    caPem: authority.certificatesPem,
    caFile,
    pids: [plain, keyed, keyedHttp2].map(({ pid }) => pid ?? 0),
  };
}

export function direct(origin: OriginProcess): Contender {
  return {
    name: 'direct',
    to: { originPort: origin.port, host: originHost, caPem: origin.caPem },
    pids: () => ({}),
    [Symbol.asyncDispose]: async () => {},
  };
}

export interface GatewayOptions {
  /** Rules of the policy beside those of the bench, as YAML list items of two spaces. */
  readonly rules?: string;
  /** Lines of the configuration beside those of the bench. */
  readonly config?: string;
  /** What the agents connect to instead of the gateway's own port, by that port: a relay that delays. */
  readonly linkPort?: (gatewayPort: number) => Promise<number>;
}

export interface AgentOptions {
  readonly name?: string;
  readonly runtime?: 'node' | 'bun';
  readonly args?: readonly string[];
}

export interface GatewayProcess extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly config: string;
  readonly state: string;
  pids(): readonly number[];
  /** A session of its own. */
  startAgent(options?: AgentOptions): Promise<Contender>;
}

/** Our gateway, with its state in `directory`: an earlier one's, where one ran there. */
export async function startGateway(
  directory: string,
  origin: OriginProcess,
  options: GatewayOptions = {},
): Promise<GatewayProcess> {
  await using stack = new AsyncDisposableStack();
  const state = join(directory, 'gateway');
  await mkdir(state, { recursive: true, mode: 0o700 });
  const config = join(directory, 'gateway.yaml');
  const port = await freePort();
  const linkPort = (await options.linkPort?.(port)) ?? port;
  await writeFile(join(directory, 'policy.yaml'), policyText(origin) + (options.rules ?? ''));
  await writeFile(join(directory, 'bench-key'), 'a-key-for-the-benchmark', { mode: 0o600 });
  await writeFile(config, gatewayText(state, { port, linkPort }, origin) + (options.config ?? ''));
  const child = spawn(command, ['gateway', '--config', config], { stdio: ['ignore', 'inherit', 'inherit'] });
  stack.defer(() => stop(child));
  await accepts(port, child);
  const url = `https://127.0.0.1:${linkPort}`;
  const gateway = { port, url, config, state, pids: () => withDescendants(child.pid ?? 0) };
  const owned = stack.move();
  return {
    ...gateway,
    startAgent: async (each = {}) => {
      const agent = await startAgent(await mkdtemp(join(directory, 'agent-')), origin, { ...each, gateway });
      owned.use(agent);
      return agent;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function startAgent(
  directory: string,
  origin: OriginProcess,
  options: AgentOptions & { readonly gateway: Pick<GatewayProcess, 'url' | 'config' | 'state' | 'pids'> },
): Promise<Contender> {
  const { gateway, name = 'upstreamproxy', runtime = 'node', args = [] } = options;
  const token = join(directory, 'token');
  await mustRun(command, [
    'token',
    'issue',
    '--config',
    gateway.config,
    '--subject',
    'bench',
    '--out',
    token,
  ]);
  const relayPort = await freePort();
  const agentState = join(directory, 'state');
  const agent = spawn(
    command,
    [
      'agent',
      '--quiet',
      `--gateway=${gateway.url}`,
      `--token-file=${token}`,
      `--gateway-ca=${join(gateway.state, 'server', 'server-ca.pem')}`,
      `--relay-port=${relayPort}`,
      `--state=${agentState}`,
      ...args,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, UPSTREAMPROXY_RUNTIME: runtime } },
  );
  // It prints the environment for others once its session stands; its relay listens before that.
  await firstLine(agent).catch(async (error: unknown) => {
    await stop(agent);
    throw error;
  });
  const caPem = await readFile(join(agentState, 'ca-bundle.pem'), 'utf8');
  return {
    name,
    to: { proxyPort: relayPort, originPort: origin.port, host: originHost, caPem },
    pids: () => ({ agent: [agent.pid ?? 0], gateway: gateway.pids() }),
    [Symbol.asyncDispose]: () => stop(agent),
  };
}

/** Several agents as one contender, whose connections go through them by turns. */
export async function sharedAgents(
  gateway: GatewayProcess,
  count: number,
  options: AgentOptions = {},
): Promise<Contender> {
  const agents: Contender[] = [];
  while (agents.length < count) agents.push(await gateway.startAgent(options));
  const [first] = agents;
  if (first === undefined) throw new Error('no agents were asked for');
  const proxyPort = agents.flatMap(({ to }) => to.proxyPort ?? []);
  return {
    name: first.name,
    to: { ...first.to, proxyPort, caPem: agents.map(({ to }) => to.caPem).join('\n') },
    pids: () => ({ agent: agents.flatMap((each) => each.pids()['agent'] ?? []), gateway: gateway.pids() }),
    [Symbol.asyncDispose]: async () => {
      for (const agent of agents) await agent[Symbol.asyncDispose]();
    },
  };
}

/** One gateway and one agent, or `agents` of them. */
export async function upstreamproxy(
  directory: string,
  origin: OriginProcess,
  options: GatewayOptions & AgentOptions & { readonly agents?: number } = {},
): Promise<Contender & { readonly gatewayUrl: string; readonly gateway: GatewayProcess }> {
  const gateway = await startGateway(directory, origin, options);
  try {
    const agent = await sharedAgents(gateway, options.agents ?? 1, options);
    return {
      ...agent,
      gatewayUrl: gateway.url,
      gateway,
      [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
    };
  } catch (error) {
    await gateway[Symbol.asyncDispose]();
    throw error;
  }
}

function policyText({ port, keyedPorts }: OriginProcess): string {
  const { http1, http2 } = keyedHosts;
  const keyed = 'addresses: 127.0.0.0/8, methods: POST, inject: key';
  return `rules:
  - name: bench
    hosts: ${originHost}
    ports: ${port}
    addresses: 127.0.0.0/8
  - { name: keyed, hosts: ${http1}, ports: ${keyedPorts.http1}, ${keyed} }
  - { name: keyed-http2, hosts: ${http2}, ports: ${keyedPorts.http2}, ${keyed} }
`;
}

function gatewayText(
  state: string,
  { port, linkPort }: { readonly port: number; readonly linkPort: number },
  origin: OriginProcess,
): string {
  return `listen: { address: 127.0.0.1, port: ${port} }
publicNames: [127.0.0.1]
publicOrigins: [https://127.0.0.1:${linkPort}]
stateDirectory: ${state}
policy: policy.yaml
upstream:
  ca: ${origin.caFile}
  hosts: { ${originHost}: 127.0.0.1, ${keyedHosts.http1}: 127.0.0.1, ${keyedHosts.http2}: 127.0.0.1 }
credentials:
  key: { kind: bearer, source: { file: bench-key } }
# One session makes more requests in a run than a workload does in a day.
limits: { auditEventsPerSecondMax: 1000000, auditBytesPerSecondMax: 2000000000 }
log: { level: warn }
`;
}
