// Rows of every-key.test.ts about protocols that the gateway ends.

import type { Decision } from '../../src/policy/decision.ts';
import type { PostgresEnd } from '../../src/policy/postgres-end.ts';
import type { MysqlEnd } from '../../src/policy/mysql-end.ts';
import type { RedisEnd } from '../../src/policy/redis-end.ts';
import type { SshEnd } from '../../src/policy/ssh-end.ts';

const rule = (keys: string): string =>
  `rules: [{ name: r, hosts: a.example.com, protocol: postgres, inject: orders, ${keys} }]`;
const raw = 'rules: [{ name: r, hosts: a.example.com, scheme: tcp, ports: 5432 }]';
const asked = 'a.example.com:5432';
const one = rule('postgres: { databases: a }');
const seen =
  (see: (end: PostgresEnd) => unknown) =>
  (decision: Decision): unknown =>
    decision.effect === 'allow' && decision.end?.protocol === 'postgres' ? see(decision.end) : undefined;
const row = (
  key: string,
  more: string,
  see: (end: PostgresEnd) => unknown,
  expected: readonly [unknown, unknown],
) => ({
  key: `rules[].postgres.${key}`,
  with: rule(`postgres: { ${more} }`),
  without: one,
  asked,
  sees: seen(see),
  expected,
});

const mysqlRule = (keys = ''): string =>
  `rules: [{ name: r, hosts: a.example.com, protocol: mysql, ports: 5432, inject: orders${keys} }]`;
const mysqlRow = (
  key: string,
  more: string,
  see: (end: MysqlEnd) => unknown,
  expected: readonly [unknown, unknown],
) => ({
  key: `rules[].mysql${key}`,
  with: mysqlRule(`, mysql: ${more}`),
  without: mysqlRule(),
  asked,
  sees: (decision: Decision): unknown =>
    decision.effect === 'allow' && decision.end?.protocol === 'mysql' ? see(decision.end) : undefined,
  expected,
});

const redisRule = (keys = ''): string =>
  `rules: [{ name: r, hosts: a.example.com, protocol: redis, ports: 5432, inject: orders${keys} }]`;
const redisRow = (
  key: string,
  more: string,
  see: (end: RedisEnd) => unknown,
  expected: readonly [unknown, unknown],
) => ({
  key: `rules[].redis${key}`,
  with: redisRule(`, redis: ${more}`),
  without: redisRule(),
  asked,
  sees: (decision: Decision): unknown =>
    decision.effect === 'allow' && decision.end?.protocol === 'redis' ? see(decision.end) : undefined,
  expected,
});
const serverKey = `ssh-ed25519 ${Buffer.from(`\0\0\0\u000bssh-ed25519\0\0\0 ${'k'.repeat(32)}`, 'latin1').toString('base64')}`;
const otherKey = `ssh-ed25519 ${Buffer.from(`\0\0\0\u000bssh-ed25519\0\0\0 ${'l'.repeat(32)}`, 'latin1').toString('base64')}`;
const sshRule = (keys: string, hostKeys = serverKey): string =>
  `rules: [{ name: r, hosts: a.example.com, protocol: ssh, inject: deploy, ssh: { hostKeys: ['${hostKeys}'], ${keys} } }]`;
const sshRow = (
  key: string,
  more: readonly [string, string],
  see: (end: SshEnd) => unknown,
  expected: readonly [unknown, unknown],
) => ({
  key: `rules[].ssh${key}`,
  with: more[0],
  without: more[1],
  asked: 'a.example.com:22',
  sees: (decision: Decision): unknown =>
    decision.effect === 'allow' && decision.end?.protocol === 'ssh' ? see(decision.end) : undefined,
  expected,
});
const uptime = sshRule('commands: uptime');
const rawSsh = 'rules: [{ name: r, hosts: a.example.com, scheme: tcp, ports: 22 }]';
const gitKeys = {
  repository: 'fetch; repository acme/app',
  operations: 'push; repository acme/app; changes create, update',
  refs: 'push; repository acme/app; refs refs/heads/a; changes create, update',
  changes: 'push; repository acme/app; changes create',
  options: 'push; repository acme/app; changes create, update; options ci.skip',
};
const gitWritten = {
  repository: 'repository: acme/app, operations: fetch',
  operations: 'repository: acme/app, operations: push',
  refs: 'repository: acme/app, operations: push, refs: refs/heads/a',
  changes: 'repository: acme/app, operations: push, changes: create',
  options: 'repository: acme/app, operations: push, options: ci.skip',
};
const anyFetch = 'fetch; repository acme/**';

export const protocolRows = [
  {
    key: 'rules[].protocol',
    with: one,
    without: raw,
    asked,
    sees: seen(({ protocol }) => protocol),
    expected: ['postgres', undefined] as const,
  },
  {
    key: 'rules[].postgres',
    with: one,
    without: raw,
    asked,
    sees: seen(({ databases }) => databases),
    expected: [['a'], undefined] as const,
  },
  row('databases', 'databases: [b, a]', ({ databases }) => databases, [['b', 'a'], ['a']]),
  row('parameters', 'databases: a, parameters: { role: x }', ({ parameters }) => parameters, [
    { role: 'x' },
    {},
  ]),
  row('authentication', 'databases: a, authentication: md5', ({ authentication }) => authentication, [
    ['md5'],
    ['scram-sha-256'],
  ]),
  row(
    'clientAuthentication',
    'databases: a, clientAuthentication: scram-sha-256',
    ({ clientAuthentication }) => clientAuthentication,
    ['scram-sha-256', 'none'],
  ),
  row('statements', 'databases: a, statements: [select, insert]', ({ statements }) => statements?.allowed, [
    ['select', 'insert'],
    undefined,
  ]),
  row('readOnly', 'databases: a, readOnly: true', ({ statements }) => statements?.isReadOnly, [
    true,
    undefined,
  ]),
  row('recordStatements', 'databases: a, recordStatements: true', ({ statements }) => statements, [
    { allowed: undefined, isReadOnly: false },
    undefined,
  ]),
  row(
    'dangerouslyAllowPlaintext',
    'databases: a, dangerouslyAllowPlaintext: true',
    ({ allowsPlaintext }) => allowsPlaintext,
    [true, false],
  ),
  mysqlRow('', '{ databases: a }', ({ databases }) => databases, [['a'], []]),
  mysqlRow('.databases', '{ databases: [b, a, b] }', ({ databases }) => databases, [['b', 'a'], []]),
  mysqlRow('.authentication', '{ authentication: client_ed25519 }', ({ authentication }) => authentication, [
    ['client_ed25519'],
    ['caching_sha2_password', 'client_ed25519', 'mysql_native_password'],
  ]),
  mysqlRow(
    '.dangerouslyAllowPlaintext',
    '{ dangerouslyAllowPlaintext: true }',
    ({ allowsPlaintext }) => allowsPlaintext,
    [true, false],
  ),
  redisRow('', '{ dangerouslyAllowPlaintext: true }', ({ isPlaintext }) => isPlaintext, [true, false]),
  redisRow('.commands', '{ commands: { deny: keys } }', ({ deny }) => deny, [['keys'], []]),
  redisRow('.commands.allow', '{ commands: { allow: [default, EVAL] } }', ({ allow }) => allow, [
    ['default', 'eval'],
    ['default'],
  ]),
  redisRow('.commands.deny', '{ commands: { deny: [KEYS, keys] } }', ({ deny }) => deny, [['keys'], []]),
  redisRow(
    '.dangerouslyAllowPlaintext',
    '{ dangerouslyAllowPlaintext: true }',
    ({ isPlaintext }) => isPlaintext,
    [true, false],
  ),
  sshRow('', [uptime, rawSsh], ({ commands }) => commands, [['uptime'], undefined]),
  sshRow('.hostKeys', [sshRule('commands: uptime', otherKey), uptime], ({ hostKeys }) => hostKeys, [
    [otherKey],
    [serverKey],
  ]),
  sshRow('.commands', [sshRule('commands: [a, b]'), uptime], ({ commands }) => commands, [
    ['a', 'b'],
    ['uptime'],
  ]),
  sshRow('.shell', [sshRule('commands: uptime, shell: record'), uptime], ({ shell }) => shell, [
    'record',
    'none',
  ]),
  sshRow('.paths', [sshRule('commands: uptime, paths: absolute'), uptime], ({ isAbsolute }) => isAbsolute, [
    true,
    false,
  ]),
  ...(['', '.repository', '.operations', '.refs', '.changes', '.options'] as const).flatMap((part) => {
    const name = part === '' ? 'repository' : (part.slice(1) as keyof typeof gitKeys);
    const rows = [['.git', gitWritten[name]] as const, ['.git[]', gitWritten[name]] as const];
    return rows
      .slice(0, part === '' ? 1 : 2)
      .map(([place, written]) =>
        sshRow(
          `${place}${part}`,
          [
            sshRule(place === '.git' ? `git: { ${written} }` : `git: [{ ${written} }]`),
            sshRule('git: { repository: acme/**, operations: fetch }'),
          ],
          ({ git }) => git.map(({ text }) => text),
          [[gitKeys[name]], [anyFetch]],
        ),
      );
  }),
];
