import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readGitObject } from '../../src/understand/git-object.ts';

const id = 'c0ffee'.repeat(6) + 'c0ff';
const other = 'beef'.repeat(10);
const who = 'Build Agent <agent@example.com> 1700000000 +0100';
const lines = {
  tree: `tree ${id}`,
  parent: `parent ${other}`,
  author: `author ${who}`,
  committer: `committer ${who}`,
};
const commit = (...more: readonly string[]): string =>
  [lines.tree, lines.parent, lines.author, lines.committer, ...more, '', 'A message.\n'].join('\n');
const tag = (...more: readonly string[]): string =>
  [`object ${id}`, 'type commit', 'tag v1.0', `tagger ${who}`, ...more, '', 'A message.\n'].join('\n');

const read = (text: string | Uint8Array): ReturnType<typeof readGitObject> =>
  readGitObject(typeof text === 'string' ? Buffer.from(text) : text);
const problem = (text: string | Uint8Array): string => {
  const result = read(text);
  return typeof result === 'string' ? result : 'read';
};

test('a commit and a tag are read with who made them', () => {
  const identity = { name: 'Build Agent', email: 'agent@example.com' };
  assert.deepEqual(read(commit()), { kind: 'commit', hash: 'sha1', author: identity, committer: identity });
  assert.deepEqual(read(tag()), { kind: 'tag', hash: 'sha1', tag: 'v1.0', committer: identity });
  const long = commit().replaceAll(id, id.slice(0, 32).repeat(2)).replaceAll(other, 'ab'.repeat(32));
  assert.partialDeepStrictEqual(read(long), { hash: 'sha256' });
  assert.partialDeepStrictEqual(read(commit().replaceAll('Build Agent', 'Zoë Ågren')), {
    author: { name: 'Zoë Ågren' },
  });
});

test('a first commit, a merge, an empty message, an encoding and a tag that is merged are as git writes them', () => {
  const merged = [
    `mergetag object ${other}`,
    ' type commit',
    ' tag v0',
    ` tagger ${who}`,
    ' ',
    ' said',
    ' -----BEGIN PGP SIGNATURE-----',
  ];
  for (const text of [
    commit().replace(`${lines.parent}\n`, ''),
    commit().replace(lines.parent, `${lines.parent}\nparent ${id}`),
    [lines.tree, lines.author, lines.committer, '', ''].join('\n'),
    commit('encoding ISO-8859-1'),
    commit(...merged),
    commit('encoding windows-1252', ...merged),
    [`object ${id}`, 'type commit', 'tag v1.0', `tagger ${who}`, '', ''].join('\n'),
  ])
    assert.equal(problem(text), 'read', text);
});

const forged: readonly (readonly [what: string, text: string | Uint8Array])[] = [
  ['an empty text', ''],
  ['a blob', 'Pay 1000 to the bearer.\n'],
  ['a certificate of a push', `certificate version 0.1\npusher ${who}\n\n${id} ${other} refs/heads/main\n`],
  ['the header alone', commit().split('\n\n')[0] ?? ''],
  ['a NUL', commit().replace('message', 'mess\0age')],
  ['two trees', commit().replace(lines.tree, `${lines.tree}\n${lines.tree}`)],
  ['no tree', commit().replace(`${lines.tree}\n`, '')],
  ['an id in capitals', commit().replace(id, id.toUpperCase())],
  ['a short id', commit().replace(id, id.slice(1))],
  ['the id of nothing', commit().replace(id, '0'.repeat(40))],
  ['ids of two kinds', commit().replace(other, 'ab'.repeat(32))],
  ['a parent twice', commit().replace(lines.parent, `${lines.parent}\n${lines.parent}`)],
  ['a parent behind the author', commit(lines.parent).replace(`${lines.parent}\n`, '')],
  ['two authors', commit().replace(lines.author, `${lines.author}\n${lines.author}`)],
  ['two committers', commit(lines.committer)],
  [
    'the committer before the author',
    commit().replace(`${lines.author}\n${lines.committer}`, `${lines.committer}\n${lines.author}`),
  ],
  ['a signature of before', commit('gpgsig -----BEGIN SSH SIGNATURE-----', ' AAAA')],
  ['a signature of another hash', commit('gpgsig-sha256 -----BEGIN SSH SIGNATURE-----')],
  ['a header that git does not write', commit('reviewed-by Somebody')],
  ['a line that goes on', commit(' more')],
  ['CR before LF', commit().replaceAll('\n', '\r\n')],
  ['a CR in a name', commit().replaceAll('Build Agent', 'Build\rAgent')],
  ['an encoding in which ASCII is other text', commit('encoding UTF-7')],
  ['an encoding of shifts', commit('encoding ISO-2022-JP')],
  ['two encodings', commit('encoding UTF-8', 'encoding UTF-8')],
  [
    'a name that is not ASCII in another encoding',
    commit('encoding ISO-8859-1').replaceAll('Build', 'Bùild'),
  ],
  ['a name that is not UTF-8', Buffer.from(commit().replaceAll('Build', 'B\xfcild'), 'latin1')],
  ['a name that nobody sees', commit().replaceAll('Build Agent', 'Build\u200bAgent')],
  ['a name with a letter that nobody sees', commit().replaceAll('Build Agent', 'Build Agent\u3164')],
  ['a name with a variation that nobody sees', commit().replaceAll('Build Agent', 'Build Agent\ufe00')],
  ['a name with a joiner that nobody sees', commit().replaceAll('Build Agent', 'Build\u034f Agent')],
  ['a name with a sign that is empty', commit().replaceAll('Build Agent', 'Build Agent\u2800')],
  ['an address with a letter that nobody sees', commit().replaceAll('agent@', 'agent\u115f@')],
  ['a name that turns what follows', commit().replaceAll('Build Agent', 'Build\u202eAgent')],
  ['a blank that is none', commit().replaceAll('Build Agent', 'Build\u00a0Agent')],
  ['no name', commit().replaceAll('Build Agent <', ' <')],
  ['two e-mail addresses', commit().replaceAll('agent@example.com', 'a@example.net,agent@example.com')],
  [
    'an address in an address',
    commit().replaceAll('<agent@example.com>', '<a@example.net> <agent@example.com>'),
  ],
  ['two @', commit().replaceAll('agent@example.com', 'a@example.net@example.com')],
  ['a date with zeros before it', commit().replaceAll(' 1700000000', ' 01700000000')],
  ['a date below zero', commit().replaceAll(' 1700000000', ' -1')],
  ['a zone that is none', commit().replaceAll('+0100', '+9900')],
  [
    'a merged tag of no parent',
    commit(`mergetag object ${id}`, ' type commit', ' tag v', ` tagger ${who}`, ' '),
  ],
  ['a merged tag that is none', commit(`mergetag object ${other}`, ' type blob')],
  ['a tag on a blob', tag().replace('type commit', 'type blob')],
  ['two names of a tag', tag().replace('tag v1.0', 'tag v1.0\ntag v2.0')],
  ['a name that is no ref', tag().replace('v1.0', 'v1..0')],
  ['a name that is an option', tag().replace('v1.0', '-v1.0')],
  ['a name that leaves its folder', tag().replace('v1.0', '../heads/main')],
  ['a name with a look-alike', tag().replace('v1.0', 'ⅴ1.0')],
  ['no tagger', tag().replace(`tagger ${who}\n`, '')],
  ['a header behind the tagger', tag('gpgsig x')],
  ['a tag with the beginning of a signature', tag().replace('A message.', '-----BEGIN SSH SIGNATURE-----')],
  ['a tag with a signature of OpenPGP', tag().replace('A message.', '-----BEGIN PGP SIGNATURE-----')],
  ['a tag whose last line is none', tag().trimEnd()],
];

for (const [what, text] of forged)
  test(`nothing is signed that has ${what}`, () => assert.notEqual(problem(text), 'read'));

test('a long name and a long header cost no more than their octets', () => {
  const long = 'x'.repeat(250_000);
  for (const text of [
    commit().replaceAll('Build Agent', long),
    commit().replaceAll('agent@example.com', `${long}@`),
    commit(`encoding ${long}`),
    tag().replace('v1.0', `v${'./'.repeat(100_000)}`),
    commit(...Array.from({ length: 5_000 }, () => `parent ${other}`)),
  ])
    assert.notEqual(problem(text), 'read');
});
