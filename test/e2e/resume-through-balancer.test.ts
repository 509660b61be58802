// Tunnels that were opened behind a balancer that passes TLS on, and come back through one that ends it, at another gateway than the one that has
// them: what only ever carried TLS goes on; what carries plaintext of clients does not, for the link is not proven.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TLSSocket } from 'node:tls';

import { freePort } from '../support/free-port.ts';
import { gatewayPair, type GatewayPair } from '../support/gateway-pair.ts';
import { postgresBinaries } from '../support/postgres-server.ts';
import { endChild, type GatewayProcess, waitUntil } from '../support/program.ts';
import { agentThrough, requestThrough, tlsThrough, type ProxyTarget } from '../support/proxy-client.ts';
import { createTestAuthority, type TestAuthority } from '../support/test-authority.ts';
import { tlsEndsInAgent } from '../support/tls-end.ts';
import { skipWithout } from '../support/tools.ts';

const binaries = postgresBinaries();
const skip = !tlsEndsInAgent
  ? 'TLS of clients ends in the gateway'
  : 'missing' in binaries
    ? binaries.missing
    : skipWithout('haproxy');

/** On a connection that stays. The origin responds with the path. */
async function ask(tls: TLSSocket, { host, port }: ProxyTarget, path: string): Promise<void> {
  tls.write(`GET ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`);
  for (let got = ''; !got.endsWith(`\r\n\r\n${path}`);) {
    const [bytes] = (await once(tls, 'data')) as [Buffer];
    got += bytes.toString('latin1');
    assert.match(got, /^HTTP\/1\.1 200 /);
  }
}

async function startOrigins(
  names: readonly string[],
  authority: TestAuthority,
  stack: AsyncDisposableStack,
): Promise<ReadonlyMap<string, number>> {
  const ports = new Map<string, number>();
  for (const name of names) {
    const origin = createServer(authority.issue(name), (request, response) => {
      response.setHeader('content-length', request.url?.length ?? 0).end(request.url);
    });
    stack.defer(() => {
      origin.closeAllConnections();
      origin.close();
    });
    origin.listen(0, '127.0.0.1');
    await once(origin, 'listening');
    // A server that listens on a port has an AddressInfo.
    ports.set(name, (origin.address() as AddressInfo).port);
  }
  return ports;
}

/** HAProxy that ends the TLS of links, and makes it anew to that gateway alone. Agents trust it from now on. Gives its port. */
async function startEndingBalancer(
  { set, portOf }: GatewayPair,
  gateway: GatewayProcess,
  { authority, stack }: { readonly authority: TestAuthority; readonly stack: AsyncDisposableStack },
): Promise<number> {
  const port = await freePort();
  const known = await readFile(set.gatewayCaFile, 'utf8');
  await writeFile(join(set.directory, 'of-gateways.pem'), known);
  await writeFile(set.gatewayCaFile, known + authority.caPem);
  const { cert, key } = authority.issue('127.0.0.1');
  await writeFile(join(set.directory, 'ending.pem'), `${cert}\n${key}`, { mode: 0o600 });
  await writeFile(
    join(set.directory, 'ending.cfg'),
    `defaults
  mode http
  timeout connect 5s
  timeout client 1m
  timeout server 1m
  timeout tunnel 1h
frontend agents
  bind 127.0.0.1:${port} ssl crt ending.pem alpn http/1.1
  default_backend gateways
backend gateways
  server one 127.0.0.1:${portOf(gateway)} ssl verify required ca-file of-gateways.pem alpn http/1.1
`,
  );
  const haproxy = spawn('haproxy', ['-db', '-f', 'ending.cfg'], { cwd: set.directory, stdio: 'ignore' });
  stack.defer(() => endChild(haproxy));
  await waitUntil('the balancer that ends TLS listens', async () => {
    const socket = connect({ host: '127.0.0.1', port });
    const [connected] = await Promise.allSettled([once(socket, 'connect')]);
    socket.destroy();
    return connected.status === 'fulfilled';
  });
  return port;
}

/** An agent behind the balancer of layer 4, and a connection through it that was used. */
async function usedConnection(
  { set, balancerUrl }: GatewayPair,
  [host, port]: readonly [string, number],
  { authority, stack }: { readonly authority: TestAuthority; readonly stack: AsyncDisposableStack },
): Promise<{ readonly target: ProxyTarget; readonly tls: TLSSocket }> {
  const agent = stack.use(await set.startAgent({ gatewayUrl: balancerUrl }));
  const trusted = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
  const target = { relayPort: agent.relayPort, host, port, ca: trusted + authority.caPem };
  const tls = await tlsThrough(target);
  await ask(tls, target, '/first');
  return { target, tls };
}

test(
  'enrolled and opened behind a balancer of layer 4, cut, resumed through one of layer 7',
  { skip },
  async () => {
    await using stack = new AsyncDisposableStack();
    const authority = createTestAuthority();
    const names = ['opened.test', 'passed.test'];
    const ports = await startOrigins(names, authority, stack);
    const rules = names.map((name) => ({
      name: name.replace('.test', ''),
      hosts: [name],
      ports: [ports.get(name)],
      addresses: ['127.0.0.1/32'],
      ...(name === 'passed.test' ? { tls: 'passthrough' } : {}),
    }));
    const pair = stack.use(
      await gatewayPair({
        rules,
        hosts: Object.fromEntries(names.map((name) => [name, '127.0.0.1'])),
        authority,
        config: { peers: { listen: { address: '127.0.0.1', port: 0 } } },
      }),
    );
    const { set, other, balancer } = pair;
    const ending = await startEndingBalancer(pair, other, { authority, stack });
    const [opened, passed] = [
      await usedConnection(pair, ['opened.test', ports.get('opened.test') ?? 0], { authority, stack }),
      await usedConnection(pair, ['passed.test', ports.get('passed.test') ?? 0], { authority, stack }),
    ];
    // A reset: what was cut must not look complete.
    const failed = once(opened.tls, 'error');
    balancer.leadTo(ending);
    balancer.cut();
    // Led to the gateway that has the tunnel, by the one to which the balancer led it.
    await ask(passed.tls, passed.target, '/second');
    passed.tls.destroy();
    const [{ code }] = (await failed) as [NodeJS.ErrnoException];
    assert.equal(code, 'ECONNRESET');
    const refused = async (): Promise<boolean> =>
      (await set.audit()).some(({ action }) => action === 'resume_refused');
    await waitUntil('the alarm', refused);
    // On a fresh tunnel, whose TLS of clients ends in the gateway.
    const client = await agentThrough(opened.target);
    const response = await requestThrough(client, opened.target, { path: '/third' });
    assert.equal(response.statusCode, 200);
    client.destroy();
    const paths = (await set.audit()).filter(({ kind }) => kind === 'exchange').map(({ path }) => path);
    assert.deepEqual(
      paths.filter((path) => path !== undefined),
      ['/first', '/third'],
    );
  },
);
