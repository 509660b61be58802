// What holds for every kind that puts a secret on a request, over both versions of HTTP.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';

import type { CredentialConfig } from '../../../src/gateway/credentials/credential-kinds.ts';
import { canary, findCanary } from '../../support/canary.ts';
import { compilePolicy } from '../support/request-path.ts';
import { sendRaw } from '../support/raw-http.ts';
import { openCredentialScene } from './support/credential-scene.ts';
import type { CredentialScene, CredentialSceneOptions, Seen } from './support/credential-scene.ts';
import { openGithubApi } from './support/github-api.ts';
import { openService } from './support/service.ts';
import { approle, openVaultServer } from './support/vault-server.ts';

interface Kind extends AsyncDisposable {
  readonly credential: CredentialConfig;
  readonly environment: Readonly<Record<string, string>>;
  readonly hosts?: readonly string[];
  /** What must not be found; asked once a request was made. */
  readonly secret: () => string;
}

interface KindRow {
  readonly name: string;
  readonly open: () => Promise<Kind>;
  /** The field that it owns, or undefined if it is none. */
  readonly field?: string;
  /** Where the origin has it. */
  readonly expected: (secret: string) => string;
  readonly found: (seen: Seen) => string | undefined;
  /** What the workload sends, beside its own values. */
  readonly target?: string;
  readonly fields?: Readonly<Record<string, string>>;
}

const placeholder = 'upstreamproxy-placeholder-it';
const own = 'own-value-of-the-client';
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const appKey = generateKeyPairSync('rsa', { modulusLength: 2048 });
const nothing = { [Symbol.asyncDispose]: () => Promise.resolve() };

const simple = (credential: CredentialConfig) => (): Promise<Kind> => {
  const secret = canary('kind');
  return Promise.resolve({ credential, environment: { S: secret }, secret: () => secret, ...nothing });
};

async function oauth(): Promise<Kind> {
  const token = canary('token');
  const issuer = await openForm(token);
  return {
    credential: { kind: 'oauth', tokenUrl: issuer.url, clientId: 'workload', source: { env: 'S' } },
    environment: { S: canary('client') },
    secret: () => token,
    [Symbol.asyncDispose]: () => issuer[Symbol.asyncDispose](),
  };
}

async function openForm(token: string): Promise<{ readonly url: string } & AsyncDisposable> {
  const service = await openService(() => ({
    status: 200,
    body: { access_token: token, token_type: 'Bearer', expires_in: 3600 },
  }));
  return { url: `${service.url}/token`, [Symbol.asyncDispose]: () => service[Symbol.asyncDispose]() };
}

async function githubApp(as: 'bearer' | 'basic'): Promise<Kind> {
  const { privateKey, publicKey } = appKey;
  const app = { appId: '1', installationId: '2' };
  const api = await openGithubApi({ ...app, publicKey, clock: Date.now });
  return {
    credential: { kind: 'github-app', ...app, apiUrl: api.url, as, source: { env: 'S' } },
    environment: { S: privateKey.export({ type: 'pkcs1', format: 'pem' }).toString() },
    secret: () => api.tokens[0] ?? '',
    [Symbol.asyncDispose]: () => api[Symbol.asyncDispose](),
  };
}

async function vault(): Promise<Kind> {
  const server = await openVaultServer({ clock: Date.now });
  const auth = { approle: { roleId: approle.roleId, secretIdSource: { env: 'S' } } };
  const source = { address: server.url, path: 'database/creds/app', field: 'password', auth };
  return {
    credential: { kind: 'bearer', source: { vault: source } },
    environment: { S: approle.secretId },
    secret: () => server.secrets[0] ?? '',
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const bearer = {
  field: 'authorization',
  expected: (secret: string) => `Bearer ${secret}`,
  found: ({ headers }: Seen) => headers.authorization,
};
const basicOf = (user: string) => ({
  ...bearer,
  expected: (secret: string) => `Basic ${base64(`${user}:${secret}`)}`,
});
const source = { env: 'S' } as const;
const rows: readonly KindRow[] = [
  { name: 'bearer', open: simple({ kind: 'bearer', source }), ...bearer },
  { name: 'basic', open: simple({ kind: 'basic', username: 'git', source }), ...basicOf('git') },
  {
    name: 'header',
    open: simple({ kind: 'header', header: 'X-Api-Key', source }),
    field: 'x-api-key',
    expected: (secret) => secret,
    found: ({ headers }) => String(headers['x-api-key']),
  },
  {
    name: 'query',
    open: simple({ kind: 'query', parameter: 'key', source }),
    target: `/in/a?key=${own}&k%65y=${own}`,
    expected: (secret) => `/in/a?key=${secret}`,
    found: ({ target }) => target,
  },
  {
    name: 'placeholder',
    open: simple({ kind: 'placeholder', source, placeholder: { env: 'KEY' } }),
    target: `/in/a?key=${placeholder}`,
    fields: { 'x-key': placeholder },
    expected: (secret) => `/in/a?key=${secret} ${secret}`,
    found: ({ target, headers }) => `${target} ${String(headers['x-key'])}`,
  },
  { name: 'oauth', open: oauth, ...bearer },
  { name: 'github-app as bearer', open: () => githubApp('bearer'), ...bearer },
  { name: 'github-app as basic', open: () => githubApp('basic'), ...basicOf('x-access-token') },
  { name: 'a lease of Vault', open: vault, ...bearer },
];

const sceneOf = (kind: Kind, more: Partial<CredentialSceneOptions> = {}): Promise<CredentialScene> =>
  openCredentialScene({ credential: kind.credential, environment: kind.environment, ...more });

for (const row of rows) {
  const target = row.target ?? '/in/a';
  const given = { ...row.fields, ...(row.field === undefined ? {} : { [row.field]: own }) };
  const lines = Object.entries(given).map(([name, value]) => `${name}: ${value}`);

  describe(row.name, () => {
    test("takes the place of the client's own value over both versions of HTTP, and is in nothing that comes back", async () => {
      await using kind = await row.open();
      await using scene = await sceneOf(kind);
      assert.equal((await scene.get(target, ...lines)).status, 200);
      assert.equal((await scene.get2(target, given)).status, 200);
      const secret = kind.secret();
      assert.deepEqual(scene.seen.map(row.found), [row.expected(secret), row.expected(secret)]);
      assert.equal(JSON.stringify(scene.seen).includes(own), false);
      scene.assertKept(secret);
      for (const value of Object.values(kind.environment).filter((one) => one !== secret)) {
        const middle = value.slice(100, 140) || value;
        assert.deepEqual(findCanary(JSON.stringify(scene.seen) + scene.received(), middle), []);
      }
    });

    test('stays on when the client calls its field one of the connection', async () => {
      await using kind = await row.open();
      await using scene = await sceneOf(kind);
      for (const name of [row.field ?? 'authorization', 'Authorization, X-Api-Key, close']) {
        const response = await scene.get(target, `Connection: ${name}`, ...lines);
        if (response.status === 200)
          assert.equal(row.found(scene.seen.at(-1) ?? assert.fail()), row.expected(kind.secret()));
        else assert.equal(response.headers.get('x-deny-reason'), 'request_malformed');
      }
      assert.equal(JSON.stringify(scene.seen).includes(own), false);
    });

    test('goes with the rule only: not along a redirect, not in the clear', async () => {
      await using kind = await row.open();
      await using scene = await sceneOf(kind, {
        status: ({ target: one }) => (one.startsWith('/in') ? 302 : 200),
      });
      assert.equal((await scene.get(target, ...lines)).status, 302);
      const secret = kind.secret();
      await scene.get(target.replace('/in', '/out'), ...lines);
      const outside = JSON.stringify(scene.seen.slice(1));
      assert.deepEqual(findCanary(outside, secret), []);
      scene.assertKept(secret);
      const { socket } = scene.path.open({ authority: '', mode: 'proxy' });
      const request = [`GET http://${scene.at}${target} HTTP/1.1`, `Host: ${scene.at}`, 'Connection: close'];
      const response = await sendRaw(socket, [...request, ...lines, '', ''].join('\r\n'));
      assert.equal(response.headers.get('x-deny-reason'), 'policy_denied');
      assert.equal(scene.seen.length, 2);
    });
  });
}

test('a policy that would inject in the clear or into what is passed through is refused', () => {
  for (const key of ['scheme: http', 'tls: passthrough']) {
    assert.throws(
      () => compilePolicy(`rules: [{ name: a, hosts: a.test, ${key}, inject: it }]`, ['it']),
      /credential|inject/,
    );
  }
});
