import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Capture } from '../../../src/agent/capture/capture.ts';
import { dnsType } from '../../../src/agent/capture/dns-message.ts';
import { openLoopbackCapture, type LoopbackOptions } from '../../../src/agent/capture/loopback.ts';
import type { TunnelStream } from '../../../src/net/tunnel-stream.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { tunnelPair } from '../../net/tunnel-pair.ts';
import { freePort } from '../../support/free-port.ts';
import { resourceBaseline, resourcesSettled } from '../../support/resources.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { eventually, MemoryLogger } from '../support/enrolled.ts';
import { RelayClient } from '../support/relay-fixture.ts';
import { dnsQuery, readDnsAnswer } from './support/dns-client.ts';

const original = '# \xe9\nnameserver 192.0.2.1';
const skip = process.platform === 'linux' ? false : 'only Linux has all of 127.0.0.0/8';

interface Setting {
  readonly options: LoopbackOptions;
  readonly logger: MemoryLogger;
  readonly resolvConf: string;
  readonly state: string;
  readonly port: number;
  readonly namePort: number;
  /** `CONNECT` lines that arrived at the far end of the tunnel. */
  readonly authorities: readonly string[];
}

/** What a folder of manifests still has; an empty one goes with the last. */
function leftIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  server.listen({ host, port });
  await once(server, 'listening');
}

async function close(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}

async function withSetting(use: (setting: Setting) => Promise<void>): Promise<void> {
  await withTemporaryDirectory(async (folder) => {
    const authorities: string[] = [];
    await using pair = await tunnelPair({
      onStream: (stream: TunnelStream) => {
        authorities.push(stream.fields.authority);
        stream.on('error', () => {});
        stream.pipe(stream);
      },
    });
    const logger = new MemoryLogger();
    const resolvConf = join(folder, 'resolv.conf');
    writeFileSync(resolvConf, original, 'latin1');
    const [port, namePort] = [await freePort(), await freePort()];
    const tunnel = {
      isUp: true,
      whenUp: () => Promise.resolve(),
      openStream: pair.agent.openStream.bind(pair.agent),
    };
    const context = { tunnel, limits: defaultLimits, logger };
    const base = { XDG_STATE_HOME: join(folder, 'state') };
    const state = join(folder, 'state/upstreamproxy/placed');
    const options = { captured: [port], base, context, resolvConf, namePort };
    await use({ options, logger, resolvConf, state, port, namePort, authorities });
  });
}

async function opened(options: LoopbackOptions): Promise<Capture> {
  const capture = await openLoopbackCapture(options);
  if ('refused' in capture) assert.fail(capture.refused);
  return capture;
}

async function refusal(options: LoopbackOptions): Promise<string> {
  const capture = await openLoopbackCapture(options);
  if ('refused' in capture) return capture.refused;
  await capture.close();
  assert.fail('it was not refused');
}

/** Of this machine, but not of loopback. */
function otherAddresses(): readonly string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);
}

async function addressOf(name: string, port: number): Promise<string> {
  const socket = createSocket('udp4');
  const query = dnsQuery(name, dnsType.a);
  socket.send(query, port, '127.64.0.1');
  const [reply] = (await once(socket, 'message')) as [Buffer];
  socket.close();
  return readDnsAnswer(reply, query).data[0] ?? '';
}

test(
  'a name has an address of 127.64.0.0/10, and what connects there is led to the name',
  { skip },
  async () => {
    const before = resourceBaseline();
    await withSetting(async ({ options, resolvConf, state, port, namePort, authorities }) => {
      const capture = await opened(options);
      assert.equal(capture.form, 'loopback');
      assert.match(readFileSync(resolvConf, 'latin1'), /^nameserver 127\.64\.0\.1$/m);
      const address = await addressOf('api.test', namePort);
      assert.match(address, /^127\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./);
      const client = new RelayClient(port, address);
      client.socket.write('hello');
      await client.received('hello');
      assert.deepEqual(authorities, [`api.test:${port}`]);
      assert.equal(capture.connectionCount, 1);
      client.socket.destroy();
      await capture.close();
      await capture.close();
      assert.equal(readFileSync(resolvConf, 'latin1'), original);
      assert.deepEqual(leftIn(state), []);
    });
    await resourcesSettled(before);
  },
);

test('resolv.conf is put back before the last connections have drained', { skip }, async () => {
  await withSetting(async ({ options, resolvConf, port, namePort }) => {
    const capture = await opened(options);
    const client = new RelayClient(port, await addressOf('api.test', namePort));
    client.socket.write('hello');
    await client.received('hello');
    const closing = capture.close({ drainMs: 20_000 });
    await eventually(() => readFileSync(resolvConf, 'latin1') === original, 'it is put back');
    client.socket.write('more');
    await client.received('more');
    client.socket.end();
    await closing;
    assert.equal(await client.ending(), 'end');
  });
});

test('an address that stands for no name is reset, in the range and outside of it', { skip }, async () => {
  await withSetting(async ({ options, port, authorities }) => {
    await using _ = await opened(options);
    for (const address of ['127.0.0.1', '127.64.0.1', '127.64.99.99'])
      assert.equal(await new RelayClient(port, address).ending(), 'ECONNRESET', address);
    // Where the kernel keeps the port from other interfaces, nobody listens there.
    for (const address of otherAddresses())
      assert.match(await new RelayClient(port, address).ending(), /^ECONN(RESET|REFUSED)$/, address);
    assert.deepEqual(authorities, []);
  });
});

test(
  'a peer that is not of loopback is reset, though it connects to the address of a name',
  { skip },
  async (context) => {
    const [own] = otherAddresses();
    if (own === undefined) return context.skip('there is no address but those of loopback');
    await withSetting(async ({ options, port, namePort, authorities }) => {
      await using _ = await opened(options);
      const host = await addressOf('api.test', namePort);
      await using stack = new AsyncDisposableStack();
      const socket = stack.adopt(connect({ host, port, localAddress: own }), (open) => void open.destroy());
      socket.write('hello');
      await assert.rejects(once(socket, 'data'), { code: 'ECONNRESET' });
      // Nor does the resolver response it; what is asked behind it, from loopback, gets a response next.
      const stranger = stack.adopt(createSocket('udp4'), (open) => void open.close());
      stranger.bind({ address: own });
      await once(stranger, 'listening');
      let heard = 0;
      stranger.on('message', () => heard++).send(dnsQuery('api.test', dnsType.a), namePort, '127.64.0.1');
      for (let round = 0; round < 3; round++) assert.equal(await addressOf('api.test', namePort), host);
      assert.equal(heard, 0);
      assert.deepEqual(authorities, []);
    });
  },
);

test('a port that another server has is left out; if all are, nothing is captured', { skip }, async () => {
  await withSetting(async ({ options, port, resolvConf, state }) => {
    const server = createServer();
    await listen(server, '127.0.0.1', port);
    const other = await freePort();
    const capture = await opened({ ...options, captured: [port, other] });
    assert.deepEqual(capture.takenPorts, [port]);
    await capture.close();
    assert.equal(await refusal(options), 'all ports to capture are taken');
    assert.equal(readFileSync(resolvConf, 'latin1'), original);
    assert.deepEqual(leftIn(state), []);
    await close(server);
  });
});

test('of two sessions the second is refused, and the first keeps what it has', { skip }, async () => {
  await withSetting(async ({ options, resolvConf, namePort }) => {
    const first = await opened(options);
    const text = readFileSync(resolvConf, 'latin1');
    assert.equal(
      await refusal({ ...options, captured: [await freePort()] }),
      `port ${namePort} of 127.64.0.1 cannot be opened: another program listens there`,
    );
    assert.equal(readFileSync(resolvConf, 'latin1'), text);
    await first.close();
    assert.equal(readFileSync(resolvConf, 'latin1'), original);
  });
});

test('what somebody else has written meanwhile stays and is told', { skip }, async () => {
  await withSetting(async ({ options, resolvConf, logger, state }) => {
    const capture = await opened(options);
    writeFileSync(resolvConf, 'nameserver 192.0.2.2\n');
    await capture.close();
    assert.equal(readFileSync(resolvConf, 'latin1'), 'nameserver 192.0.2.2\n');
    assert.deepEqual(logger.lines, [`warn stays: ${resolvConf} (changed since)`]);
    assert.deepEqual(leftIn(state), []);
  });
});

test('what a forgotten session has left is put back at the end, not kept for ever', { skip }, async () => {
  await withSetting(async ({ options, resolvConf }) => {
    const first = await opened(options);
    const left = readFileSync(resolvConf, 'latin1');
    await first.close();
    writeFileSync(resolvConf, left, 'latin1');
    await (await opened(options)).close();
    assert.equal(readFileSync(resolvConf, 'latin1'), original);
  });
});

test('a link is followed and stays one', { skip }, async () => {
  await withSetting(async ({ options, resolvConf }) => {
    const link = `${resolvConf}.link`;
    symlinkSync('resolv.conf', link);
    const capture = await opened({ ...options, resolvConf: link });
    assert.match(readFileSync(resolvConf, 'latin1'), /127\.64\.0\.1/);
    await capture.close();
    assert.equal(readFileSync(link, 'latin1'), original);
  });
});

test(
  'where the file or the manifest cannot be, it is refused with the reason and nothing is open',
  { skip },
  async () => {
    const before = resourceBaseline();
    await withSetting(async ({ options, resolvConf, namePort }) => {
      assert.match(await refusal({ ...options, base: {} }), /HOME is not set/);
      assert.match(await refusal({ ...options, resolvConf: `${resolvConf}.missing` }), /it does not exist/);
      writeFileSync(`${resolvConf}.large`, Buffer.alloc(100_000, '#\n'));
      assert.match(await refusal({ ...options, resolvConf: `${resolvConf}.large` }), /too large/);
      assert.match(await refusal({ ...options, base: { XDG_STATE_HOME: resolvConf } }), /cannot be used/);
      const server = createServer();
      await listen(server, '127.64.0.1', namePort);
      await close(server);
    });
    await resourcesSettled(before);
  },
);

test(
  'a file that may not be written is refused, and the listeners are closed again',
  { skip: process.geteuid?.() === 0 ? 'root may write everything' : skip },
  async () => {
    await withSetting(async ({ options, resolvConf, state }) => {
      chmodSync(resolvConf, 0o444);
      assert.match(await refusal(options), /this user has no permission/);
      assert.deepEqual(leftIn(state), []);
    });
  },
);
