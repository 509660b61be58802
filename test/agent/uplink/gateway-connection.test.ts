import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { describe, test } from 'node:test';
import type { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { dialGateway, openGateway } from '../../../src/agent/uplink/gateway-connection.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { resourceBaseline, resourcesSettled } from '../../support/resources.ts';
import { FakeGateway } from '../support/fake-gateway.ts';
import { finished, quietEnvironment, spawnScript } from '../support/child.ts';

async function tcpServer(
  onSocket: (socket: Socket) => void,
): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('dialling the gateway', () => {
  test('connects where the certificate is the expected one', async () => {
    await using fake = await FakeGateway.start();
    const socket = await dialGateway(openGateway(fake.url, { ca: fake.authority.caPem }), defaultLimits);
    assert.equal(socket.destroyed, false);
    socket.destroy();
  });

  test('checks the name where the gateway is named, not numbered', async () => {
    await using fake = await FakeGateway.start({ certificateHost: 'localhost' });
    const gateway = openGateway(`https://localhost:${fake.port}`, { ca: fake.authority.caPem });
    (await dialGateway(gateway, defaultLimits)).destroy();
    const numbered = openGateway(fake.url, { ca: fake.authority.caPem });
    await assert.rejects(dialGateway(numbered, defaultLimits), { code: 'gateway_untrusted' });
  });

  test('refuses a certificate of another authority', async () => {
    await using fake = await FakeGateway.start();
    const gateway = openGateway(fake.url, { ca: createTestAuthority().caPem });
    await assert.rejects(dialGateway(gateway, defaultLimits), { code: 'gateway_untrusted' });
  });

  test('trusts what the gateway told of its next authority, in place of what it told before, beside what was given', async () => {
    await using before = await FakeGateway.start();
    await using after = await FakeGateway.start();
    const gateway = openGateway(before.url, { ca: before.authority.caPem });
    const switched = { ...openGateway(after.url, { ca: after.authority.caPem }), pins: gateway.pins };
    const dials = async (to: FakeGateway): Promise<boolean> => {
      const target = {
        ...switched,
        address: { ...switched.address, port: to.port },
        context: gateway.context,
      };
      return await dialGateway(target, defaultLimits).then(
        (socket) => {
          socket.destroy();
          return true;
        },
        ({ code }: ProxyError) => {
          assert.equal(code, 'gateway_untrusted');
          return false;
        },
      );
    };
    const { context } = gateway;
    assert.deepEqual([await dials(before), await dials(after)], [true, false]);
    gateway.trustToo(undefined);
    assert.equal(gateway.context, context);
    const told = `${before.authority.caPem}${after.authority.caPem}`;
    gateway.trustToo(told);
    assert.deepEqual([await dials(before), await dials(after)], [true, true]);
    gateway.trustToo(createTestAuthority().caPem);
    assert.deepEqual([await dials(before), await dials(after)], [true, false]);
  });

  test('refuses a certificate for another name', async () => {
    await using fake = await FakeGateway.start({ certificateHost: 'other.example.com' });
    const gateway = openGateway(fake.url, { ca: fake.authority.caPem });
    await assert.rejects(dialGateway(gateway, defaultLimits), {
      code: 'gateway_untrusted',
      message: `gateway 127.0.0.1:${fake.port}: its certificate is for "other.example.com"; name the gateway so, or add this name to its publicNames`,
    });
  });

  const dayMs = 86_400_000;
  for (const [what, startMs, reason] of [
    ['expired', -200 * dayMs, 'has expired; its operator has to renew it, or the clock here is wrong'],
    ['not valid yet', 30 * dayMs, 'is not valid yet; the clock here is behind, or that of the gateway ahead'],
  ] as const)
    test(`of a certificate that is ${what} it says that, and advises no other CA`, async () => {
      const authority = createTestAuthority(Date.now() + startMs);
      await using fake = await FakeGateway.start({ authority });
      const gateway = openGateway(fake.url, { ca: authority.caPem });
      await assert.rejects(dialGateway(gateway, defaultLimits), {
        code: 'gateway_untrusted',
        message: `gateway 127.0.0.1:${fake.port}: its certificate ${reason}`,
      });
    });

  test('says when nothing listens', async () => {
    const { port } = await (async () => {
      await using closed = await tcpServer(() => {});
      return closed;
    })();
    const gateway = openGateway(`https://127.0.0.1:${port}`, { ca: createTestAuthority().caPem });
    await assert.rejects(dialGateway(gateway, defaultLimits), {
      code: 'gateway_unreachable',
      message: /cannot be reached: nothing listens there$/,
    });
  });

  test('says when the other end speaks no TLS', async () => {
    await using plain = await tcpServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const gateway = openGateway(`https://127.0.0.1:${plain.port}`, { ca: createTestAuthority().caPem });
    // Bun tells the same as a lost connection.
    await assert.rejects(dialGateway(gateway, defaultLimits), { code: /^gateway_(protocol|unreachable)$/ });
  });

  test('gives up at its deadline and when cancelled, and leaves nothing', async () => {
    const baseline = resourceBaseline();
    {
      await using silent = await tcpServer(() => {});
      const gateway = openGateway(`https://127.0.0.1:${silent.port}`, { ca: createTestAuthority().caPem });
      const limits = { ...defaultLimits, connectTimeoutMs: 20, handshakeTimeoutMs: 20 };
      await assert.rejects(dialGateway(gateway, limits), { code: 'timeout' });
      const controller = new AbortController();
      const dialled = dialGateway(gateway, defaultLimits, controller.signal);
      controller.abort();
      await assert.rejects(dialled, { code: 'cancelled' });
      await assert.rejects(dialGateway(gateway, defaultLimits, controller.signal), { code: 'cancelled' });
    }
    await resourcesSettled(baseline);
  });
});

describe('the environment cannot weaken the connection', () => {
  // The control: a careless client is fooled by these, and the certificate in them would do.
  const variables = (pemPath: string): readonly Record<string, string>[] => [
    { NODE_TLS_REJECT_UNAUTHORIZED: '0' },
    { NODE_EXTRA_CA_CERTS: pemPath },
    { SSL_CERT_FILE: pemPath, NODE_USE_SYSTEM_CA: '1' },
  ];
  test('neither by switching verification off nor by adding trust', async () => {
    await withTemporaryDirectory(async (folder) => {
      await using fake = await FakeGateway.start();
      await writeFile(`${folder}/evil.pem`, fake.authority.caPem);
      await writeFile(`${folder}/other.pem`, createTestAuthority().caPem);
      for (const extra of variables(`${folder}/evil.pem`)) {
        const args = [fake.url, `${folder}/other.pem`];
        const child = spawnScript('dial-script.ts', args, {
          env: quietEnvironment(extra),
          stdio: ['ignore', 'pipe', 'ignore'],
        });
        const { output } = await finished(child);
        assert.equal(output.trim(), 'gateway_untrusted', JSON.stringify(Object.keys(extra)));
      }
      const child = spawnScript('dial-script.ts', [fake.url, `${folder}/evil.pem`]);
      assert.equal((await finished(child)).output.trim(), 'connected', 'the script itself can connect');
    });
  });

  test('nor by naming a proxy', async () => {
    let connections = 0;
    await using proxy = await tcpServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await using fake = await FakeGateway.start({ certificateHost: '127.0.0.1' });
    await withTemporaryDirectory(async (folder) => {
      await writeFile(`${folder}/ca.pem`, fake.authority.caPem);
      const url = `http://127.0.0.1:${proxy.port}`;
      const env = quietEnvironment({
        HTTPS_PROXY: url,
        https_proxy: url,
        NODE_USE_ENV_PROXY: '1',
        NO_PROXY: '',
      });
      const child = spawnScript('dial-script.ts', [fake.url, `${folder}/ca.pem`], { env });
      assert.equal((await finished(child)).output.trim(), 'connected');
    });
    assert.equal(connections, 0);
  });
});
