// Deciders that ask for a certificate of the gateway: OPA, a webhook, and one over gRPC.

import assert from 'node:assert/strict';
import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Deciders } from '../../src/gateway/deciders/deciders.ts';
import type { DeciderSettings } from '../../src/gateway/config/deciders-settings.ts';
import { createDialer } from '../../src/net/dialer.ts';
import { createResolver } from '../../src/net/resolver.ts';
import { asProxyError } from '../../src/protocol/error.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { openExtAuthz, writeCheckResponse } from '../support/ext-authz-server.ts';
import { mustRun } from '../support/command.ts';
import { openOpa } from '../support/opa-server.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { authority, authorityFile, deciderHost, openScene } from './decider-scene.ts';

interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** That of no authority. */
async function newPair(): Promise<Pair> {
  await using directory = await temporaryDirectory();
  const [cert, key] = [join(directory.path, 'a.pem'), join(directory.path, 'a.key')];
  const make = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
  ];
  await mustRun('openssl', [...make, '-subj', '/CN=gateway', '-keyout', key, '-out', cert]);
  return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') };
}

const [known, other] = await Promise.all([newPair(), newPair()]);
const tls = { authority, host: deciderHost, clients: known.cert };

interface Files {
  readonly clientCertificate: NonNullable<DeciderSettings['clientCertificate']>;
  readonly key: string;
  write(pair: Pair, mode?: number): Promise<void>;
}

async function withFiles(body: (files: Files) => Promise<void>): Promise<void> {
  await using directory = await temporaryDirectory();
  const [certificate, key] = [join(directory.path, 'client.pem'), join(directory.path, 'client.key')];
  await body({
    clientCertificate: { certificate: { file: certificate }, key: { file: key } },
    key,
    write: async (pair, mode = 0o600) => {
      for (const [file, text] of [
        [certificate, pair.cert],
        [key, pair.key],
      ] as const) {
        await writeFile(`${file}.new`, text, { mode });
        await rename(`${file}.new`, file);
      }
    },
  });
}

/** What keeps it from being opened. */
async function fault(
  it: DeciderSettings,
  environment: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: string; readonly message: string } | undefined> {
  const limits = defaultLimits;
  const resolver = createResolver({ limits, hosts: {}, hostsFile: false });
  const dialer = createDialer({ resolver, limits, trust: [] });
  try {
    await using _ = await Deciders.open(
      { it },
      {
        environment,
        clock: Date.now,
        limits,
        onFault: () => undefined,
        dialersBy: () => ({ dialer, loopback: dialer }),
      },
    );
    return undefined;
  } catch (error) {
    return asProxyError(error);
  }
}

test('a decider that asks for a certificate gets it, and one without it, or with another, decides nothing', async () => {
  using files = authorityFile();
  await using opa = await openOpa({ documents: { 'gateway/yes': () => true }, tls });
  await using hook = await openOpa({
    documents: {},
    tls,
    instead: (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"allow":true}');
    },
  });
  const ok = writeCheckResponse({ status: { code: 0 } });
  await using authz = await openExtAuthz({ check: () => ok, tls });
  const ca = [files.ca];
  for (const settings of [
    { kind: 'opa', url: opa.url('gateway/yes'), ca },
    { kind: 'webhook', url: hook.url('x'), ca },
    { kind: 'ext-authz', url: authz.url, ca },
  ] as const)
    for (const [from, status] of [
      [known, 200],
      [other, 503],
      [undefined, 503],
    ] as const)
      await withFiles(async ({ clientCertificate, write }) => {
        if (from !== undefined) await write(from);
        // The server of gRPC says nothing to a certificate that it does not know.
        const decide = `{ by: it, timeoutMs: ${status === 200 ? '60000' : '400'} }`;
        const it = from === undefined ? settings : { ...settings, clientCertificate };
        await using scene = await openScene({ settings: { it }, decide });
        const response = await scene.send();
        assert.equal(response.status, status, `${settings.kind} ${String(status)}`);
        assert.equal(scene.got.length, status === 200 ? 1 : 0);
      });
});

test('a new connection shows the certificate of that moment', async () => {
  using files = authorityFile();
  await using opa = await openOpa({
    documents: { 'gateway/yes': () => true },
    tls,
    instead: (_request, response) => {
      const said = { 'content-type': 'application/json', connection: 'close' };
      response.writeHead(200, said).end('{"result":true}');
    },
  });
  await withFiles(async ({ clientCertificate, write }) => {
    await write(other);
    let nowMs = Date.now();
    await using scene = await openScene({
      settings: { it: { kind: 'opa', url: opa.url('a'), ca: [files.ca], clientCertificate } },
      decide: '{ by: it, timeoutMs: 60000 }',
      clock: () => (nowMs += 10_000),
    });
    assert.equal((await scene.send()).status, 503);
    await write(known);
    assert.equal((await scene.send()).status, 200);
  });
});

test('a key that others may use is not shown, nor does a gateway start with it', async () => {
  using files = authorityFile();
  await using opa = await openOpa({
    documents: { 'gateway/yes': () => true },
    tls,
  });
  await withFiles(async ({ clientCertificate, key, write }) => {
    const it = { kind: 'opa', url: opa.url('gateway/yes'), ca: [files.ca], clientCertificate } as const;
    await write(known, 0o644);
    const told = await fault(it);
    assert.equal(told?.code, 'credential_unavailable');
    assert.equal(told.message, `deciders.it.clientCertificate.key: others may use ${key}; make it mode 600`);
    await chmod(key, 0o640);
    await using scene = await openScene({ settings: { it }, decide: '{ by: it, timeoutMs: 60000 }' });
    await chmod(key, 0o644);
    assert.equal((await scene.send()).status, 503);
    await chmod(key, 0o600);
    assert.equal((await scene.send()).status, 200);
  });
});

test('a key that others may use keeps a gateway from starting, wherever its certificate comes from', () =>
  withFiles(async ({ clientCertificate, key, write }) => {
    const certificate = { env: 'GATEWAY_CERTIFICATE' };
    const it = {
      kind: 'webhook',
      url: 'https://decider.test',
      ca: [],
      clientCertificate: { ...clientCertificate, certificate },
    } as const;
    const environment = { GATEWAY_CERTIFICATE: known.cert };
    await write(known);
    assert.equal(await fault(it, environment), undefined);
    await chmod(key, 0o644);
    const told = await fault(it, environment);
    assert.equal(told?.message, `deciders.it.clientCertificate.key: others may use ${key}; make it mode 600`);
  }));

test('what is no pair keeps a gateway from starting', async () => {
  await withFiles(async ({ clientCertificate, key, write }) => {
    const it = { kind: 'webhook', url: 'https://decider.test', ca: [], clientCertificate } as const;
    assert.equal((await fault(it))?.code, 'credential_unavailable');
    await write(known);
    assert.equal(await fault(it), undefined);
    await writeFile(key, 'none', { mode: 0o600 });
    assert.match(
      (await fault(it))?.message ?? '',
      /deciders\.it\.clientCertificate cannot be used: its key is no PEM key/,
    );
    await writeFile(key, other.key);
    assert.match((await fault(it))?.message ?? '', /its key is of another certificate/);
  });
});
