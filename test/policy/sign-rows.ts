// Rows of every-key.test.ts about commits and tags that the gateway signs.

import type { Signable } from '../../src/policy/sign-condition.ts';
import type { GitObject } from '../../src/understand/git-object.ts';

const agent = { name: 'A', email: 'a@example.com' };
const commit: GitObject = { kind: 'commit', hash: 'sha1', author: agent, committer: agent };
const tag: GitObject = { kind: 'tag', hash: 'sha1', tag: 'v1', committer: agent };
const ofAgent = 'committer: A <a@example.com>';
const rule = (sign: string): string => `rules: [{ name: r, sign: { ${sign} }, inject: key }]`;
const row = (key: string, withKey: string, without: string, signs: Signable, opens = true) => ({
  key: `rules[].sign${key}`,
  with: withKey,
  without,
  asked: 'POST https://upstreamproxy.invalid/sign',
  read: { signs },
  expected: opens ? (['allow r', 'deny default-deny'] as const) : (['deny default-deny', 'allow r'] as const),
});

const hostKey = `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${'a'.repeat(43)}`;
const otherKey = `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${'b'.repeat(43)}`;
const logIn: Signable = { kind: 'log-in', user: 'a', hostKey, credentials: ['key'] };
const hash: Signable = { kind: 'hash', hash: 'sha512', credentials: ['key'] };
const atServer = (keys: string, server = 's.test'): string => `logIn: { server: ${server}, ${keys} }`;
const whole = `hostKeys: '${hostKey}', users: a`;

export const signRows = [
  row('.logIn', rule(atServer(whole)), rule(ofAgent), logIn),
  row('.logIn.hostKeys', rule(atServer(whole)), rule(atServer(`hostKeys: '${otherKey}', users: a`)), logIn),
  row('.logIn.users', rule(atServer(whole)), rule(atServer(`hostKeys: '${hostKey}', users: b`)), logIn),
  {
    ...row('.logIn.server', rule(atServer(whole)), rule(atServer(whole, 't.test')), logIn),
    // A name for people, which decides nothing.
    expected: ['allow r', 'allow r'] as const,
  },
  row('.hashes', rule('hashes: git'), rule(ofAgent), hash),
  row('', rule(ofAgent), 'rules: [{ name: r, hosts: a.example.com }]', commit),
  row('.objects', rule(`${ofAgent}, objects: [commit, tag]`), rule(ofAgent), tag),
  row('.committer', rule(ofAgent), rule('committer: B <b@example.com>, author: A <a@example.com>'), commit),
  row('.author', rule(`${ofAgent}, author: '* <*>'`), rule(ofAgent), {
    ...commit,
    author: { name: 'B', email: 'b@example.com' },
  }),
  row('.tags', rule(`${ofAgent}, objects: tag, tags: w*`), rule(`${ofAgent}, objects: tag`), tag, false),
  {
    ...row('.automatic', rule(`${ofAgent}, automatic: true`), rule(ofAgent), commit),
    // It is told to the agent, and decides nothing.
    expected: ['allow r', 'allow r'] as const,
  },
];
