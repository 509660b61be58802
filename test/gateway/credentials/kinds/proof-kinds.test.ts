import assert from 'node:assert/strict';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { mustRun } from '../../../support/command.ts';
import { waitUntil } from '../../../support/program.ts';
import { temporaryDirectory } from '../../../support/temporary-directory.ts';
import { skipWithout } from '../../../support/tools.ts';
import { get, sendRaw } from '../../support/raw-http.ts';
import { openRequestPath } from '../../support/request-path.ts';
import { authority, openCredentialScene } from '../support/credential-scene.ts';
import { startNginx } from '../support/nginx.ts';

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

test('nginx that verifies clients takes the certificate of the rule, and refuses what comes without', async (t) => {
  const reason = skipWithout('nginx');
  if (reason !== false) return t.skip(reason);
  await using directory = await temporaryDirectory();
  const trusted = await clientCertificate(directory.path, 'billing');
  const keyFile = join(directory.path, 'billing.key');
  await using nginx = await startNginx(trusted);
  await using path = openRequestPath({
    policy: `
rules:
  - { name: in, hosts: origin.test, ports: ${nginx.port}, addresses: 127.0.0.0/8, paths: /in/**, inject: it }
  - { name: out, hosts: origin.test, ports: ${nginx.port}, addresses: 127.0.0.0/8, paths: /out/** }
`,
    hosts: ['origin.test'],
    trust: [authority.caPem],
    credentials: {
      it: { kind: 'mtls', certificate: join(directory.path, 'billing.pem'), source: { file: keyFile } },
    },
  });
  const at = `origin.test:${nginx.port}`;
  const ask = async (target: string) => await sendRaw(await path.tls(at), get(at, target));
  const admitted = await ask('/in/a');
  assert.equal(admitted.status, 200);
  assert.match(admitted.body, /hello CN=billing/);
  const refused = await ask('/out/a');
  assert.equal(refused.status, 400);
  assert.match(refused.body, /No required SSL certificate was sent/);
  assert.deepEqual(await nginx.log(), [
    'SUCCESS CN=billing "GET /in/a HTTP/1.1"',
    'NONE - "GET /out/a HTTP/1.1"',
  ]);
  // A pair that is not trusted, in the files of the old one: nginx refuses it from the next connection on.
  await clientCertificate(directory.path, 'other');
  await rename(join(directory.path, 'other.key'), keyFile);
  await rename(join(directory.path, 'other.pem'), join(directory.path, 'billing.pem'));
  await waitUntil('the new pair is read', async () => (await ask('/in/b')).status !== 200);
  const [, keyLine = ''] = (await readFile(keyFile, 'utf8')).split('\n');
  const everything = admitted.head + admitted.body + refused.head + refused.body + JSON.stringify(path.audit);
  assert.equal(everything.includes(keyLine), false);
});
