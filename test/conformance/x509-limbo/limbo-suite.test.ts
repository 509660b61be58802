// Cases of our own in the form of x509-limbo. `npm run test:conformance x509-limbo` runs the suite's, where they are to be had.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { dnsName, makeCertificate } from '../../support/certificate-chain.ts';
import type { CertificateShape, MadeCertificate } from '../../support/certificate-chain.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import type { CaseResult } from '../suite.ts';
import { runLimbo } from './limbo-suite.ts';
import type { LimboCase } from './limbo-suite.ts';

const root = makeCertificate({ subject: 'root', isAuthority: true });

function caseOf(id: string, leaf: MadeCertificate, more: Partial<LimboCase> = {}): LimboCase {
  return {
    id,
    features: [],
    validation_kind: 'SERVER',
    trusted_certs: [root.pem],
    untrusted_intermediates: [],
    peer_certificate: leaf.pem,
    peer_certificate_key: leaf.key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    validation_time: null,
    expected_result: 'SUCCESS',
    expected_peer_name: { kind: 'DNS', value: 'a.example.com' },
    ...more,
  };
}

async function run(testcases: readonly LimboCase[]): Promise<readonly CaseResult[]> {
  return await withTemporaryDirectory(async (folder) => {
    const file = join(folder, 'limbo.json');
    await writeFile(file, JSON.stringify({ version: 1, testcases }));
    return await runLimbo(file);
  });
}

/** An authority with constraints, and a leaf of it. */
function constrained(constraints: CertificateShape['constraints']): LimboCase {
  const issuer = makeCertificate({
    subject: 'between',
    issuer: root,
    isAuthority: true,
    constraints: constraints!,
  });
  const leaf = makeCertificate({ issuer, names: [dnsName('a.example.com')] });
  return caseOf('constrained', leaf, { untrusted_intermediates: [issuer.pem] });
}

const good = makeCertificate({ issuer: root, names: [dnsName('a.example.com')] });
const FAILURE = { expected_result: 'FAILURE' } as const;

test('certificates are taken and refused as the cases say', async () => {
  const stranger = makeCertificate({ subject: 'stranger', isAuthority: true });
  const results = await run([
    caseOf('good', good),
    caseOf('another host', good, { ...FAILURE, expected_peer_name: { kind: 'DNS', value: 'b.example.com' } }),
    caseOf('another root', good, { ...FAILURE, trusted_certs: [stranger.pem] }),
    constrained({ permitted: [dnsName('example.com')] }),
    { ...constrained({ permitted: [dnsName('example.org')] }), ...FAILURE },
    { ...constrained({ excluded: [dnsName('a.example.com')] }), ...FAILURE },
    caseOf(
      'out of date',
      makeCertificate({ issuer: root, names: [dnsName('a.example.com')], notAfterMs: Date.now() - 1 }),
      FAILURE,
    ),
  ]);
  assert.deepEqual(
    results.map(({ state }) => state),
    Array.from({ length: 7 }, () => 'passed'),
  );
});

test('a case whose expectation is not met fails, and says why', async () => {
  const [taken, refused] = await run([
    caseOf('good', good, FAILURE),
    caseOf('another host', good, { expected_peer_name: { kind: 'DNS', value: 'b.example.com' } }),
  ]);
  assert.match(taken?.state === 'failed' ? taken.why : '', /it is taken/);
  assert.match(refused?.state === 'failed' ? refused.why : '', /^origin_untrusted: .*b\.example\.com/);
});

test('what the gateway has no part in is left out, and no address is dialled', async () => {
  const results = await run([
    caseOf('client', good, { validation_kind: 'CLIENT' }),
    caseOf('time', good, { validation_time: '2024-01-01T00:00:00Z' }),
    caseOf('pedantic', good, { features: ['pedantic-rfc5280'] }),
    caseOf('revoked', good, { features: ['has-crl'] }),
    caseOf('address', good, { expected_peer_name: { kind: 'IP', value: '192.0.2.1' } }),
    caseOf('keyless', good, { peer_certificate_key: null }),
    caseOf('online::example.com', good),
  ]);
  assert.deepEqual(
    results.map(({ state }) => state),
    Array.from({ length: 7 }, () => 'excluded'),
  );
});
