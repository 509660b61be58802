// The agent's own doors, and a gateway that is not the gateway.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { connect } from 'node:net';
import { join } from 'node:path';

import { workloadEnvironment } from '../../../src/agent/environment.ts';
import { startUpstreamProxyRelay } from '../../../src/agent/relay.ts';
import { downloadCaBundle } from '../../../src/agent/trust.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { FakeGateway } from '../../agent/support/fake-gateway.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { answered, get, nothingDialled, refused, type AttackTable } from '../support/attack.ts';

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
    await assert.rejects(startUpstreamProxyRelay({ tunnel, host: '0.0.0.0' }), { code: 'usage' });
  },
  'AGENT-03': {
    notApplicable:
      'what the container may do without the relay is the lock of its network: test/e2e plays it in a network namespace, and the deployer answers for it',
  },
  'AGENT-04': async (a) => {
    answered(
      await a.send(a.at('allowed.test'), get(a.at('allowed.test'), '/httpoxy', 'Proxy: http://evil.test')),
      200,
    );
    assert.doesNotMatch(
      JSON.stringify(a.origins.seen.find(({ path }) => path === '/httpoxy')?.rawHeaders),
      /evil/,
    );
    assert.equal(typeof workloadEnvironment, 'function');
  },
  'AGENT-05': async (a) =>
    withTemporaryDirectory(async (directory) => {
      await using gateway = await FakeGateway.start();
      a.sentry.permit(gateway.port);
      const out = join(directory, 'bundle.pem');
      // Its certificate is of an authority that nobody pinned: nothing is asked of it.
      await assert.rejects(downloadCaBundle(gateway.url, undefined, out), { code: 'gateway_untrusted' });
      assert.deepEqual(gateway.requests, []);
      // A redirect is an answer like any other that is not the right one.
      gateway.faults.set('ca', [{ kind: 'raw', status: 302, type: 'text/plain', body: 'elsewhere' }]);
      await assert.rejects(
        downloadCaBundle(gateway.url, undefined, out, { gatewayCa: gateway.authority.caPem }),
      );
    }),
  'AGENT-06': async (a) => {
    const lost = {
      isUp: false,
      whenUp: () => Promise.reject(new ProxyError('tunnel_lost', 'no gateway')),
      openStream: () => assert.fail(),
    };
    await using relay = await startUpstreamProxyRelay({ tunnel: lost, host: '127.0.0.1' });
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
      answered(
        await a.toRelay(`CONNECT ${a.at('allowed.test')} HTTP/1.1\r\nX: ${'y'.repeat(1_000_000)}\r\n\r\n`, {
          keepOpen: true,
        }),
        400,
        431,
      );
      answered(await a.toRelay(`CONNECT ${a.at('allowed.test')} HTTP/1.1\n\n`), 400);
      const count = scale === 'full' ? 1_000 : 200;
      const replies = await Promise.all(
        Array.from({ length: count }, () => a.toRelay('C', { keepOpen: true })),
      );
      assert.ok(replies.every(({ status, ending }) => status === 408 || ending !== 'open'));
      nothingDialled(a);
    },
  },
};

async function ask(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

export const ca: AttackTable = {
  'CA-01': {
    notApplicable:
      'the endpoints of the public port and the mode of the key are files of their own: test/gateway/session-endpoints and test/pki/authority-files play it',
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
  },
  'CA-04': async (a) =>
    withTemporaryDirectory(async (directory) => {
      await using gateway = await FakeGateway.start();
      a.sentry.permit(gateway.port);
      const out = join(directory, 'bundle.pem');
      const leaf = gateway.authority.issue('leaf.test').cert;
      const answers = [
        '<html>no</html>',
        '{}',
        '',
        'x'.repeat(defaultLimits.caBytesMax + 1),
        leaf,
        gateway.caPem.slice(0, 200),
      ];
      for (const body of answers) {
        gateway.faults.set('ca', [{ kind: 'raw', status: 200, type: 'application/x-pem-file', body }]);
        await assert.rejects(
          downloadCaBundle(gateway.url, undefined, out, { gatewayCa: gateway.authority.caPem }),
          (error: Error & { code: string }) => /ca_invalid|gateway_protocol/.test(error.code),
          body.slice(0, 40),
        );
        await assert.rejects(readFile(out), { code: 'ENOENT' });
      }
    }),
};
