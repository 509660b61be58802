import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  embeddedConfig,
  type GatewayConfig,
  loadGatewayConfig,
  parseGatewayConfig,
} from '../../../src/gateway/config/config.ts';
import { formatProblem } from '../../../src/policy/problem.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits, limitsWith } from '../../../src/protocol/limits.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

function parse(text: string): GatewayConfig {
  const result = parseGatewayConfig({ file: 'g', text }, '/etc/gateway');
  if ('problems' in result) assert.fail(result.problems.map(formatProblem).join('\n'));
  return result.config;
}

function problems(text: string): readonly string[] {
  const result = parseGatewayConfig({ file: 'g', text }, '/etc/gateway');
  return 'problems' in result ? result.problems.map(formatProblem) : [];
}

test('a file that says nothing means the defaults, and denies everything', () => {
  assert.deepEqual(parse('{}'), {
    listen: { address: '0.0.0.0', port: 8443, proxyProtocol: 'refused' },
    trustedProxies: [],
    workers: 1,
    publicNames: ['localhost'],
    stateDirectory: '/var/lib/upstreamproxy',
    tls: 'self',
    identity: { kind: 'own', directory: '/var/lib/upstreamproxy' },
    certificateAuthority: { directory: '/var/lib/upstreamproxy/ca' },
    captured: {
      directory: '/var/lib/upstreamproxy/captured',
      keepDays: 7,
      keepBytes: 1024 ** 3,
      key: { file: '/var/lib/upstreamproxy/captured.key' },
    },
    store: 'sqlite:/var/lib/upstreamproxy/state.db',
    policy: { mode: 'files', paths: [] },
    credentials: {},
    canaries: {},
    trust: {},
    deciders: {},
    discover: {},
    tokens: { issuer: 'https://localhost', audience: 'upstreamproxy', ttlSeconds: 900 },
    issuers: [],
    upstream: { systemTrust: true, ca: [], resolvers: [], hosts: {}, exits: {} },
    audit: { keepDays: 90, keepBytes: 8_589_934_592 },
    access: { enabled: true },
    limits: limitsWith(),
    log: { level: 'info', format: 'text' },
  });
});

test('the admin API: a socket by default, a port only where tokens cannot be read on their way', () => {
  assert.deepEqual(parse('admin: {}').admin, {
    socket: '/var/lib/upstreamproxy/admin/admin.sock',
    socketRoles: {},
  });
  const written = `admin:
  socket: run/admin.sock
  socketRoles: { "0": administrator }
  listen: { address: 10.0.0.1, port: 9443, names: Admin.example.com, certificate: a.pem, key: a.key }`;
  assert.deepEqual(parse(written).admin, {
    socket: '/etc/gateway/run/admin.sock',
    socketRoles: { '0': 'administrator' },
    listen: {
      address: '10.0.0.1',
      port: 9443,
      names: ['admin.example.com'],
      tls: { certificate: '/etc/gateway/a.pem', key: '/etc/gateway/a.key' },
    },
  });
  for (const [text, wrong] of [
    ['admin: { socketRoles: { "65534": viewer } }', /a user of its own/],
    ['admin: { socketRoles: { root: viewer } }', /write roles by user id/],
    ['admin: { socketRoles: { "0": king } }', /viewer, approver, operator, administrator/],
    ['admin: { listen: { address: 0.0.0.0, port: 9443 } }', /in the clear/],
    ['admin: { listen: { address: 192.0.2.1, port: 9443 } }', /in the clear/],
    ['admin: { listen: { address: localhost, port: 9443 } }', /not an IP address/],
    ['admin: { listen: { port: 9443, key: a.key } }', /write both, or neither/],
    ['admin: { listen: { port: 8443 } }', /port 8443 is that of "listen"/],
    ['{ metrics: { port: 9464 }, admin: { listen: { port: 9464 } } }', /port 9464 is that of "metrics"/],
  ] as const)
    assert.match(problems(text).join('\n'), wrong, text);
});

test('everything that is written is taken, with paths counted from the folder of the file', () => {
  const config = parse(`
version: 1
listen: { address: "::1", port: 0, proxyProtocol: required }
trustedProxies: [10.0.0.0/8, 192.0.2.1]
workers: auto
publicNames: [gateway.example.com, 192.0.2.1]
stateDirectory: state
tls: { certificate: tls.pem, key: /keys/tls.key }
identity: { directory: shared }
certificateAuthority: { directory: authority }
captured: { directory: bodies, keepDays: 3, keepBytes: 1048576, source: { file: body.key } }
store: sqlite:db/state.db
policy: [policy.yaml, rules.d]
credentials:
  github:
    kind: bearer
    source: { env: GITHUB_TOKEN }
    placeholder: { env: GH_TOKEN, value: placeholder }
  git: { kind: basic, username: x-access-token, source: { file: secrets/git } }
  key: { kind: header, header: X-Api-Key, prefix: "Key ", source: { command: [/bin/vault, read] } }
canaries: { notes: { source: { file: notes.canary } } }
trust: { internal: { file: internal.pem } }
deciders: { opa: { kind: opa, url: 'https://opa.example.com/v1/data/a', ca: opa.pem, source: { file: token }, clientCertificate: { certificate: { file: own.pem }, key: { env: OPA_KEY } } } }
discover: { gems: { command: [gem, sources] }, mirrors: { file: mirrors.txt } }
tokens: { issuer: me, audience: you, ttlSeconds: 60 }
issuers:
  - { issuer: "https://issuer.example.com", audience: them, jwksUrl: "https://issuer.example.com/jwks", for: { team: [a, b] }, algorithms: ES256, ca: issuer.pem }
upstream:
  systemTrust: false
  ca: corp.pem
  resolvers: [192.0.2.53, "192.0.2.54:5353", "[2001:db8::53]:53"]
  hosts: { internal.example.com: 10.1.2.3, two.example.com: [10.1.2.4, "fd00::1"] }
  exits:
    office: { from: [203.0.113.9, "2001:db8::9"] }
    pac: { pac: { file: p.pac, proxies: [{ url: "socks5://p.example.com:1080" }], direct: true } }
  exit: office
audit: { file: audit.jsonl, keepDays: 7, keepEvents: 5000, keepBytes: 10000000 }
access: { enabled: false }
limits: { streamsMax: 7 }
log: { level: debug, format: json }
`);
  assert.deepEqual(config, {
    listen: { address: '::1', port: 0, proxyProtocol: 'required' },
    trustedProxies: ['10.0.0.0/8', '192.0.2.1'],
    workers: 'auto',
    publicNames: ['gateway.example.com', '192.0.2.1'],
    stateDirectory: '/etc/gateway/state',
    tls: { certificate: '/etc/gateway/tls.pem', key: '/keys/tls.key' },
    identity: { kind: 'directory', directory: '/etc/gateway/shared' },
    certificateAuthority: { directory: '/etc/gateway/authority' },
    captured: {
      directory: '/etc/gateway/bodies',
      keepDays: 3,
      keepBytes: 1_048_576,
      key: { source: { file: '/etc/gateway/body.key' } },
    },
    store: 'sqlite:/etc/gateway/db/state.db',
    policy: { mode: 'files', paths: ['/etc/gateway/policy.yaml', '/etc/gateway/rules.d'] },
    credentials: {
      github: {
        kind: 'bearer',
        source: { env: 'GITHUB_TOKEN' },
        placeholder: { env: 'GH_TOKEN', value: 'placeholder' },
      },
      git: { kind: 'basic', username: 'x-access-token', source: { file: '/etc/gateway/secrets/git' } },
      key: {
        kind: 'header',
        header: 'X-Api-Key',
        prefix: 'Key ',
        source: { command: ['/bin/vault', 'read'] },
      },
    },
    canaries: { notes: { file: '/etc/gateway/notes.canary' } },
    trust: { internal: '/etc/gateway/internal.pem' },
    deciders: {
      opa: {
        kind: 'opa',
        url: 'https://opa.example.com/v1/data/a',
        ca: ['/etc/gateway/opa.pem'],
        clientCertificate: { certificate: { file: '/etc/gateway/own.pem' }, key: { env: 'OPA_KEY' } },
        source: { file: '/etc/gateway/token' },
      },
    },
    discover: { gems: { command: ['gem', 'sources'] }, mirrors: { file: '/etc/gateway/mirrors.txt' } },
    tokens: { issuer: 'me', audience: 'you', ttlSeconds: 60 },
    issuers: [
      {
        issuer: 'https://issuer.example.com',
        audience: 'them',
        jwksUrl: 'https://issuer.example.com/jwks',
        for: { team: ['a', 'b'] },
        algorithms: ['ES256'],
        ca: ['/etc/gateway/issuer.pem'],
      },
    ],
    upstream: {
      systemTrust: false,
      ca: ['/etc/gateway/corp.pem'],
      resolvers: ['192.0.2.53', '192.0.2.54:5353', '[2001:db8::53]:53'],
      hosts: { 'internal.example.com': ['10.1.2.3'], 'two.example.com': ['10.1.2.4', 'fd00::1'] },
      exits: {
        office: { from: ['203.0.113.9', '2001:db8::9'] },
        pac: {
          pac: {
            file: '/etc/gateway/p.pac',
            proxies: [{ url: 'socks5://p.example.com:1080', noProxy: [], ca: [] }],
            direct: true,
          },
          from: [],
        },
      },
      exit: 'office',
    },
    audit: { file: '/etc/gateway/audit.jsonl', keepDays: 7, keepEvents: 5000, keepBytes: 10_000_000 },
    access: { enabled: false },
    limits: limitsWith({ streamsMax: 7 }),
    log: { level: 'debug', format: 'json' },
  });
});

test('observing is said in so many words', () => {
  assert.deepEqual(parse('policy: observe').policy, { mode: 'observe', paths: [] });
  assert.equal(parse('store: "sqlite::memory:"').store, 'sqlite::memory:');
});

describe('what is wrong is told with its place and what to write', () => {
  const rows: readonly [string, string, readonly RegExp[]][] = [
    ['an unknown key', 'listn: {}', [/^g:1:1: error: unknown key "listn"; write "listen"$/]],
    ['a port at the top', 'port: 1', [/unknown key "port"; write listen: \{ port: 8443 \}/]],
    [
      'a network that is none',
      'trustedProxies: [10.0.0.0/8, 10.0.0.0/99]',
      [/^g:1:30: error: not a network/],
    ],
    [
      'a PROXY head by nobody',
      'listen: { proxyProtocol: required }',
      [/^g:1:26: error: a PROXY head is believed from/],
    ],
    ['workers that are none', 'workers: 0', [/write auto, or a number of processes from 1 to 64/]],
    [
      'workers without a common store',
      'workers: 2\nstore: "sqlite::memory:"',
      [/^g:1:10: error: each worker would have a store in memory of its own; write sqlite:path/],
    ],
    [
      'workers that do not know where metrics are',
      'workers: 2\nmetrics: { address: localhost, port: 9464 }',
      [/^g:2:21: error: every worker has to know the address; write an IP address/],
    ],
    ['a name to listen on', 'listen: { address: localhost }', [/^g:1:20: error: not an IP address/]],
    ['a port too high', 'listen: { port: 70000 }', [/"listen.port" is 70000; write a port/]],
    ['a store of another kind', 'store: mysql:x', [/write sqlite:path/]],
    ['a password in a store', 'store: postgres://u:hunter2@db.example.com/x', [/the URL has a password/]],
    ['a certificate without key', 'tls: { certificate: a.pem }', [/"tls.key" is missing/]],
    [
      'an unknown kind',
      'credentials: { a: { kind: magic, source: { env: A } } }',
      [
        /write one of the kinds bearer, basic, header, query, placeholder, oauth, github-app, google, azure, publish-token, oauth-login, oauth-exchange, mtls, sigv4, login, ssh-key, signing-key, agent-key, hmac, http-signature$/,
      ],
    ],
    [
      'basic without user',
      'credentials: { a: { kind: basic, source: { env: A } } }',
      [/kind basic needs "username"/],
    ],
    [
      'a user with a colon',
      'credentials: { a: { kind: basic, username: "a:b", source: { env: A } } }',
      [/cannot have a colon/],
    ],
    [
      'header without name',
      'credentials: { a: { kind: header, source: { env: A } } }',
      [/kind header needs "header"/],
    ],
    [
      'query without name',
      'credentials: { a: { kind: query, source: { env: A } } }',
      [/kind query needs "parameter"/],
    ],
    [
      'placeholder without placeholder',
      'credentials: { a: { kind: placeholder, source: { env: A } } }',
      [/kind placeholder needs "placeholder"/],
    ],
    [
      'a placeholder that is not rare',
      'credentials: { a: { kind: placeholder, source: { env: A }, placeholder: { env: T, value: token } } }',
      [/write 12 to 256 letters/],
    ],
    [
      'mtls without certificate',
      'credentials: { a: { kind: mtls, source: { file: key.pem } } }',
      [/kind mtls needs "certificate"/],
    ],
    [
      'oauth without issuer',
      'credentials: { a: { kind: oauth, clientId: c, source: { env: A } } }',
      [/kind oauth needs "tokenUrl"/],
    ],
    [
      'an issuer of tokens in cleartext',
      'credentials: { a: { kind: oauth, tokenUrl: "http://i.example.com/t", clientId: c, source: { env: A } } }',
      [/write an https:\/\/ URL/],
    ],
    [
      'two sources of a refresh token',
      'credentials: { a: { kind: oauth, tokenUrl: "https://i.example.com/t", clientId: c, source: { env: A }, refreshToken: { env: B, file: c } } }',
      [/exactly one of env, file, command/],
    ],
    [
      'a field of the message',
      'credentials: { a: { kind: header, header: Host, source: { env: A } } }',
      [/Host belongs to the message/],
    ],
    [
      'a key of another kind',
      'credentials: { a: { kind: bearer, username: x, source: { env: A } } }',
      [/"username" has no meaning for kind bearer/],
    ],
    ['no source', 'credentials: { a: { kind: bearer } }', [/source" is missing/]],
    [
      'two sources',
      'credentials: { a: { kind: bearer, source: { env: A, file: b } } }',
      [/exactly one of env, file, command/],
    ],
    [
      'no source inside',
      'credentials: { a: { kind: bearer, source: {} } }',
      [/exactly one of env, file, command/],
    ],
    [
      'a variable twice',
      'credentials:\n  a: { kind: bearer, source: { env: A }, placeholder: { env: T } }\n  b: { kind: bearer, source: { env: B }, placeholder: { env: T } }',
      [/^g:3:62: error: the placeholder of a has the same variable/],
    ],
    [
      'a bad name',
      'credentials: { "a b": { kind: bearer, source: { env: A } } }',
      [/the name of a credential/],
    ],
    [
      'an issuer in cleartext',
      'issuers: [{ issuer: "http://issuer.example.com" }]',
      [/write an https:\/\/ URL/],
    ],
    ['no origin at all', 'publicOrigins: []', [/1:16: error: .*write the origins of the gateway, or one/]],
    ['an origin in cleartext', 'publicOrigins: http://gw.example.com', [/write an origin such as https/]],
    ['an origin with a path', 'publicOrigins: https://gw.example.com/v1', [/write an origin such as https/]],
    ['a public name with a port', 'publicNames: gw.example.com:8443', [/1:14: error: .*without a port/]],
    [
      'a public name that ends in a number',
      'publicNames: [a.example.com, "1"]',
      [/1:30: error: .*without a port/],
    ],
    ['a public name that is none', 'publicNames: [a.example.com, "b c"]', [/1:30: error: .*without a port/]],
    [
      'an issuer twice',
      'issuers: [{ issuer: "https://i.example.com" }, { issuer: "https://i.example.com", audience: b }]',
      [/1:58: error: this issuer stands above already/],
    ],
    [
      'the gateway as an issuer beside itself',
      'publicNames: gw.example.com\nissuers: [{ issuer: "https://gw.example.com" }]',
      [/write another tokens\.issuer/],
    ],
    [
      'a symmetric algorithm',
      'issuers: [{ issuer: "https://i.example.com", algorithms: [HS256] }]',
      [/write asymmetric algorithms/],
    ],
    [
      'a name as name server',
      'upstream: { resolvers: dns.example.com }',
      [/not an address of a name server/],
    ],
    [
      'a name for a name',
      'upstream: { hosts: { a.example.com: b.example.com } }',
      [/not an IP address; names are mapped/],
    ],
    [
      'a wildcard among names',
      'upstream: { hosts: { "*.example.com": 10.0.0.1 } }',
      [/not a canonical name/],
    ],
    [
      'an unknown limit',
      'limits: { frameByteMax: 1 }',
      [/unknown key "frameByteMax"; write "frameBytesMax"/],
    ],
    [
      'a limit that is no setting',
      'limits: { policyRulesMax: 5 }',
      [/"policyRulesMax" is fixed at 10000 and no setting; remove it/],
    ],
    [
      'a decider whose URL is none of its kind',
      'deciders: { opa: { kind: opa, url: https://opa.example.com/ }, envoy: { kind: ext-authz, url: https://authz.example.com/a } }',
      [/write its path, such as \/v1\/data\/gateway\/allow/, /write the URL without one/],
    ],
    [
      'a decider in the clear',
      'deciders: { a: { kind: webhook, url: http://judge.example.com } }',
      [/http:\/\/ with a loopback address/],
    ],
    [
      'a certificate for a decider in the clear',
      'deciders: { a: { kind: webhook, url: http://127.0.0.1, clientCertificate: { certificate: { env: A }, key: { env: B } } } }',
      [/shown over TLS alone; write a URL with https/],
    ],
    ['a discovery without a place', 'discover: { gems: {} }', [/write exactly one of command and file/]],
    [
      'a canary of a bad name',
      'canaries: { "no tes": { source: { env: A } } }',
      [/the name of a canary is made of/],
    ],
    ['a trust without file', 'trust: { internal: {} }', [/"trust.internal.file" is missing; write the path/]],
    ['a trust of a bad name', 'trust: { "in ternal": { file: a.pem } }', [/the name of a trust is made of/]],
    [
      'a proxy of another scheme',
      'upstream: { proxy: { url: socks4://p.example.com:1080 } }',
      [/write http:\/\/host:port/],
    ],
    [
      'a SOCKS5 proxy without a port',
      'upstream: { proxy: { url: "socks5://p.example.com" } }',
      [/without a port/],
    ],
    ['an exit that says nothing', 'upstream: { exits: { a: {} } }', [/it says nothing; write proxy, pac/]],
    [
      'an exit with two ways',
      'upstream: { exits: { a: { proxy: { url: "http://p.example.com" }, pac: { file: gateway.yaml, proxies: [{ url: "http://p.example.com" }] }, from: 10.0.0.1, interface: wg0 } } }',
      [/write one of the two/, /write one of from and interface/],
    ],
    [
      'a script that may name no proxy',
      'upstream: { exits: { a: { pac: { file: gateway.yaml } } } }',
      [/list them under "proxies"/],
    ],
    [
      'an exit from a name',
      'upstream: { exits: { a: { from: office } } }',
      [/not an IP address; write one that/],
    ],
    [
      'an exit from two addresses of a family',
      'upstream: { exits: { a: { from: [10.0.0.1, 10.0.0.2] } } }',
      [/one address of each family at most/],
    ],
    [
      'an exit of a name that is taken',
      'upstream: { exits: { direct: { from: 10.0.0.1 } } }',
      [/is not "direct"/],
    ],
    ['an exit that there is not', 'upstream: { exit: a }', [/there is no exit of that name/]],
    [
      'an exit beside a proxy',
      'upstream: { exit: a, exits: { a: { from: 10.0.0.1 } }, proxy: { url: "http://p.example.com" } }',
      [/write one of the two/],
    ],
    [
      'half a log-in at a proxy of an exit',
      'upstream: { exits: { a: { proxy: { url: "http://p.example.com", username: u } } } }',
      [/username and source go together/],
    ],
    [
      'a password in the URL of a proxy',
      'upstream: { proxy: { url: "http://u:hunter2@p.example.com:1" } }',
      [/without user and password/],
    ],
    [
      'a path in the URL of a proxy',
      'upstream: { proxy: { url: "http://p.example.com:1/x" } }',
      [/write http:\/\/host:port/],
    ],
    [
      'a user of a proxy without source',
      'upstream: { proxy: { url: "http://p.example.com", username: u } }',
      [/username and source go together/],
    ],
    [
      'two sources for a proxy',
      'upstream: { proxy: { url: "http://p.example.com", username: u, source: { env: A, file: b } } }',
      [/a secret has one source/],
    ],
    [
      'a password for a proxy',
      'upstream: { proxy: { url: "http://p.example.com", password: x } }',
      [/unknown key "password"; write "source"/],
    ],
    [
      'exceptions by wildcard',
      'upstream: { proxy: { url: "http://p.example.com", noProxy: ["*.example.com"] } }',
      [/noProxy|not a host; write an exact name, \.suffix/],
    ],
    [
      'exceptions by network',
      'upstream: { proxy: { url: "http://p.example.com", noProxy: 10.0.0.0/8 } }',
      [/not a host/],
    ],
    [
      'exceptions with a port',
      'upstream: { proxy: { url: "http://p.example.com", noProxy: "a.example.com:443" } }',
      [/not a host/],
    ],
    ['a limit of zero', 'limits: { streamsMax: 0 }', [/write a whole number from 1 .* default is 4096/]],
    ['a timer that would wrap', 'limits: { idleTimeoutMs: 2147483648 }', [/from 1 to 2147483647/]],
    [
      'several at once',
      'listen: { port: x }\ntls: no\n',
      [/^g:1:17: error: "listen.port"/, /^g:2:6: error: "tls"/],
    ],
  ];
  for (const [name, text, patterns] of rows) {
    test(name, () => {
      const found = problems(text);
      assert.equal(found.length, patterns.length, found.join('\n'));
      for (const [i, pattern] of patterns.entries()) assert.match(found[i] ?? '', pattern);
    });
  }
});

test('a secret in the file is refused, and no message repeats it', () => {
  const texts = [
    'credentials: { a: { kind: bearer, token: hunter2 } }',
    'credentials: { a: { kind: bearer, value: hunter2, source: { env: A } } }',
    'credentials: { a: { kind: bearer, source: hunter2 } }',
    'credentials: { a: { kind: bearer, source: { env: hunter2 } } }',
    'credentials: { a: { kind: bearer, source: { value: hunter2 } } }',
    'credentials: { a: hunter2 }',
    'store: postgres://u:hunter2@db.example.com/x',
  ];
  for (const text of texts) {
    const found = problems(text).join('\n');
    assert.match(
      found,
      /write where the secret is|source: \{ env: NAME \}|a secret never stands|in upper case/,
      text,
    );
    assert.doesNotMatch(found, /hunter2/);
  }
});

test('a file that is there is loaded, and the files that it names must be there', async () => {
  await withTemporaryDirectory(async (directory) => {
    const file = join(directory, 'gateway.yaml');
    await writeFile(join(directory, 'policy.yaml'), 'rules: []');
    await writeFile(file, 'policy: policy.yaml\n');
    assert.deepEqual((await loadGatewayConfig(file)).policy.paths, [join(directory, 'policy.yaml')]);
    await writeFile(
      file,
      'policy: [policy.yaml, absent.yaml]\nupstream: { ca: absent.pem }\ntrust: { lab: { file: none.pem } }\n',
    );
    await assert.rejects(loadGatewayConfig(file), (error) => {
      assert.ok(error instanceof ProxyError);
      assert.equal(error.code, 'config_invalid');
      assert.match(error.message, /gateway.yaml:1:23: error: there is no file .*absent\.yaml/);
      assert.match(error.message, /gateway.yaml:2:17: error: there is no file .*absent\.pem/);
      assert.match(error.message, /gateway.yaml:3:23: error: there is no file .*none\.pem/);
      return true;
    });
  });
});

test('a file that cannot be read is one clear line', async () => {
  await withTemporaryDirectory(async (directory) => {
    const error = { code: 'config_invalid', message: /cannot be read: it does not exist; give the path/ };
    await assert.rejects(loadGatewayConfig(join(directory, 'none.yaml')), error);
    await assert.rejects(loadGatewayConfig(directory), { code: 'config_invalid', message: /it is a folder/ });
    const long = join(directory, 'long.yaml');
    await writeFile(long, `# ${'x'.repeat(defaultLimits.policyBytesMax)}`);
    await assert.rejects(loadGatewayConfig(long), { code: 'config_invalid', message: /longer than/ });
  });
});

test('the gateway of run listens on loopback, keeps all in its folder, and observes', () => {
  const config = embeddedConfig('/tmp/state', { credentials: {} });
  assert.deepEqual(config.listen, { address: '127.0.0.1', port: 0 });
  assert.deepEqual(config.policy, { mode: 'observe', paths: [] });
  assert.equal(config.store, 'sqlite:/tmp/state/state.db');
  assert.equal(config.certificateAuthority.directory, '/tmp/state/ca');
  assert.equal(config.audit.file, '/tmp/state/audit.jsonl');
});

test('a gateway may be reached by a name of one label', () => {
  const names = ['localhost', 'gateway', 'my-gateway-1', '::1'];
  assert.deepEqual(parse(`publicNames: ${JSON.stringify(names)}`).publicNames, names);
});
