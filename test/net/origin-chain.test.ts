import assert from 'node:assert/strict';
import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:tls';
import { describe, test } from 'node:test';

import { createDialer } from '../../src/net/dialer.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import {
  addressName,
  commonName,
  directory,
  directoryNameOf,
  dnsName,
  makeCertificate,
} from '../support/certificate-chain.ts';
import type { CertificateShape, MadeCertificate } from '../support/certificate-chain.ts';

const own = [dnsName('origin.test')];
const root = makeCertificate({ subject: 'root', isAuthority: true });
const limited = (
  constraints: CertificateShape['constraints'],
  more: CertificateShape = {},
): MadeCertificate =>
  makeCertificate({
    subject: 'limited',
    isAuthority: true,
    issuer: root,
    ...more,
    ...(constraints === undefined ? {} : { constraints }),
  });

interface Presented {
  readonly leaf: MadeCertificate;
  /** Sent behind the leaf. */
  readonly others: readonly MadeCertificate[];
  readonly trust?: readonly MadeCertificate[];
}

/** What the dialer makes of an origin that sends this; undefined: it is verified. */
async function refusalOf({ leaf, others, trust = [root] }: Presented): Promise<string | undefined> {
  const cert = [leaf, ...others].map(({ pem }) => pem).join('');
  const server = createServer({ cert, key: pemOf(leaf.key) }, (socket) =>
    socket.on('error', () => undefined).end(),
  );
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const dialer = createDialer({
    resolver: { resolve: () => Promise.resolve(['127.0.0.1']) },
    trust: trust.map(({ pem }) => pem),
    limits: defaultLimits,
  });
  // It listens on an address and a port.
  const { port } = server.address() as AddressInfo;
  try {
    const { socket } = await dialer.dial({
      destination: { scheme: 'https', host: 'origin.test', port },
      addresses: ['127.0.0.0/8'],
      principalId: 'p',
    });
    socket.destroy();
    return undefined;
  } catch (error) {
    return (error as { code: string }).code;
  } finally {
    server.close();
  }
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Whether the runtime alone takes it. */
async function runtimeTakes({ leaf, others, trust = [root] }: Presented): Promise<boolean> {
  const cert = [leaf, ...others].map(({ pem }) => pem).join('');
  const server = createServer({ cert, key: pemOf(leaf.key) }, (socket) =>
    socket.on('error', () => undefined).end(),
  );
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, servername: 'origin.test', ca: trust.map(({ pem }) => pem) });
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.once('secureConnect', () => resolve(true)).once('error', () => resolve(false));
  const takes = await promise;
  socket.destroy();
  server.close();
  return takes;
}

const violations: Readonly<
  Record<string, readonly [CertificateShape['constraints'], readonly Uint8Array[]]>
> = {
  'another name': [{ permitted: [dnsName('example.com')] }, own],
  'an excluded name': [{ excluded: [dnsName('test')] }, own],
  'a wildcard over an excluded name': [
    { excluded: [dnsName('secret.origin.test')] },
    [...own, dnsName('*.origin.test')],
  ],
  'a wildcard over a permitted name': [
    { permitted: [dnsName('origin.test'), dnsName('a.example.com')] },
    [...own, dnsName('*.example.com')],
  ],
  'an excluded address': [
    { excluded: [addressName(10, 0, 0, 0, 255, 0, 0, 0)] },
    [...own, addressName(10, 1, 2, 3)],
  ],
  'an excluded directory name': [
    { excluded: [directory([commonName, 'foo'])] },
    [...own, directory([commonName, 'FOO'])],
  ],
};

describe('an origin whose chain is against its name constraints is not trusted:', () => {
  for (const [name, [constraints, names]] of Object.entries(violations)) {
    test(name, async () => {
      const authority = limited(constraints);
      const leaf = makeCertificate({ issuer: authority, names });
      assert.equal(await refusalOf({ leaf, others: [authority] }), 'origin_untrusted');
      // In the root too.
      const top = makeCertificate({
        subject: 'top',
        isAuthority: true,
        ...(constraints === undefined ? {} : { constraints }),
      });
      const direct = makeCertificate({ issuer: top, names });
      assert.equal(await refusalOf({ leaf: direct, others: [], trust: [top] }), 'origin_untrusted');
    });
  }
});

test('the runtime alone misses one of them', async () => {
  const [constraints, names] = violations['a wildcard over an excluded name'] ?? [undefined, []];
  const authority = limited(constraints);
  assert.equal(
    await runtimeTakes({ leaf: makeCertificate({ issuer: authority, names }), others: [authority] }),
    true,
  );
});

test('chains that keep their constraints are trusted, however they are sent', async () => {
  const authority = limited({ permitted: [dnsName('origin.test')] });
  const leaf = makeCertificate({ issuer: authority, names: own });
  const stranger = makeCertificate({ subject: 'stranger', isAuthority: true });
  const second = makeCertificate({ subject: 'second', isAuthority: true });
  const crossed = makeCertificate({ subject: 'root', isAuthority: true, issuer: second, key: root.key });
  for (const [how, presented] of Object.entries<Presented>({
    'in order': { leaf, others: [authority] },
    'with the root': { leaf, others: [authority, root] },
    'with others between': { leaf, others: [stranger, authority] },
    'with a root that another one signed': { leaf, others: [authority, crossed] },
    'by the other root': { leaf, others: [authority, crossed], trust: [second] },
    'directly below the root': { leaf: makeCertificate({ issuer: root, names: own }), others: [] },
  })) {
    assert.equal(await refusalOf(presented), undefined, how);
  }
});

/** A second certificate for the key and the name of an authority with constraints, which gives no right of its own. */
const disguises: Readonly<Record<string, (key: KeyObject) => MadeCertificate>> = {
  'signed by itself': (key) => makeCertificate({ subject: 'limited', isAuthority: true, key }),
  'signed by somebody else': (key) =>
    makeCertificate({
      subject: 'limited',
      isAuthority: true,
      key,
      issuer: { ...makeCertificate({}), subject: directoryNameOf([commonName, 'root']) },
    }),
  'of a server': (key) => makeCertificate({ subject: 'limited', key, issuer: root }),
  'that has expired': (key) =>
    makeCertificate({
      subject: 'limited',
      isAuthority: true,
      key,
      issuer: root,
      notAfterMs: Date.now() - 1000,
    }),
  'for mail': (key) =>
    makeCertificate({
      subject: 'limited',
      isAuthority: true,
      key,
      issuer: root,
      usages: ['1.3.6.1.5.5.7.3.4'],
    }),
};

describe('constraints are not lost behind a certificate', () => {
  for (const [name, disguise] of Object.entries(disguises)) {
    test(name, async () => {
      const [constraints, names] = violations['a wildcard over an excluded name'] ?? [undefined, []];
      const authority = limited(constraints);
      const leaf = makeCertificate({ issuer: authority, names });
      const other = disguise(authority.key);
      for (const others of [
        [other, authority],
        [authority, other],
      ])
        assert.notEqual(await refusalOf({ leaf, others }), undefined);
    });
  }
});

test('an intermediate that is trusted is an anchor, and what it did not sign is not', async () => {
  const intermediate = makeCertificate({ subject: 'intermediate', isAuthority: true, issuer: root });
  const leaf = makeCertificate({ subject: 'leaf', issuer: intermediate, names: own });
  const foreign = makeCertificate({ subject: 'leaf', issuer: root, names: own });
  assert.equal(await refusalOf({ leaf, others: [], trust: [intermediate] }), undefined);
  assert.equal(await refusalOf({ leaf, others: [intermediate], trust: [intermediate] }), undefined);
  assert.equal(await refusalOf({ leaf: foreign, others: [], trust: [intermediate] }), 'origin_untrusted');
});
