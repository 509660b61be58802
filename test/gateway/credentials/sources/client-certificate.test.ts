// What the gateway shows of itself to a collector: the pair of now, and never half of one.

import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { rename, rm, writeFile } from 'node:fs/promises';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { createServer, type TLSSocket } from 'node:tls';
import {
  type ClientCertificate,
  clientOf,
} from '../../../../src/gateway/credentials/sources/client-certificate.ts';
import { otlpClient } from '../../../../src/gateway/telemetry/otlp-client.ts';
import { SyslogConnection } from '../../../../src/gateway/telemetry/syslog-connection.ts';
import { createDialer } from '../../../../src/net/dialer.ts';
import { createResolver } from '../../../../src/net/resolver.ts';
import { asProxyError, type ProxyError } from '../../../../src/protocol/error.ts';
import { defaultLimits } from '../../../../src/protocol/limits.ts';
import { waitUntil } from '../../../support/program.ts';
import { withTemporaryDirectory } from '../../../support/temporary-directory.ts';
import { createTestAuthority } from '../../../support/test-authority.ts';
import { openTestServices } from '../../support/service-fetch.ts';

const authority = createTestAuthority();
/** Of two authorities: one gives all of its certificates the same key. */
const pairs = () => [authority.issue('client.test'), createTestAuthority().issue('client.test')] as const;
const never = new AbortController().signal;
const serialOf = (pem: string): string => new X509Certificate(pem).serialNumber;

interface Scene {
  /** What was told of, by its code. */
  readonly faults: readonly string[];
  remove(file: 'client.pem' | 'client.key'): Promise<void>;
  readonly client: ClientCertificate;
  /** As whoever renews writes them. */
  write(pair: { readonly cert?: string; readonly key?: string }): Promise<void>;
}

async function withScene(body: (scene: Scene) => Promise<void>): Promise<void> {
  await withTemporaryDirectory(async (directory) => {
    const [certFile, keyFile] = [join(directory, 'client.pem'), join(directory, 'client.key')];
    // Files are looked at again once a second of this clock.
    let nowMs = 0;
    const clock = (): number => (nowMs += 10_000);
    const settings = { clientCertificate: { certificate: { file: certFile }, key: { file: keyFile } } };
    const faults: string[] = [];
    const onFault = ({ code }: ProxyError): void => void faults.push(code);
    const needs = { environment: {}, clock, onFault };
    const { client } = clientOf('telemetry.otlp.clientCertificate', settings, needs);
    assert.ok(client);
    await body({
      client,
      faults,
      remove: (file) => rm(join(directory, file)),
      write: async ({ cert, key }) => {
        for (const [file, text] of [
          [certFile, cert],
          [keyFile, key],
        ] as const) {
          if (text === undefined) continue;
          await writeFile(`${file}.new`, text);
          await rename(`${file}.new`, file);
        }
      },
    });
  });
}

test('a renewed pair is shown once both files are there, and until then the one before', async () => {
  await withScene(async ({ client, write }) => {
    const [first, second] = pairs();
    await write(first);
    const shown = async (): Promise<string> => {
      const { cert, key } = await client();
      assert.ok(new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)));
      return serialOf(cert);
    };
    assert.equal(await shown(), serialOf(first.cert));
    assert.equal(await client(), await client(), 'one that is the same is the same object');
    await write({ cert: second.cert });
    assert.equal(await shown(), serialOf(first.cert));
    await write({ key: second.key });
    assert.equal(await shown(), serialOf(second.cert));
    await write({ cert: 'half of one' });
    assert.equal(await shown(), serialOf(second.cert));
  });
});

test('a file that is away for a while ends no delivery: the pair before is shown, and it is told once', async () => {
  await withScene(async ({ client, write, remove, faults }) => {
    const [first, second] = pairs();
    await write(first);
    const known = await client();
    await remove('client.key');
    for (const _ of [1, 2]) assert.equal(await client(), known);
    assert.deepEqual(faults, ['credential_unavailable']);
    await write(second);
    assert.equal(serialOf((await client()).cert), serialOf(second.cert));
    await remove('client.pem');
    assert.equal(serialOf((await client()).cert), serialOf(second.cert));
    assert.equal(faults.length, 2, 'one that is away anew is told anew');
  });
});

test('a pair that does not come to fit is told once, and one that fits at the next look is not', async () => {
  await withScene(async ({ client, write, faults }) => {
    const [first, second] = pairs();
    await write(first);
    const known = await client();
    await write({ cert: second.cert });
    assert.equal(await client(), known);
    await write({ key: second.key });
    assert.equal(serialOf((await client()).cert), serialOf(second.cert));
    assert.deepEqual(faults, [], 'it was between two files');
    for (const times of [1, 2]) {
      await write({ key: first.key });
      for (const _ of [1, 2, 3]) assert.equal(serialOf((await client()).cert), serialOf(second.cert));
      assert.equal(faults.length, times);
      await write(second);
      assert.equal(serialOf((await client()).cert), serialOf(second.cert));
    }
    assert.deepEqual(faults, ['credential_unavailable', 'credential_unavailable']);
  });
});

test('what is no pair is told with its place, and nothing of the key', async () => {
  const [first, second] = pairs();
  const encrypted = createPrivateKey(first.key).export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: 'x',
  });
  for (const [pair, told] of [
    [{ cert: first.cert, key: second.key }, /its key is of another certificate/],
    [{ cert: 'none', key: first.key }, /no PEM certificate/],
    [{ cert: first.cert, key: 'secret-that-is-no-key' }, /no PEM key without a passphrase/],
    [{ cert: first.cert, key: encrypted.toString() }, /no PEM key without a passphrase/],
    [{ cert: first.cert }, /client\.key cannot be used/],
  ] as const)
    await withScene(async ({ client, write }) => {
      await write(pair);
      const error = asProxyError(await client().catch((thrown: unknown) => thrown));
      assert.equal(error.code, 'credential_unavailable');
      assert.match(error.message, /telemetry\.otlp\.clientCertificate/);
      assert.match(error.message, told);
      assert.doesNotMatch(error.message, /secret-that|BEGIN/);
    });
});

test('a collector that asks is shown the pair of now, and one that gets none gets no event', async () => {
  await withScene(async ({ client, write }) => {
    const seen: string[] = [];
    const options = { ...authority.issue('127.0.0.1'), requestCert: true, rejectUnauthorized: false };
    const server = https.createServer(options, (request, response) => {
      request.resume();
      const certificate = (request.socket as TLSSocket).getPeerX509Certificate();
      if (certificate === undefined) request.socket.destroy();
      else {
        seen.push(certificate.serialNumber);
        response.end();
      }
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    await using services = openTestServices([]);
    const common = {
      endpoint: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
      headers: () => Promise.resolve({}),
      ca: [authority.caPem],
      fetch: services.fetch,
      timeoutMs: 5000,
    };
    const send = otlpClient({ ...common, client });
    const issued = pairs();
    // Before the files are there it is a failure that may pass.
    assert.equal((await send('logs', new Uint8Array(1), never)).outcome, 'later');
    for (const pair of issued) {
      await write(pair);
      assert.equal((await send('logs', new Uint8Array(1), never)).outcome, 'taken');
    }
    assert.deepEqual(
      seen,
      issued.map(({ cert }) => serialOf(cert)),
    );
    assert.equal((await otlpClient(common)('logs', new Uint8Array(1), never)).outcome, 'later');
    server.close();
    server.closeAllConnections();
  });
});

test('a connection of syslog is made anew when the pair is renewed, and kept while it is the same', async () => {
  await withScene(async ({ client, write }) => {
    await using stack = new AsyncDisposableStack();
    const seen: string[] = [];
    let text = '';
    const options = { ...authority.issue('127.0.0.1'), requestCert: true, rejectUnauthorized: false };
    const server = createServer(options, (socket) => {
      seen.push(socket.getPeerX509Certificate()?.serialNumber ?? 'none');
      socket.on('error', () => undefined);
      socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    });
    stack.defer(() => void server.close());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const resolver = stack.use(createResolver({ limits: defaultLimits, hostsFile: false }));
    const connection = stack.use(
      new SyslogConnection({
        dialer: createDialer({ resolver, trust: [], limits: defaultLimits, reachesThisMachine: true }),
        host: '127.0.0.1',
        port: (server.address() as AddressInfo).port,
        ca: [authority.caPem],
        client,
        sender: { facility: 13, hostname: 'g', processId: 1, structuredDataId: 'upstreamproxy@32473' },
      }),
    );
    const event = JSON.stringify({
      v: 1,
      id: 'e',
      time: '2030-01-01T00:00:00.000Z',
      kind: 'exchange',
      traceId: 'a'.repeat(32),
      verdict: 'allow',
    });
    const issued = pairs();
    for (const pair of issued) {
      await write(pair);
      for (const _ of [1, 2]) assert.equal((await connection.deliver([event], never)).outcome, 'taken');
    }
    // What was on its way on the connection before is not lost with it.
    await waitUntil('four messages', () => text.split('[upstreamproxy@32473').length === 5);
    assert.deepEqual(
      seen,
      issued.map(({ cert }) => serialOf(cert)),
    );
  });
});
