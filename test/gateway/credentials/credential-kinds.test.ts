import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { placeholderVariables } from '../../../src/gateway/credentials/credential-kinds.ts';
import { parseGatewayConfig } from '../../../src/gateway/config/config.ts';
import type { ParseGatewayConfigResult } from '../../../src/gateway/config/config.ts';

const parse = (credential: object): ParseGatewayConfigResult =>
  parseGatewayConfig({ file: 'g', text: JSON.stringify({ credentials: { a: credential } }) }, '/etc/gateway');

function settingsOf(credential: object): object {
  const result = parse(credential);
  if ('problems' in result) assert.fail(result.problems.map(({ message }) => message).join('\n'));
  return result.config.credentials['a'] ?? assert.fail('it is not there');
}

function problemsOf(credential: object): readonly string[] {
  const result = parse(credential);
  return 'problems' in result ? result.problems.map(({ message }) => message) : [];
}

const source = { file: 'secret' };
const absolute = { file: '/etc/gateway/secret' };
/** Each kind with every key that it has of its own: what is written, and what follows. */
const roleArn = 'arn:aws:iam::123456789012:role/agent';
const kinds: Readonly<Record<string, readonly [written: object, settings: object]>> = {
  bearer: [{}, {}],
  basic: [{ username: 'u' }, { username: 'u' }],
  header: [
    { header: 'X-Key', prefix: 'Key ' },
    { header: 'X-Key', prefix: 'Key ' },
  ],
  query: [{ parameter: 'key' }, { parameter: 'key' }],
  placeholder: [{ placeholder: { env: 'ACCESS_KEY_ID' } }, { placeholder: { env: 'ACCESS_KEY_ID' } }],
  oauth: [
    { tokenUrl: 'https://i.example.com/t', clientId: 'c', scope: 's', refreshToken: source },
    { tokenUrl: 'https://i.example.com/t', clientId: 'c', scope: 's', refreshToken: absolute },
  ],
  'github-app': [
    {
      appId: 1,
      installationId: '2',
      permissions: { contents: 'read' },
      repositories: ['one'],
      ca: 'ca.pem',
    },
    {
      appId: '1',
      installationId: '2',
      permissions: { contents: 'read' },
      repositories: ['one'],
      apiUrl: 'https://api.github.com',
      as: 'bearer',
      ca: '/etc/gateway/ca.pem',
    },
  ],
  google: [
    {
      scopes: ['https://www.googleapis.com/auth/devstorage.read_only'],
      account: 'agent@my-project.iam.gserviceaccount.com',
      workloadIdentity: { audience: '//iam.googleapis.com/projects/1/x' },
      idTokenAudience: 'https://service.example.com',
      lifetimeSeconds: 900,
      endpoints: { sts: 'https://sts.example.com/v1/token' },
      ca: 'ca.pem',
      emulate: { project: 'my-project', email: 'agent@my-project.iam.gserviceaccount.com' },
    },
    {
      scopes: ['https://www.googleapis.com/auth/devstorage.read_only'],
      account: 'agent@my-project.iam.gserviceaccount.com',
      workloadIdentity: {
        audience: '//iam.googleapis.com/projects/1/x',
        subjectTokenType: 'urn:ietf:params:oauth:token-type:jwt',
      },
      idTokenAudience: 'https://service.example.com',
      lifetimeSeconds: 900,
      endpoints: {
        token: 'https://oauth2.googleapis.com/token',
        sts: 'https://sts.example.com/v1/token',
        iamCredentials: 'https://iamcredentials.googleapis.com',
      },
      ca: '/etc/gateway/ca.pem',
      emulate: {
        project: 'my-project',
        email: 'agent@my-project.iam.gserviceaccount.com',
        zone: 'europe-west1-b',
        projectNumber: '1',
      },
    },
  ],
  azure: [
    {
      tenant: 't1.example.com',
      clientId: 'c1',
      scope: 'https://vault.azure.net/.default',
      ca: 'ca.pem',
      emulate: 'managed-identity',
    },
    {
      tenant: 't1.example.com',
      clientId: 'c1',
      scope: 'https://vault.azure.net/.default',
      authorityUrl: 'https://login.microsoftonline.com',
      ca: '/etc/gateway/ca.pem',
      emulate: 'managed-identity',
    },
  ],
  'publish-token': [
    {
      registry: 'npm',
      package: '@example/tool',
      registryUrl: 'https://registry.example.com',
      ca: 'ca.pem',
    },
    {
      registry: 'npm',
      package: '@example/tool',
      registryUrl: 'https://registry.example.com',
      ca: '/etc/gateway/ca.pem',
    },
  ],
  mtls: [{ certificate: 'c.pem' }, { certificate: '/etc/gateway/c.pem' }],
  sigv4: [
    {
      accessKeyId: source,
      sessionToken: source,
      region: 'eu-central-1',
      service: 's3',
      acls: true,
      role: { arn: roleArn, ca: 'ca.pem', policy: { Statement: [] } },
      emulate: {},
    },
    {
      accessKeyId: absolute,
      sessionToken: absolute,
      region: 'eu-central-1',
      service: 's3',
      acls: true,
      role: {
        arn: roleArn,
        endpoint: 'https://sts.eu-central-1.amazonaws.com/',
        region: 'eu-central-1',
        lifetimeSeconds: 3600,
        ca: '/etc/gateway/ca.pem',
        policy: '{"Statement":[]}',
      },
      emulate: {},
    },
  ],
  hmac: [
    {
      template: 'v0:{body}',
      algorithm: 'sha512',
      keyEncoding: 'hex',
      encoding: 'base64',
      headers: { 'X-Sign': '{signature}' },
      parameters: { time: '{timestamp}' },
      dangerouslyAllowAmbiguous: true,
    },
    {
      text: [{ kind: 'text', text: 'v0:' }, { kind: 'body' }],
      algorithm: 'sha512',
      keyEncoding: 'hex',
      encoding: 'base64',
      headers: [{ name: 'X-Sign', parts: [{ kind: 'signature' }] }],
      parameters: [{ name: 'time', parts: [{ kind: 'timestamp', form: 's' }] }],
      isAmbiguityAllowed: true,
    },
  ],
  'http-signature': [
    {
      algorithm: 'ed25519',
      keyId: 'k',
      components: ['@method', 'date'],
      nonce: true,
      tag: 't',
      keyEncoding: 'base64',
    },
    {
      algorithm: 'ed25519',
      keyId: 'k',
      components: [
        { kind: 'derived', name: '@method' },
        { kind: 'field', name: 'date' },
      ],
      label: 'sig1',
      digest: 'sha-256',
      keyEncoding: 'base64',
      hasNonce: true,
      tag: 't',
    },
  ],
};

describe('a kind takes its own keys, with defaults filled in and paths made absolute', () => {
  for (const [kind, [written, settings]] of Object.entries(kinds)) {
    test(kind, () => {
      assert.deepEqual(settingsOf({ kind, ...written, source }), { kind, ...settings, source: absolute });
    });
  }
});

describe('a kind refuses what only others have', () => {
  for (const [kind, [written]] of Object.entries(kinds)) {
    test(kind, () => {
      for (const [other, [more]] of Object.entries(kinds)) {
        const keys = Object.keys(more).filter((key) => !(key in written) && key !== 'placeholder');
        const found = problemsOf({ kind, ...more, ...written, source });
        assert.deepEqual(
          found,
          keys.map((key) => `"${key}" has no meaning for kind ${kind}; remove it`),
          other,
        );
      }
    });
  }
});

describe('a kind says which of its keys is missing', () => {
  const rows = {
    basic: ['username'],
    header: ['header'],
    query: ['parameter'],
    mtls: ['certificate'],
    hmac: ['template'],
  };
  const more = {
    'http-signature': ['algorithm', 'keyId', 'components'],
    oauth: ['tokenUrl', 'clientId'],
    'github-app': ['appId', 'installationId'],
    google: ['scopes'],
    azure: ['tenant', 'clientId', 'scope'],
    'publish-token': ['registry', 'package', 'registryUrl'],
  };
  for (const [kind, needed] of Object.entries({ ...rows, ...more, placeholder: ['placeholder'] })) {
    test(kind, () => {
      for (const key of needed) {
        const written = Object.fromEntries(
          Object.entries(kinds[kind]?.[0] ?? {}).filter(([name]) => name !== key),
        );
        const [found = '', ...others] = problemsOf({ kind, ...written, source });
        assert.ok(
          found.startsWith(`"credentials.a.${key}" is missing; kind ${kind} needs "${key}"; write `),
          found,
        );
        assert.deepEqual(others, []);
      }
    });
  }
});

test('what is put into the fields of the client cannot take them off as well', () => {
  assert.deepEqual(problemsOf({ kind: 'placeholder', placeholder: { env: 'K' }, source, strip: {} }), [
    '"strip" has no meaning for kind placeholder; remove it',
  ]);
});

test('a program that wants keys of AWS finds both of their variables', () => {
  const placeholder = { env: 'DEPLOY_AWS_ACCESS_KEY_ID', value: 'none' };
  assert.deepEqual(placeholderVariables('a', { kind: 'sigv4', placeholder }), {
    DEPLOY_AWS_ACCESS_KEY_ID: 'none',
    DEPLOY_AWS_SECRET_ACCESS_KEY: 'none',
  });
  assert.deepEqual(placeholderVariables('a', { kind: 'bearer', placeholder: { env: 'T' } }), {
    T: 'upstreamproxy-placeholder-a',
  });
  assert.match(
    problemsOf({ kind: 'sigv4', accessKeyId: source, source, placeholder: { env: 'KEY' } }).join('\n'),
    /ends in ACCESS_KEY_ID/,
  );
});

test('no file but that of a kind tells kinds apart', () => {
  const root = fileURLToPath(new URL('../../../', import.meta.url));
  const files = globSync('src/{gateway,cli,api,policy}/**/*.ts', { cwd: root });
  const comparison = new RegExp(`(?:\\bkind !?==|\\bcase) '(?:${Object.keys(kinds).join('|')})'`);
  const special = /'(?:mtls|oauth|github-app|google|azure|publish-token|sigv4)'/;
  assert.ok(files.length > 200, `only ${files.length} files`);
  const text = (file: string): string => readFileSync(`${root}${file}`, 'utf8');
  assert.deepEqual(
    files.filter((file) => special.test(text(file))).toSorted(),
    ['issued-kinds', 'minted-kinds', 'proof-kinds', 'sigv4-kind'].map(
      (name) => `src/gateway/credentials/kinds/${name}.ts`,
    ),
  );
  assert.deepEqual(
    files.filter((file) => comparison.test(text(file))),
    [],
  );
});
