import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { mustRun } from '../../support/command.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { openCredentialScene } from './support/credential-scene.ts';

async function clientCertificate(directory: string, name: string): Promise<string> {
  const key = join(directory, `${name}.key`);
  const certificate = join(directory, `${name}.pem`);
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
  await mustRun('openssl', [...make, '-subj', `/CN=${name}`, '-keyout', key, '-out', certificate]);
  return await readFile(certificate, 'utf8');
}

test('an origin that demands a client certificate gets it under the rule, and under no other', async () => {
  await using directory = await temporaryDirectory();
  const trusted = await clientCertificate(directory.path, 'billing');
  const key = join(directory.path, 'billing.key');
  await using scene = await openCredentialScene({
    credential: {
      kind: 'mtls',
      certificate: join(directory.path, 'billing.pem'),
      source: { file: key },
    },
    tls: { requestCert: true, rejectUnauthorized: true, ca: trusted },
  });
  const admitted = await scene.get('/in/a', 'Accept-Encoding: gzip');
  assert.equal(admitted.status, 200);
  assert.equal(scene.seen[0]?.clientSubject, 'billing');
  assert.equal(scene.seen[0]?.headers['accept-encoding'], 'gzip');
  // The connection with the certificate is kept open, and is not used for the rule without it.
  const refused = await scene.get('/out/a');
  assert.equal(refused.status, 502);
  assert.equal(scene.seen.length, 1);
  const events = await scene.path.events(2);
  assert.deepEqual(
    events.map((event) => event.injected),
    [['it'], []],
  );
  const [, body = ''] = (await readFile(key, 'utf8')).split('\n');
  assert.ok(body.length > 40);
  assert.equal((scene.received() + JSON.stringify(events)).includes(body), false);
});

test('a key that belongs to another certificate fails closed and says which configuration is wrong', async () => {
  await using directory = await temporaryDirectory();
  const trusted = await clientCertificate(directory.path, 'billing');
  await clientCertificate(directory.path, 'other');
  const certificate = join(directory.path, 'billing.pem');
  await using scene = await openCredentialScene({
    credential: { kind: 'mtls', certificate, source: { file: join(directory.path, 'other.key') } },
    tls: { requestCert: true, rejectUnauthorized: false, ca: trusted },
  });
  const refused = await scene.get('/in/a');
  assert.equal(refused.headers.get('x-deny-reason'), 'config_invalid');
  assert.equal(scene.seen.length, 0);
  await writeFile(certificate, 'no certificate');
  assert.notEqual((await scene.get('/in/a')).status, 200);
  assert.equal(scene.seen.length, 0);
});
