// Gateway, agent and origins as one set-up on this machine: configuration, keys, tokens.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { stringify } from 'yaml';

import { loadGatewayConfig } from '../../src/gateway/config/config.ts';
import { placesOfConfig } from '../../src/cli/gateway/identity-access.ts';
import { issueSessionToken } from '../../src/gateway/sessions/token-issuer.ts';
import { mustRun } from './command.ts';
import { mustRunShared } from './command-process.ts';
import { endChild, launcher, startGatewayProcess, waitForFile, type GatewayProcess } from './program.ts';
import { temporaryDirectory } from './temporary-directory.ts';
import { createTestAuthority, type TestAuthority } from './test-authority.ts';

export interface DeploymentOptions {
  /** Rules of the policy, as in a policy file. */
  readonly rules: readonly Readonly<Record<string, unknown>>[];
  /** Addresses of names behind the gateway. */
  readonly hosts?: Readonly<Record<string, string>>;
  readonly credentials?: Readonly<Record<string, unknown>>;
  /** Environment of the gateway's process, for credentials. */
  readonly environment?: NodeJS.ProcessEnv;
  /** Authority of the origins. */
  readonly authority?: TestAuthority;
  /** More of the gateway's configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Starts the gateway, where that is not the program of the checkout. */
  readonly start?: (configFile: string) => Promise<GatewayProcess>;
  /** Launcher of the gateway and of its commands, where that is not the one of the checkout. */
  readonly program?: string;
}

export interface AgentProcess extends AsyncDisposable {
  readonly pid: number;
  /** What it tells workloads to set. */
  readonly env: Readonly<Record<string, string>>;
  readonly relayPort: number;
  /** What it has written to standard error. */
  said(): string;
  close(): Promise<number | null>;
}

export interface Deployment extends AsyncDisposable {
  readonly directory: string;
  readonly configFile: string;
  /** PEM that agents pin. */
  readonly gatewayCaFile: string;
  readonly gateway: GatewayProcess;
  /** Writes a fresh token of mode 0600 and gives its path. */
  issueToken(): Promise<string>;
  /** Options by which `run` and `agent` reach the gateway with that token. */
  agentOptions(tokenFile: string, gatewayUrl?: string): readonly string[];
  /** `gatewayUrl`: of what stands before the gateway. */
  startAgent(options?: {
    readonly runtime?: 'node' | 'bun';
    readonly gatewayUrl?: string;
    /** Its launcher. */
    readonly program?: string;
    readonly relaySocket?: string;
    /** More of its command line. */
    readonly more?: readonly string[];
  }): Promise<AgentProcess>;
  /** Audit events, oldest first. */
  audit(): Promise<readonly Readonly<Record<string, unknown>>[]>;
}

/** A gateway process with a configuration of its own on a free port; disposing ends it and removes all files. */
export async function deploy(options: DeploymentOptions): Promise<Deployment> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await temporaryDirectory()).path;
  const authority = options.authority ?? createTestAuthority();
  const configFile = join(directory, 'gateway.yaml');
  const policy = stringify({ rules: options.rules }, { aliasDuplicateObjects: false });
  await writeFile(join(directory, 'policy.yaml'), policy);
  await writeFile(join(directory, 'origins.pem'), authority.caPem);
  const config = {
    listen: { address: '127.0.0.1', port: 0 },
    publicNames: ['127.0.0.1'],
    stateDirectory: 'state',
    policy: 'policy.yaml',
    credentials: options.credentials ?? {},
    // For the tunnels of agents that a test has killed: they come no more, and each gateway of a test would wait for them at its end.
    limits: { drainTimeoutMs: 2_000 },
    upstream: { ca: 'origins.pem', hosts: options.hosts ?? {} },
    ...options.config,
  };
  await writeFile(configFile, stringify(config, { aliasDuplicateObjects: false }));
  const { program = launcher } = options;
  const start =
    options.start ?? ((file: string) => startGatewayProcess(file, options.environment, [], program));
  const gateway = stack.use(await start(configFile));
  const gatewayCaFile = join(directory, 'gateway-ca.pem');
  // Another program than that of this checkout is started for each.
  const operate = (args: readonly string[]): Promise<string> =>
    program === launcher ? mustRunShared(args) : mustRun(program, args);
  await writeFile(gatewayCaFile, await operate(['ca', 'show', '--server', '--config', configFile]));
  let tokens = 0;
  const issueToken = async (): Promise<string> => {
    tokens += 1;
    const file = join(directory, `token-${tokens}`);
    const args = ['token', 'issue', '--config', configFile, '--subject', 'test', '--out', file];
    // Of the others, a program for each would be most of the time of some tests.
    if (tokens === 1) await operate(args);
    else await writeFile(file, await furtherToken(configFile), { mode: 0o600, flag: 'wx' });
    return file;
  };
  const agentOptions = (tokenFile: string, gatewayUrl = gateway.url): readonly string[] => {
    return ['--gateway', gatewayUrl, '--gateway-ca', gatewayCaFile, '--token-file', tokenFile];
  };
  const owned = stack.move();
  return {
    directory,
    configFile,
    gatewayCaFile,
    gateway,
    issueToken,
    agentOptions,
    startAgent: async ({
      runtime = 'node',
      gatewayUrl,
      program: agentProgram = launcher,
      relaySocket,
      more = [],
    } = {}) => {
      const state = join(directory, `agent-${tokens}`);
      await mkdir(state);
      const socket = relaySocket === undefined ? [] : ['--relay-socket', relaySocket];
      const said = [...agentOptions(await issueToken(), gatewayUrl), ...socket, ...more];
      return await startAgentProcess(state, said, { runtime, program: agentProgram });
    },
    audit: async () => {
      const args = ['audit', 'tail', '--config', configFile, '--json', '--number', '10000'];
      // A program of its own: on a busy machine its start takes longer, as the gateway takes longer to write what it has to tell.
      const lines = (await mustRun(program, args)).split('\n').filter((line) => line !== '');
      // Printed by our own command: an object a line.
      return lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** What `token issue` writes. */
async function furtherToken(configFile: string): Promise<string> {
  const config = await loadGatewayConfig(configFile);
  const key = await (await placesOfConfig(config)).signingKey.read();
  return issueSessionToken({ ...config.tokens, key, subject: 'test', nowMs: Date.now() });
}

async function startAgentProcess(
  state: string,
  options: readonly string[],
  { runtime, program }: { readonly runtime: string; readonly program: string },
): Promise<AgentProcess> {
  const environmentFile = join(state, 'environment.json');
  const args = ['agent', ...options, '--state', state, '--format', 'json', '--env-file', environmentFile];
  const child = spawn(program, args, {
    env: { ...process.env, UPSTREAMPROXY_RUNTIME: runtime },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const said: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
  const ended = once(child, 'exit').then(() => {
    throw new Error(`the agent ended: ${Buffer.concat(said).toString()}`);
  });
  // Heard once it started: its end is then no fault.
  ended.catch(() => undefined);
  try {
    const text = await Promise.race([waitForFile(environmentFile), ended]);
    // Written by our own command: names and values.
    const env = JSON.parse(text) as Readonly<Record<string, string>>;
    const relayPort = Number(new URL(env['https_proxy'] ?? '').port);
    const close = async (): Promise<number | null> => {
      await endChild(child);
      return child.exitCode;
    };
    return {
      pid: child.pid ?? 0,
      env,
      relayPort,
      said: () => Buffer.concat(said).toString(),
      close,
      [Symbol.asyncDispose]: async () => void (await close()),
    };
  } catch (error) {
    await endChild(child);
    throw error;
  }
}
