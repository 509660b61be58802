import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parsePolicy } from '../../src/policy/parse-policy.ts';
import { sshCovers, type SshEnd } from '../../src/policy/ssh-end.ts';
import { sshAllows } from '../../src/policy/ssh-verdict.ts';
import { readSshCommand } from '../../src/policy/ssh-request.ts';

const key = `ssh-ed25519 ${Buffer.from(`\0\0\0\u000bssh-ed25519\0\0\0 ${'k'.repeat(32)}`, 'latin1').toString('base64')}`;
const other = `ssh-ed25519 ${Buffer.from(`\0\0\0\u000bssh-ed25519\0\0\0 ${'l'.repeat(32)}`, 'latin1').toString('base64')}`;
const known = { credentials: ['deploy', 'token', 'password'], logins: ['password'], sshKeys: ['deploy'] };

function problems(rule: string): readonly string[] {
  const text = `rules: [{ name: r, hosts: git.example.com, ${rule} }]`;
  const result = parsePolicy([{ file: 'policy.yaml', text }], known);
  return 'problems' in result ? result.problems.map(({ message }) => message) : [];
}

function endOf(ssh: string): SshEnd {
  const text = `rules: [{ name: r, hosts: git.example.com, protocol: ssh, inject: deploy, ssh: { ${ssh} } }]`;
  const result = parsePolicy([{ file: 'policy.yaml', text }], known);
  if ('problems' in result) throw new Error(result.problems.map(({ message }) => message).join('\n'));
  const end = result.policy.rules[0]?.end;
  if (end?.protocol !== 'ssh') throw new Error('it ends no SSH');
  return end;
}

const fetchOf = (path: string): ReturnType<typeof readSshCommand> =>
  readSshCommand(`git-upload-pack '${path}'`);
const pushOf = (path: string): ReturnType<typeof readSshCommand> =>
  readSshCommand(`git-receive-pack '${path}'`);

test('git is judged in the words that rules have for it over HTTPS', () => {
  const end = endOf(
    `hostKeys: '${key}', git: [{ repository: [acme/app, acme/lib/**], operations: fetch }, { repository: acme/app, operations: push, refs: refs/heads/agent/** }]`,
  );
  const change = (ref: string, what: 'create' | 'update' | 'delete' = 'update') => ({
    updates: [{ ref, change: what }],
    options: [] as string[],
  });
  assert.ok(sshAllows(end, fetchOf('acme/app.git')));
  assert.ok(sshAllows(end, fetchOf('/acme/lib/a/b')));
  assert.ok(!sshAllows(end, fetchOf('acme/lib')));
  assert.ok(!sshAllows(end, fetchOf('Acme/app')));
  assert.ok(sshAllows(end, pushOf('acme/app')));
  assert.ok(!sshAllows(end, pushOf('acme/lib/a')));
  assert.ok(sshAllows(end, pushOf('acme/app'), change('refs/heads/agent/a')));
  assert.ok(!sshAllows(end, pushOf('acme/app'), change('refs/heads/main')));
  assert.ok(!sshAllows(end, pushOf('acme/app'), change('refs/heads/agent/a', 'delete')));
  assert.ok(!sshAllows(end, pushOf('acme/app'), { ...change('refs/heads/agent/a'), options: ['ci.skip'] }));
  const both = {
    updates: [...change('refs/heads/agent/a').updates, ...change('refs/heads/main').updates],
    options: [],
  };
  assert.ok(!sshAllows(end, pushOf('acme/app'), both));
  assert.ok(!sshAllows(end, readSshCommand('uptime')));
});

test('a rule for less covers no rule for more', () => {
  const end = endOf(`hostKeys: '${key}', git: { repository: acme/**, operations: fetch }, commands: [a, b]`);
  const covered = (ssh: string): boolean => sshCovers(end, endOf(ssh));
  assert.ok(covered(`hostKeys: '${key}', git: { repository: acme/app, operations: fetch }, commands: a`));
  assert.ok(!covered(`hostKeys: '${other}', commands: a`));
  assert.ok(!covered(`hostKeys: ['${key}', '${other}'], commands: a`));
  assert.ok(!covered(`hostKeys: '${key}', commands: [a, c]`));
  assert.ok(!covered(`hostKeys: '${key}', git: { repository: acme/app, operations: push }`));
  assert.ok(!covered(`hostKeys: '${key}', commands: a, paths: absolute`));
  // What lets less through unseen is less.
  const order = ['commands: a', 'commands: a, shell: record-all', 'commands: a, shell: record'];
  for (const [i, outer] of order.entries())
    for (const [j, inner] of order.entries())
      assert.equal(
        sshCovers(endOf(`hostKeys: '${key}', ${outer}`), endOf(`hostKeys: '${key}', ${inner}`)),
        j <= i,
        `${inner} under ${outer}`,
      );
});

test('what is wrong in a rule is said', () => {
  const ssh = (more: string): string => `protocol: ssh, inject: deploy, ssh: { ${more} }`;
  assert.deepEqual(problems(ssh(`hostKeys: '${key} comment', commands: uptime`)), []);
  const said = (rule: string): string => problems(rule).join('\n');
  assert.match(said('protocol: ssh, inject: deploy'), /does not say which server/);
  assert.match(said(ssh(`hostKeys: '${key}'`)), /lets nothing be run/);
  assert.match(said(ssh(`hostKeys: '${key}', shell: true`)), /write record, or record-all/);
  assert.deepEqual(problems(ssh(`hostKeys: '${key}', shell: record`)), []);
  assert.match(said(ssh('hostKeys: ssh-ed25519, commands: uptime')), /write a public key of the server/);
  assert.match(said(ssh(`hostKeys: 'ssh-rsa ${key.slice(12)}', commands: uptime`)), /write a public key/);
  assert.match(said(ssh(`hostKeys: '${key}', commands: "a\\nb"`)), /write a command/);
  assert.match(said(ssh(`hostKeys: '${key}', git: { operations: fetch }`)), /allows every repository/);
  assert.match(
    said(`protocol: ssh, inject: password, ssh: { hostKeys: '${key}', commands: a }`),
    /protocol: ssh needs one of kind ssh-key/,
  );
  assert.match(
    said(`protocol: postgres, inject: deploy, postgres: { databases: a }`),
    /needs one of kind login/,
  );
  assert.match(said(`inject: deploy`), /of kind ssh-key, which is put on no request/);
  assert.match(
    said(`scheme: tcp, ports: 22, ssh: { hostKeys: '${key}', commands: a }`),
    /goes with protocol: ssh/,
  );
  assert.match(said(`${ssh(`hostKeys: '${key}', commands: a`)}, trust: own`), /hostKeys says who it is/);
});
