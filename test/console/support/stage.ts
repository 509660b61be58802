// A gateway with its admin port, agents of two teams, origins, and traffic of every kind: what the console is looked at with.

import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { readFile } from 'node:fs/promises';
import { mustRun } from '../../support/command.ts';
import { type AgentProcess, deploy, type Deployment } from '../../support/deployment.ts';
import { freePort } from '../../support/free-port.ts';
import { httpsOrigin } from '../../support/origin.ts';
import { launcher } from '../../support/program.ts';
import { agentThrough } from '../../support/proxy-client.ts';
import { createTestAuthority } from '../../support/test-authority.ts';

export interface ConsoleStage extends AsyncDisposable {
  readonly deployment: Deployment;
  /** Where the console is. */
  readonly origin: string;
  token(role: string): Promise<string>;
  /** One request of a workload; gives its status. */
  request(asked: WorkloadRequest): Promise<number>;
  /** Asks for access, as a workload does; gives the status. */
  askAccess(wish: Readonly<Record<string, string>>): Promise<number>;
  readonly agents: readonly AgentProcess[];
}

export interface WorkloadRequest {
  readonly host: string;
  readonly path: string;
  readonly method?: string;
  readonly body?: string;
  readonly agent?: number;
}

const hosts = [
  'api.example.com',
  'docs.example.com',
  'registry.example',
  'files.example.com',
  'telemetry.example',
  'mirror.example',
] as const;

/** Those of `/held` have no end until `/release` is asked for. */
const heldResponses = new Set<http.ServerResponse>();

/** What a page would run, and a terminal obey. */
const hostileBody =
  '<img src=x onerror=alert(1)><script>alert(2)</script>\n\u202egnp.exe\u001b[2J\n{"a": 1}\n';

const addresses = ['127.0.0.1'];
const rules = [
  { name: 'docs', addresses, hosts: ['docs.example.com'], methods: ['GET', 'HEAD'] },
  {
    name: 'api-read',
    addresses,
    hosts: ['api.example.com'],
    methods: ['GET', 'HEAD'],
    inject: 'api-token',
    capture: { bodies: true },
  },
  {
    name: 'no-orders',
    hosts: ['api.example.com'],
    paths: ['/v1/orders'],
    deny: 'Orders are real. Use the sandbox.',
  },
  { name: 'packages-read', addresses, hosts: ['registry.example'], methods: ['GET', 'HEAD'] },
  { name: 'artifacts', addresses, hosts: ['files.example.com'], methods: ['GET'] },
  { name: 'no-telemetry', hosts: ['telemetry.example'], deny: 'Telemetry is off for builds and agents.' },
];

/** `more`: rules before those that each stage has. */
export async function openConsoleStage(more: readonly object[] = []): Promise<ConsoleStage> {
  await using stack = new AsyncDisposableStack();
  const authority = createTestAuthority();
  const origin = stack.use(await httpsOrigin({ authority, handler: respond }));
  const port = await freePort();
  const deployment = stack.use(
    await deploy({
      rules: [...more, ...rules].map((rule) => Object.assign({ ports: [origin.port] }, rule)),
      hosts: Object.fromEntries(hosts.map((host) => [host, '127.0.0.1'])),
      authority,
      credentials: {
        'api-token': { kind: 'bearer', source: { env: 'API_TOKEN' }, placeholder: { env: 'API_TOKEN' } },
      },
      environment: { API_TOKEN: 'value-that-nobody-may-see' },
      config: { admin: { listen: { port } } },
    }),
  );
  const agents = [stack.use(await deployment.startAgent()), stack.use(await deployment.startAgent())];
  const connections = new Map<string, https.Agent>();
  stack.defer(() => {
    for (const one of connections.values()) one.destroy();
  });
  const connectionFor = async (at: number, host: string): Promise<https.Agent> => {
    const key = `${at} ${host}`;
    const known = connections.get(key);
    // One that the gateway has closed since, for nothing came by it, is made anew.
    if (known !== undefined && Object.keys(known.freeSockets).length > 0) return known;
    known?.destroy();
    const agent = agents[at]!;
    const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
    const made = await agentThrough({ relayPort: agent.relayPort, host, port: origin.port, ca });
    connections.set(key, made);
    return made;
  };
  const owned = stack.move();
  return {
    deployment,
    origin: `http://127.0.0.1:${port}`,
    agents,
    token: async (role) => (await mustRun(launcher, tokenCommand(role, deployment.configFile))).trim(),
    request: async ({ host, path, method = 'GET', body, agent = 0 }) => {
      const connection = await connectionFor(agent, host);
      const asked = https.request({ agent: connection, host, port: origin.port, path, method });
      asked.end(body);
      const [response] = (await once(asked, 'response')) as [IncomingMessage];
      response.resume();
      await once(response, 'end');
      return response.statusCode ?? 0;
    },
    askAccess: async (wish) => {
      const asked = http.request({
        port: agents[0]!.relayPort,
        method: 'POST',
        path: 'http://upstreamproxy.invalid/access',
        headers: { host: 'upstreamproxy.invalid', 'content-type': 'application/json' },
      });
      asked.end(JSON.stringify(wish));
      const [response] = (await once(asked, 'response')) as [IncomingMessage];
      response.resume();
      return response.statusCode ?? 0;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function tokenCommand(role: string, config: string): readonly string[] {
  return ['operator', 'token', '--name', `ada-${role}`, '--role', role, '--for', '1h', '--config', config];
}

function respond(request: http.IncomingMessage, response: http.ServerResponse): void {
  request.resume();
  if (request.url?.startsWith('/broken') === true) {
    response.destroy();
    return;
  }
  if (request.url?.startsWith('/held') === true) {
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.write('so far');
    heldResponses.add(response);
    return;
  }
  if (request.url?.startsWith('/release') === true) {
    for (const one of heldResponses) one.end();
    heldResponses.clear();
  }
  if (request.url?.startsWith('/hostile') === true) {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end(hostileBody + (request.headers.authorization ?? ''));
    return;
  }
  response.writeHead(200, { 'content-type': 'text/plain' });
  response.end('x'.repeat(Number(/\bsize=(\d+)/.exec(request.url ?? '')?.[1] ?? 900)));
}

/** Each kind of row once, and some of them again and again. */
export async function sendTraffic({ request }: ConsoleStage): Promise<void> {
  const read = (host: string, path: string, agent = 0): Promise<number> => request({ host, path, agent });
  await read('docs.example.com', '/api/items.html');
  await read('registry.example', '/react?size=14100');
  for (let count = 0; count < 6; count += 1) await read('registry.example', '/left-pad', count % 2);
  await read('api.example.com', '/v1/items?limit=50');
  await request({ host: 'api.example.com', path: '/v1/items', method: 'POST', body: '{}' });
  await read('api.example.com', '/v1/orders', 1);
  await read('files.example.com', '/broken/build/cache.tar.zst');
  await read('files.example.com', '/models/whisper-small.bin?size=311000', 1);
  for (let count = 0; count < 3; count += 1)
    await request({ host: 'telemetry.example', path: '/v2/events', method: 'POST', body: '{}' });
  await read('mirror.example', '/debian/dists/stable/InRelease');
  await read('api.example.com', '/v1/carts/7f31');
  await request({ host: 'docs.example.com', path: `/${'long/'.repeat(60)}end`, agent: 1 });
}
