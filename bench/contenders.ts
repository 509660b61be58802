// What is compared: no proxy, our agent and gateway over wss, and squid with ssl-bump where it is installed.

import { spawn } from 'node:child_process';
import type { ChildProcess, ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { createEphemeralAuthority } from '../src/pki/certificate-authority.ts';
import { cpuSeconds, residentKilobytes, withDescendants } from './process-usage.ts';

const command = fileURLToPath(new URL('../bin/upstreamproxy', import.meta.url));
const squidProgram = '/usr/sbin/squid';
const squidMinter = '/usr/lib/squid/security_file_certgen';
const startMsMax = 20_000;

export const originHost = 'origin.test';
/** Origins whose requests get a credential, by what they speak beside HTTP/1.1. */
export const keyedHosts = { http1: 'keyed.test', http2: 'keyed-http2.test' } as const;
export type KeyedOrigin = keyof typeof keyedHosts;

export interface Contender extends AsyncDisposable {
  readonly name: string;
  readonly proxyPort: number | undefined;
  /** What its clients trust. */
  readonly ca: string;
  /** Its processes by role. */
  usage(): Readonly<Record<string, { readonly cpu: number; readonly kilobytes: number }>>;
}

export interface OriginProcess {
  readonly port: number;
  readonly keyedPorts: Readonly<Record<KeyedOrigin, number>>;
  readonly caPem: string;
  readonly caFile: string;
}

/** Starts the origin; its certificate comes from an authority of its own. */
export async function startOrigin(directory: string, stack: AsyncDisposableStack): Promise<OriginProcess> {
  const authority = createEphemeralAuthority(Date.now());
  const caFile = join(directory, 'origin-ca.pem');
  await writeFile(caFile, authority.certificatesPem);
  const script = fileURLToPath(new URL('origin-process.ts', import.meta.url));
  const start = async (host: string, ...options: readonly string[]): Promise<number> => {
    const leaf = authority.issue(host, Date.now());
    const key =
      typeof leaf.privateKey === 'string'
        ? leaf.privateKey
        : leaf.privateKey.export({ type: 'pkcs8', format: 'pem' });
    const [certFile, keyFile] = [join(directory, `${host}.pem`), join(directory, `${host}.key`)];
    await writeFile(certFile, leaf.certificatePem);
    await writeFile(keyFile, key, { mode: 0o600 });
    const child = spawn(process.execPath, [script, certFile, keyFile, ...options], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    stack.defer(() => stop(child));
    return Number(await firstLine(child));
  };
  const keyedPorts = { http1: await start(keyedHosts.http1), http2: await start(keyedHosts.http2, 'http2') };
  return { port: await start(originHost), keyedPorts, caPem: authority.certificatesPem, caFile };
}

export function direct(origin: OriginProcess): Contender {
  return {
    name: 'direct',
    proxyPort: undefined,
    ca: origin.caPem,
    usage: () => ({}),
    [Symbol.asyncDispose]: async () => {},
  };
}

/** Our gateway and agent as separate processes, the tunnel over TLS on loopback. */
export async function upstreamproxy(
  directory: string,
  origin: OriginProcess,
): Promise<Contender & { readonly gatewayUrl: string }> {
  await using stack = new AsyncDisposableStack();
  const state = join(directory, 'gateway');
  await mkdir(state, { mode: 0o700 });
  const config = join(directory, 'gateway.yaml');
  const gatewayPort = await freePort();
  await writeFile(join(directory, 'policy.yaml'), policyText(origin));
  await writeFile(join(directory, 'bench-key'), 'a-key-for-the-benchmark', { mode: 0o600 });
  await writeFile(config, gatewayText(state, gatewayPort, origin));
  const gateway = spawn(command, ['gateway', '--config', config], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  stack.defer(() => stop(gateway));
  await accepts(gatewayPort, gateway);
  const token = join(directory, 'token');
  const issue = spawn(command, ['token', 'issue', '--config', config, '--subject', 'bench', '--out', token], {
    stdio: 'inherit',
  });
  await once(issue, 'exit');
  const relayPort = await freePort();
  const agentState = join(directory, 'agent');
  const agent = spawn(
    command,
    [
      'agent',
      '--quiet',
      '--gateway',
      `https://127.0.0.1:${gatewayPort}`,
      '--token-file',
      token,
      '--gateway-ca',
      join(state, 'server', 'server-ca.pem'),
      '--relay-port',
      `${relayPort}`,
      '--state',
      agentState,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  stack.defer(() => stop(agent));
  await isReady(agent);
  const ca = await readFile(join(state, 'ca', 'ca.pem'), 'utf8');
  const owned = stack.move();
  return {
    name: 'upstreamproxy',
    gatewayUrl: `https://127.0.0.1:${gatewayPort}`,
    proxyPort: relayPort,
    ca,
    usage: () => ({ agent: usageOf(agent), gateway: usageOf(gateway) }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
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

function gatewayText(state: string, port: number, origin: OriginProcess): string {
  return `listen: { address: 127.0.0.1, port: ${port} }
publicNames: [localhost, 127.0.0.1]
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

/** squid with ssl-bump, or the reason why it is not there. */
export async function squid(directory: string, origin: OriginProcess): Promise<Contender | string> {
  if (!existsSync(squidProgram) || !existsSync(squidMinter)) return 'squid-openssl is not installed';
  await using stack = new AsyncDisposableStack();
  const home = join(directory, 'squid');
  // squid drops its privileges and has to pass through.
  await chmod(directory, 0o755);
  await mkdir(home, { mode: 0o755 });
  const ca = await squidAuthority(home);
  const port = await freePort();
  await writeFile(join(home, 'hosts'), `127.0.0.1 ${originHost}\n`);
  await writeFile(join(home, 'squid.conf'), squidText(home, port, origin));
  const prepare = spawn(squidMinter, ['-c', '-s', join(home, 'minted'), '-M', '4MB'], { stdio: 'ignore' });
  await once(prepare, 'exit');
  await once(spawn('chown', ['-R', 'proxy:proxy', home], { stdio: 'ignore' }), 'exit');
  const child = spawn(squidProgram, ['-N', '-f', join(home, 'squid.conf')], { stdio: 'ignore' });
  stack.defer(() => stop(child));
  await accepts(port, child);
  const owned = stack.move();
  const [pid] = [child.pid ?? 0];
  return {
    name: 'squid',
    proxyPort: port,
    ca,
    usage: () => ({
      squid: { cpu: cpuSeconds(withDescendants(pid)), kilobytes: residentKilobytes(withDescendants(pid)) },
    }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A P-256 authority by openssl, as squid wants it: certificate and key in one file. */
async function squidAuthority(home: string): Promise<string> {
  const script =
    `openssl ecparam -name prime256v1 -genkey -noout -out ${home}/ca.key && ` +
    `openssl req -x509 -new -key ${home}/ca.key -days 30 -subj '/CN=bench squid' -out ${home}/ca.pem ` +
    `-addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' && ` +
    `cat ${home}/ca.pem ${home}/ca.key > ${home}/both.pem`;
  await once(spawn('sh', ['-c', script], { stdio: 'ignore' }), 'exit');
  return readFile(join(home, 'ca.pem'), 'utf8');
}

/**
 * Interception as squid's own documentation configures it (SslPeekAndSplice): peek at the ClientHello in step 1, then
 * bump. With `bump all` alone squid bumps in step 1, before it has seen the client's SNI, which is not the same work.
 */
function squidText(home: string, port: number, origin: OriginProcess): string {
  return `http_port 127.0.0.1:${port} ssl-bump cert=${home}/both.pem generate-host-certificates=on dynamic_cert_mem_cache_size=4MB
sslcrtd_program ${squidMinter} -s ${home}/minted -M 4MB
acl step1 at_step SslBump1
ssl_bump peek step1
ssl_bump bump all
tls_outgoing_options cafile=${origin.caFile}
hosts_file ${home}/hosts
acl SSL_ports port ${origin.port}
http_access allow all
cache deny all
access_log none
cache_log ${home}/cache.log
pinger_enable off
pid_filename none
coredump_dir ${home}
shutdown_lifetime 1 seconds
max_filedescriptors 8192
`;
}

function usageOf(child: ChildProcess): { cpu: number; kilobytes: number } {
  const pids = [child.pid ?? 0];
  return { cpu: cpuSeconds(pids), kilobytes: residentKilobytes(pids) };
}

async function firstLine(child: ChildProcess): Promise<string> {
  const { stdout } = child;
  if (stdout === null) throw new Error('the process has no output');
  const [chunk] = (await once(stdout, 'data', { signal: AbortSignal.timeout(startMsMax) })) as [Buffer];
  return chunk.toString().trim();
}

async function freePort(): Promise<number> {
  const { createServer } = await import('node:net');
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** The agent prints the environment for others once its session stands; its relay listens before that. */
async function isReady(agent: ChildProcessByStdio<null, Readable, null>): Promise<void> {
  const signal = AbortSignal.timeout(startMsMax);
  const ended = once(agent, 'exit', { signal }).then(([code]) => {
    throw new Error(`the agent ended with ${String(code)} before it was ready`);
  });
  // Heard by the race below; afterwards the agent may end.
  ended.catch(() => {});
  await Promise.race([once(agent.stdout, 'data', { signal }), ended]);
  agent.stdout.resume();
}

async function accepts(port: number, child: ChildProcess): Promise<void> {
  const untilMs = performance.now() + startMsMax;
  while (performance.now() < untilMs) {
    if (child.exitCode !== null)
      throw new Error(`the process ended with ${child.exitCode} before it listened`);
    const socket = connect(port, '127.0.0.1');
    const up = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (up) return;
    await delay(50);
  }
  throw new Error(`nothing listens on port ${port}`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 8_000);
  await ended;
  clearTimeout(timer);
}
