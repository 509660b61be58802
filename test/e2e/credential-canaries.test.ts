// A gateway and an agent as real processes, with a credential of each kind: none of the secrets is in anything that the
// workload received, in the audit, in the log at its most talkative, or in a file that either of them wrote.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import https from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import { authority } from '../gateway/credentials/support/credential-scene.ts';
import { openGithubApi } from '../gateway/credentials/support/github-api.ts';
import { openService } from '../gateway/credentials/support/service.ts';
import { approle, openVaultServer } from '../gateway/credentials/support/vault-server.ts';
import { canary, findCanary } from '../support/canary.ts';
import { deploy } from '../support/deployment.ts';
import { httpsOrigin } from '../support/origin.ts';
import type { Origin } from '../support/origin.ts';
import { connectThrough, tlsThrough } from '../support/proxy-client.ts';

const placeholder = 'upstreamproxy-placeholder-substituted';
const app = { appId: '12345', installationId: '678' } as const;

/** Repeats the whole request in head and body, as a hostile or careless origin does. */
function openMirror(seen: string[]): Promise<Origin> {
  return httpsOrigin({
    authority,
    handler: (request, response) => {
      void text(request).then((body) => {
        const whole = `${request.url ?? ''} ${JSON.stringify(request.rawHeaders)} ${body}`;
        seen.push(whole);
        response.writeHead(request.url?.includes('refused') === true ? 401 : 200, {
          'x-authorization': request.headers.authorization ?? 'none',
          'x-target': request.url ?? '',
        });
        response.end(whole);
      });
    },
  });
}

async function filesBelow(directory: string): Promise<ReadonlyMap<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    // A journal may be gone by now.
    const bytes = await readFile(path).catch(() => undefined);
    if (bytes !== undefined) files.set(path, bytes);
  }
  return files;
}

test('no secret of any kind is in what the workload received, the audit, the log or a file', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const appKey = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
  const names = [
    'bearer',
    'basic',
    'header',
    'query',
    'substituted',
    'oauth-client',
    'oauth-token',
    'kv',
  ] as const;
  const secrets = new Map<string, string>(names.map((name) => [name, canary(name)]));
  const secretOf = (name: (typeof names)[number]): string => secrets.get(name) ?? assert.fail();
  const failing = canary('failing');
  // Keys that sign stay at the gateway.
  const signingKey = canary('signing');
  const signingPem = generateKeyPairSync('ed25519')
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString();

  const seen: string[] = [];
  await using origin = await openMirror(seen);
  await using api = await openGithubApi({ ...app, publicKey, clock: Date.now });
  await using vault = await openVaultServer({ clock: Date.now });
  vault.put('app', { password: secretOf('kv') });
  await using issuer = await openService(({ headers }) =>
    headers.authorization?.includes(Buffer.from(`gone:${failing}`).toString('base64')) === true
      ? { status: 401, body: { error: 'invalid_client', error_description: failing } }
      : {
          status: 200,
          body: { access_token: secretOf('oauth-token'), token_type: 'bearer', expires_in: 600 },
        },
  );
  const auth = { approle: { roleId: approle.roleId, secretIdSource: { env: 'SECRET_ID' } } };
  const inVault = (path: string) => ({ vault: { address: vault.url, path, field: 'password', auth } });
  const credentials = {
    bearer: { kind: 'bearer', source: { env: 'BEARER' } },
    basic: { kind: 'basic', username: 'git', source: { env: 'BASIC' } },
    header: { kind: 'header', header: 'X-Api-Key', source: { env: 'HEADER' } },
    query: { kind: 'query', parameter: 'key', source: { env: 'QUERY' } },
    substituted: {
      kind: 'placeholder',
      source: { env: 'SUBSTITUTED' },
      placeholder: { env: 'API_KEY', body: true },
    },
    oauth: { kind: 'oauth', tokenUrl: `${issuer.url}/token`, clientId: 'w', source: { env: 'OAUTH_CLIENT' } },
    github: { kind: 'github-app', ...app, apiUrl: api.url, source: { env: 'APP_KEY' } },
    kv: { kind: 'bearer', source: inVault('secret/data/app') },
    lease: { kind: 'basic', username: 'v', source: inVault('database/creds/app') },
    hmac: {
      kind: 'hmac',
      source: { env: 'SIGNING_KEY' },
      template: '{timestamp}.{body}',
      headers: { 'X-Signature': '{signature}' },
    },
    'http-signature': {
      kind: 'http-signature',
      algorithm: 'ed25519',
      keyId: 'k',
      components: ['@method', 'content-digest'],
      source: { env: 'SIGNING_PEM' },
    },
    'bad-oauth': {
      kind: 'oauth',
      tokenUrl: `${issuer.url}/token`,
      clientId: 'gone',
      source: { env: 'FAILING' },
    },
    'bad-command': {
      kind: 'bearer',
      source: { command: ['/bin/sh', '-c', 'echo "$SHOWN"; echo "$SHOWN" >&2; exit 3'] },
    },
    'bad-vault': { kind: 'bearer', source: inVault('secret/data/none') },
  };
  const own = { hosts: ['api.test'], ports: [origin.port], addresses: ['127.0.0.1/32'] };
  await using deployment = await deploy({
    authority,
    hosts: { 'api.test': '127.0.0.1', localhost: '127.0.0.1' },
    rules: Object.keys(credentials).map((name) =>
      Object.assign({ name, paths: [`/${name}/**`], inject: [name] }, own),
    ),
    credentials,
    environment: {
      ...Object.fromEntries(names.map((name) => [name.toUpperCase().replace('-', '_'), secrets.get(name)])),
      APP_KEY: appKey,
      SIGNING_KEY: signingKey,
      SIGNING_PEM: signingPem,
      SECRET_ID: approle.secretId,
      FAILING: failing,
      SHOWN: failing,
    },
    config: { log: { level: 'debug' }, audit: { file: 'audit.jsonl' } },
  });
  await using agent = await deployment.startAgent();

  const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? assert.fail(), 'utf8');
  const target = { relayPort: agent.relayPort, host: 'api.test', port: origin.port, ca };
  const received: string[] = [];
  const ask = async (path: string, body = ''): Promise<number> => {
    const socket = await tlsThrough(target);
    const fields = {
      authorization: 'Bearer own',
      'x-placeholder': placeholder,
      'content-type': 'application/json',
    };
    const request = https.request({
      createConnection: () => socket,
      host: target.host,
      port: target.port,
      method: 'POST',
      path,
      headers: { ...fields, host: `api.test:${origin.port}`, connection: 'close' },
    });
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    request.once('error', reject).once('response', (response) => {
      text(response).then((said) => {
        received.push(`${response.rawHeaders.join('\n')}\n${said}`);
        resolve(response.statusCode ?? 0);
      }, reject);
    });
    request.end(body);
    return promise;
  };
  for (const name of Object.keys(credentials)) {
    const isBad = name.startsWith('bad-');
    const body = JSON.stringify({ key: placeholder });
    assert.equal(await ask(`/${name}/a?key=own`, body), isBad ? 502 : 200, `${name}: ${received.at(-1)}`);
    assert.equal(await ask(`/${name}/refused`, body), isBad ? 502 : 401, name);
  }
  (await connectThrough(target)).destroy();

  const [token = ''] = api.tokens;
  const [leased = ''] = vault.secrets;
  const used = [...secrets.values(), token, leased].filter((one) => one !== secretOf('oauth-client'));
  // Positive control: the same search finds each of them at the origin.
  for (const secret of used) assert.notDeepEqual(findCanary(seen.join('\n'), secret), [], secret);
  assert.ok(seen.join('\n').includes('X-Signature') && seen.join('\n').includes('signature-input'));
  assert.ok(deployment.gateway.log().includes('listening on'));
  const audit = JSON.stringify(await deployment.audit());
  assert.ok(audit.includes('credential_unavailable') && audit.includes('/bearer/a'));
  const environment = JSON.stringify(agent.env);
  const log = deployment.gateway.log();
  await agent.close();
  await deployment.gateway.close();
  const files = await filesBelow(deployment.directory);
  assert.ok([...files.keys()].some((path) => path.endsWith('audit.jsonl')));
  const hidden = [
    ...used,
    secretOf('oauth-client'),
    failing,
    approle.secretId,
    appKey.slice(200, 260),
    signingKey,
    signingPem.split('\n')[1] ?? assert.fail(),
    ...vault.calls.map(({ headers }) => String(headers['x-vault-token'] ?? failing)),
  ];
  for (const secret of new Set(hidden)) {
    const places = { received: received.join('\n'), audit, environment, log };
    for (const [place, content] of Object.entries(places))
      assert.deepEqual(findCanary(content, secret), [], place);
    for (const [path, bytes] of files) assert.deepEqual(findCanary(bytes, secret), [], path);
  }
});
