import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { parseGatewayConfig } from '../../../src/gateway/config/config.ts';
import type { GatewayConfig } from '../../../src/gateway/config/config.ts';

const parse = (text: string) => parseGatewayConfig({ file: 'g', text }, '/etc/gateway');
const vault = (inside: string): string =>
  `credentials: { a: { kind: bearer, source: { vault: { ${inside} } } } }`;

function credentialsOf(text: string): GatewayConfig['credentials'] {
  const result = parse(text);
  if ('problems' in result) assert.fail(result.problems.map(({ message }) => message).join('\n'));
  return result.config.credentials;
}

test('an app of GitHub is taken with its defaults, and ids may be numbers', () => {
  const credentials = credentialsOf(`
credentials:
  app:
    kind: github-app
    appId: 12345
    installationId: 678
    source: { file: app.pem }
    permissions: { contents: read }
    repositories: [one]
  git: { kind: github-app, appId: Iv1.abc, installationId: "9", apiUrl: "https://git.example.com/api/v3", as: basic, source: { env: K } }
`);
  assert.deepEqual(credentials, {
    app: {
      kind: 'github-app',
      appId: '12345',
      installationId: '678',
      apiUrl: 'https://api.github.com',
      as: 'bearer',
      source: { file: '/etc/gateway/app.pem' },
      permissions: { contents: 'read' },
      repositories: ['one'],
    },
    git: {
      kind: 'github-app',
      appId: 'Iv1.abc',
      installationId: '9',
      apiUrl: 'https://git.example.com/api/v3',
      as: 'basic',
      source: { env: 'K' },
    },
  });
});

test('a secret of Vault is taken with paths counted from the folder of the file', () => {
  const credentials = credentialsOf(`
credentials:
  key: { kind: placeholder, source: { env: K }, placeholder: { env: KEY, body: true, messages: 2 } }
  pod:
    kind: bearer
    source:
      vault:
        address: https://vault.example.com:8200
        path: secret/data/app
        field: token
        namespace: team/a
        ca: vault.pem
        refreshSeconds: 60
        auth: { kubernetes: { role: gateway, jwtFile: /var/run/token, mount: clusters/one } }
  role:
    kind: basic
    username: u
    source:
      vault:
        address: http://127.0.0.1:8200
        path: database/creds/app
        field: password
        auth: { approle: { roleId: r, secretIdSource: { file: id } } }
`);
  assert.deepEqual(credentials['key']?.placeholder, { env: 'KEY', body: true, messages: 2 });
  assert.deepEqual(credentials['pod']?.source, {
    vault: {
      address: 'https://vault.example.com:8200',
      path: 'secret/data/app',
      field: 'token',
      namespace: 'team/a',
      ca: '/etc/gateway/vault.pem',
      refreshSeconds: 60,
      auth: { kubernetes: { role: 'gateway', jwtFile: '/var/run/token', mount: 'clusters/one' } },
    },
  });
  assert.deepEqual(credentials['role']?.source, {
    vault: {
      address: 'http://127.0.0.1:8200',
      path: 'database/creds/app',
      field: 'password',
      auth: { approle: { roleId: 'r', secretIdSource: { file: '/etc/gateway/id' } } },
    },
  });
});

describe('what is wrong with a credential is told', () => {
  const rows: readonly (readonly [string, string, RegExp])[] = [
    [
      'an app without installation',
      'credentials: { a: { kind: github-app, appId: 1, source: { file: k.pem } } }',
      /kind github-app needs "installationId"/,
    ],
    [
      'an installation that is no number',
      'credentials: { a: { kind: github-app, appId: 1, installationId: "1/x", source: { file: k.pem } } }',
      /write the id of the installation, a number/,
    ],
    [
      'an installation of letters',
      'credentials: { a: { kind: github-app, appId: 1, installationId: abc, source: { file: k.pem } } }',
      /the id of an installation is a number/,
    ],
    [
      'an API in cleartext',
      'credentials: { a: { kind: github-app, appId: 1, installationId: 2, apiUrl: "http://api.example.com", source: { file: k } } }',
      /write the https:\/\/ URL of the API/,
    ],
    [
      'permissions of no app',
      'credentials: { a: { kind: bearer, permissions: { contents: read }, source: { env: A } } }',
      /"permissions" has no meaning for kind bearer/,
    ],
    [
      'bodies of another kind',
      'credentials: { a: { kind: bearer, source: { env: A }, placeholder: { env: T, body: true } } }',
      /"body" has a meaning for kind placeholder only/,
    ],
    [
      'messages of another kind',
      'credentials: { a: { kind: bearer, source: { env: A }, placeholder: { env: T, messages: 1 } } }',
      /"messages" has a meaning for kind placeholder only/,
    ],
    [
      'more messages than a log-in has',
      'credentials: { a: { kind: placeholder, source: { env: A }, placeholder: { env: T, messages: 17 } } }',
      /1 to 16/,
    ],
    [
      'a Vault in cleartext',
      vault(
        'address: "http://vault.example.com:8200", path: secret/data/a, field: f, auth: { tokenSource: { env: T } }',
      ),
      /a secret never travels in the clear; write https:\/\/, or http:\/\/ with a loopback address/,
    ],
    [
      'a Vault by a name that only sounds like loopback',
      vault(
        'address: "http://localhost.example.com", path: secret/data/a, field: f, auth: { tokenSource: { env: T } }',
      ),
      /a secret never travels in the clear/,
    ],
    [
      'two ways to log in',
      vault(
        'address: "https://v.example.com", path: secret/data/a, field: f, auth: { tokenSource: { env: T }, kubernetes: { role: r, jwtFile: j } }',
      ),
      /exactly one of tokenSource, kubernetes and approle/,
    ],
    [
      'a path with the version of the API',
      vault(
        'address: "https://v.example.com", path: v1/secret/data/a, field: f, auth: { tokenSource: { env: T } }',
      ),
      /write the path of the HTTP API behind \/v1\//,
    ],
    [
      'a path that climbs',
      vault(
        'address: "https://v.example.com", path: secret/../sys/raw, field: f, auth: { tokenSource: { env: T } }',
      ),
      /a path without "\." and "\.\."/,
    ],
    [
      'a token in the place of its source',
      vault('address: "https://v.example.com", path: secret/data/a, field: f, auth: { token: { env: T } }'),
      /unknown key "token"; write "tokenSource"/,
    ],
    [
      'a Vault without log-in',
      vault('address: "https://v.example.com", path: secret/data/a, field: f'),
      /source.vault.auth" is missing/,
    ],
    [
      'a Vault for the proxy',
      'upstream: { proxy: { url: "http://p.example.com:3128", username: u, source: { vault: {} } } }',
      /unknown key "vault"/,
    ],
  ];
  for (const [name, text, message] of rows) {
    test(name, () => {
      const result = parse(text);
      assert.ok('problems' in result);
      assert.equal(result.problems.length, 1, result.problems.map((one) => one.message).join('\n'));
      assert.match(result.problems[0]?.message ?? '', message);
    });
  }
});
