// The agent's own doors, and a gateway that is not the gateway.

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, stat } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';

import { workloadEnvironment } from '../../../src/agent/environment.ts';
import { startRelay } from '../../../src/agent/relay/relay.ts';
import { writeCaBundle } from '../../../src/agent/trust/trust.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { FakeGateway } from '../../agent/support/fake-gateway.ts';
import { runCommand } from '../../support/command.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { deploy } from '../../support/deployment.ts';
import { namespaceObstacle, networkNamespace } from '../../support/network-namespace.ts';
import { patienceMs } from '../../support/patience.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import {
  responded,
  CannotPlayHere,
  get,
  nothingDialled,
  refused,
  type AttackTable,
} from '../support/attack.ts';
import { http2Send, openHttp2, pseudo } from '../support/http2-client.ts';

export const agentSide: AttackTable = {
  'AGENT-01': async (a) => {
    const port = await a.relayPort();
    const addresses = Object.values(networkInterfaces())
      .flatMap((entries) => entries ?? [])
      .filter(({ internal, family }) => !internal && family === 'IPv4');
    for (const { address } of addresses) {
      const reached = await new Promise<boolean>((resolve) => {
        const socket = connect({ port, host: address });
        socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
        socket.once('connect', () => socket.destroy());
      });
      assert.equal(reached, false, address);
      a.sentry.permitAddress(address);
    }
    const tunnel = { isUp: false, whenUp: async () => undefined, openStream: () => assert.fail() };
    await assert.rejects(startRelay({ tunnel, host: '0.0.0.0' }), { code: 'usage' });
  },
  'AGENT-03': {
    // Processes start at the same time.
    neighbourMsMax: 5_000,
    run: async () => {
      const obstacle = namespaceObstacle();
      if (obstacle !== undefined) throw new CannotPlayHere(obstacle);
      await using namespace = await networkNamespace();
      await using gate = await listenAt(namespace.outsideAddress);
      const [command, ...args] = namespace.enter([
        process.execPath,
        egressScript,
        String(gate.port),
        gate.address,
      ]);
      const { code, stdout, stderr } = await runCommand(command, args, { timeoutMs: 2 * patienceMs });
      assert.equal(code, 0, stderr);
      // Printed by our own script: what it tried, and what came of it.
      const tried = JSON.parse(stdout) as Readonly<Record<string, string>>;
      // The control: the one way that is open, is.
      const { gateway, ...others } = tried;
      assert.equal(gateway, 'reached');
      assert.ok(Object.keys(others).length >= 8);
      for (const [what, outcome] of Object.entries(others))
        assert.match(outcome, /^E[A-Z]+$/, `${what}: ${outcome}`);
    },
  },
  'AGENT-04': async (a) => {
    const at = a.at('allowed.test');
    responded(await a.send(at, get(at, '/httpoxy', 'Proxy: http://evil.test')), 200);
    await using client = await openHttp2(a, at);
    await http2Send(a, client, [[...pseudo(at, '/httpoxy2'), ['proxy', 'http://evil.test']]]);
    const seen = a.origins.seen.filter(({ path }) => path.startsWith('/httpoxy'));
    assert.equal(seen.length, 2);
    for (const { rawHeaders } of seen) assert.doesNotMatch(JSON.stringify(rawHeaders), /evil/);
    // Exceptions of the container's own are kept as names; both spellings say the same, and none switches the relay off.
    const own = 'localhost,127.0.0.1,::1';
    for (const [value, more] of [
      ['*', ''],
      ['.test', ',.test'],
      ['[::1]', ',[::1]'],
      ['A.test b.TEST', ',a.test,b.test'],
    ] as const)
      for (const name of ['NO_PROXY', 'no_proxy']) {
        const base = { [name]: value, HTTP_PROXY: 'http://evil.test:1', http_proxy: 'http://evil.test:2' };
        const files = { bundle: '/etc/bundle.pem' };
        const placeholders = { no_proxy: '*', NO_PROXY: '*', https_proxy: 'http://evil.test:3' };
        const env = workloadEnvironment({ port: 1_234, files, base, placeholders });
        assert.equal(env['no_proxy'], `${own}${more}`);
        assert.equal(env['NO_PROXY'], env['no_proxy']);
        for (const proxy of ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY'])
          assert.equal(env[proxy], 'http://127.0.0.1:1234');
      }
  },
  'AGENT-05': async (a) =>
    withTemporaryDirectory(async (directory) => {
      await using gateway = await FakeGateway.start();
      a.sentry.permit(gateway.port);
      const out = join(directory, 'bundle.pem');
      // Its certificate is of an authority that nobody pinned: nothing is asked of it.
      await assert.rejects(writeCaBundle(gateway.url, undefined, out), { code: 'gateway_untrusted' });
      assert.deepEqual(gateway.requests, []);
      // A redirect is a response like any other that is not the right one.
      gateway.faults.set('ca', [{ kind: 'raw', status: 302, type: 'text/plain', body: 'elsewhere' }]);
      await assert.rejects(
        writeCaBundle(gateway.url, undefined, out, { gatewayCa: gateway.authority.caPem }),
      );
    }),
  'AGENT-06': async (a) => {
    const lost = {
      isUp: false,
      whenUp: () => Promise.reject(new ProxyError('tunnel_lost', 'no gateway')),
      openStream: () => assert.fail(),
    };
    await using relay = await startRelay({ tunnel: lost, host: '127.0.0.1' });
    a.sentry.permit(relay.port);
    const text = await ask(relay.port, `CONNECT ${a.at('allowed.test')} HTTP/1.1\r\n\r\n`);
    assert.match(text, /^HTTP\/1\.1 50[23] [\s\S]*tunnel_lost/);
    nothingDialled(a);
  },
  'AGENT-07': async (a) => {
    const port = await a.relayPort();
    for (const host of [`127.0.0.1:${port}`, `evil.test:${port}`])
      for (const path of ['/', '/healthz', '/../etc/passwd'])
        refused(await a.toRelay(get(host, path), { events: 1 }), 400, 403, 404);
    nothingDialled(a);
  },
  'AGENT-08': {
    limits: { headTimeoutMs: 500 },
    neighbourMsMax: 2_500,
    run: async (a, scale) => {
      responded(
        await a.toRelay(`CONNECT ${a.at('allowed.test')} HTTP/1.1\r\nX: ${'y'.repeat(1_000_000)}\r\n\r\n`, {
          keepOpen: true,
        }),
        400,
        431,
      );
      responded(await a.toRelay(`CONNECT ${a.at('allowed.test')} HTTP/1.1\n\n`), 400);
      const [count, wave] = scale === 'full' ? [10_000, 2_000] : [200, 200];
      for (let sent = 0; sent < count; sent += wave) {
        const replies = await Promise.all(
          Array.from({ length: wave }, () => a.toRelay('C', { keepOpen: true })),
        );
        assert.ok(replies.every(({ ending }) => ending !== 'open'));
      }
      nothingDialled(a);
    },
  },
};

const egressScript = fileURLToPath(new URL('../support/egress-script.ts', import.meta.url));

/** A listener that says nothing. */
async function listenAt(
  address: string,
): Promise<{ readonly address: string; readonly port: number } & AsyncDisposable> {
  const server = createServer((socket) => socket.on('error', () => undefined).end());
  server.listen(0, address);
  await once(server, 'listening');
  // It listens on an address and a port.
  const { port } = server.address() as AddressInfo;
  return { address, port, [Symbol.asyncDispose]: async () => void server.close() };
}

async function askTls(port: number, roots: string, bytes: string): Promise<string> {
  const socket = connectTls({ port, host: '127.0.0.1', ca: roots });
  socket.write(bytes);
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

async function ask(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

export const ca: AttackTable = {
  'CA-01': {
    // Processes start at the same time.
    neighbourMsMax: 5_000,
    run: async (a) => {
      await using deployment = await deploy({ rules: [{ name: 'one', hosts: ['allowed.test'] }] });
      const { gateway, directory, gatewayCaFile } = deployment;
      const { port } = new URL(gateway.url);
      a.sentry.permit(Number(port));
      const roots = await readFile(gatewayCaFile, 'utf8');
      const caPath = '/v1/code/upstreamproxy/ca-cert';
      const paths = [
        caPath,
        '/ca.key',
        '/debug',
        '/debug/heap',
        '/json/list',
        '/state/ca.key',
        ...[
          '../ca.key',
          '..%2fca.key',
          '%2e%2e/state/ca.key',
          '/../../../../etc/passwd',
          '?file=ca.key',
          '/',
        ].map((tail) => `${caPath}/${tail}`),
      ];
      for (const path of paths) {
        const text = await askTls(
          Number(port),
          roots,
          `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`,
        );
        a.note(text);
        assert.doesNotMatch(text, /PRIVATE KEY|root:|heap/, path);
        assert.match(text, path === caPath ? /^HTTP\/1\.1 200 / : /^HTTP\/1\.1 (?:200|4\d\d) /, path);
        // Every 200 is the one fixed response.
        if (text.startsWith('HTTP/1.1 200')) assert.match(text, /BEGIN CERTIFICATE/);
      }
      let keys = 0;
      for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue;
        const file = join(entry.parentPath, entry.name);
        if (!(await readFile(file, 'latin1')).includes('PRIVATE KEY')) continue;
        keys += 1;
        assert.equal((await stat(file)).mode & 0o777, 0o600, file);
      }
      assert.ok(keys > 0, 'the key is a file of the gateway');
      assert.doesNotMatch(
        await readFile(`/proc/${gateway.pid}/environ`, 'latin1').catch(() => ''),
        /PRIVATE KEY/,
      );
      assert.doesNotMatch(gateway.log(), /PRIVATE KEY/);
    },
  },
  'CA-03': async (a) => {
    // A root of another gateway does not verify here, and ours signs nothing that is an authority.
    const other = (await FakeGateway.start()) satisfies AsyncDisposable;
    await using _other = other;
    await assert.rejects(
      a.tls(a.at('allowed.test'), { tls: { ca: other.caPem } }),
      /self-signed|unable to|certificate/i,
    );
    a.attempts += 1;
    // The root's path length is zero (RFC 5280 §4.2.1.9): a leaf of it is no issuer, whatever it claims.
    const root = new X509Certificate(a.caPem);
    assert.ok(root.ca && root.raw.includes(Buffer.from('30060101ff020100', 'hex')), 'path length 0');
    const socket = await a.tls(a.at('allowed.test'));
    const leaf = new X509Certificate(socket.getPeerCertificate().raw);
    assert.equal(leaf.ca, false);
    assert.ok(Date.parse(leaf.validTo) <= Date.parse(root.validTo));
    socket.end(get(a.at('allowed.test'), '/leaf'));
    await once(socket.resume(), 'end');
    a.attempts += 1;
  },
  'CA-04': async (a) =>
    withTemporaryDirectory(async (directory) => {
      await using gateway = await FakeGateway.start();
      a.sentry.permit(gateway.port);
      const out = join(directory, 'bundle.pem');
      const leaf = gateway.authority.issue('leaf.test').cert;
      const responses = [
        '<html>no</html>',
        '{}',
        '',
        'x'.repeat(defaultLimits.caBytesMax + 1),
        leaf,
        createTestAuthority(Date.now() - 40 * 365 * 86_400_000).caPem,
        'x'.repeat(50_000_000),
        gateway.caPem.slice(0, 200),
      ];
      for (const body of responses) {
        gateway.faults.set('ca', [{ kind: 'raw', status: 200, type: 'application/x-pem-file', body }]);
        await assert.rejects(
          writeCaBundle(gateway.url, undefined, out, { gatewayCa: gateway.authority.caPem }),
          (error: Error & { code: string }) => /ca_invalid|gateway_protocol/.test(error.code),
          body.slice(0, 40),
        );
        await assert.rejects(readFile(out), { code: 'ENOENT' });
      }
    }),
};
