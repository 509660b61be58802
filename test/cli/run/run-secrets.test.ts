// What `run` passes of its own environment, and what it says of what it hides.

import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { type HomeSecrets, noSecrets } from '../../../src/agent/home-secrets/home-secrets.ts';
import type { JailReport } from '../../../src/agent/jail/jail-plan.ts';
import {
  emptyPlaces,
  findRunSecrets,
  hiddenNote,
  passedEnvironment,
  readableSources,
  readNames,
  withoutSources,
} from '../../../src/cli/run/run-secrets.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

test('all passes, and one line names what looks like a secret', () => {
  const environment = {
    PATH: '/bin',
    PWD: '/',
    SSH_AUTH_SOCK: '/s',
    GITHUB_TOKEN: 'a',
    AWS_SECRET_ACCESS_KEY: 'b',
    DB_PASSWORD: 'c',
    EMPTY_TOKEN: '',
    npm_config__authtoken: 'd',
    STRIPE_APIKEY: 'e',
    MONKEY: 'f',
    AUTHOR: 'g',
  };
  const { environment: passed, warning } = passedEnvironment(environment, undefined);
  assert.deepEqual(passed, environment);
  assert.match(
    warning,
    /^upstreamproxy: [^\n]*: AWS_SECRET_ACCESS_KEY, DB_PASSWORD, GITHUB_TOKEN, STRIPE_APIKEY, npm_config__authtoken; --pass-env [^\n]*\n$/,
  );
  for (const value of Object.values(environment).filter((one) => one.length === 1 && one !== '/'))
    assert.ok(!new RegExp(`[:,] ${value}(?:,|;|$)`).test(warning));
});

test('--pass-env passes what is named, and nothing else', () => {
  const names = readNames('PATH, LANG');
  assert.deepEqual(passedEnvironment({ PATH: '/bin', HOME: '/h', A_TOKEN: 'x' }, names), {
    environment: { PATH: '/bin' },
    warning: '',
  });
  for (const wrong of ['', 'A,,B', 'A=b']) assert.throws(() => readNames(wrong), { code: 'usage' });
});

test('variables that the configuration names do not reach the command', () => {
  const environment = withoutSources(
    { API_SECRET: 'x', PATH: '/bin' },
    { variables: ['API_SECRET'], files: [] },
  );
  assert.deepEqual(environment, { PATH: '/bin' });
});

test('files that the configuration names are told where the command can read them', async () => {
  await using folder = await temporaryDirectory();
  chmodSync(folder.path, 0o755);
  const [open, closed, inside] = ['open', 'closed', 'deep/file'].map((name) => join(folder.path, name));
  mkdirSync(join(folder.path, 'deep'), { mode: 0o700 });
  for (const [path, mode] of [
    [open, 0o644],
    [closed, 0o600],
    [inside, 0o644],
  ] as const)
    writeFileSync(path!, '', { mode });
  const files = [open!, closed!, inside!, join(folder.path, 'absent')];
  assert.deepEqual(readableSources({ variables: [], files }, undefined), files.slice(0, 3));
  if (process.geteuid?.() !== 0) return;
  const other = { uid: 65_534, gid: 65_534, groups: [], environment: {} };
  chownSync(open!, 0, 0);
  assert.deepEqual(readableSources({ variables: [], files }, other), [open]);
});

test('a file that the configuration names is out of reach where it is hidden as a whole, by whatever name', async () => {
  await using folder = await temporaryDirectory();
  const hidden = join(folder.path, 'hidden');
  mkdirSync(hidden);
  symlinkSync(hidden, join(folder.path, 'link'));
  const files = [join(hidden, 'key'), join(folder.path, 'link/key'), join(folder.path, 'hidden-not')];
  for (const file of [files[0]!, files[2]!]) writeFileSync(file, '');
  const held = { layers: [{ layer: 'files', held: true }] } as const;
  const missed = { layers: [{ layer: 'files', held: false }] } as const;
  const secrets = (cover: object): HomeSecrets => ({
    ...noSecrets,
    covers: [{ path: hidden, isWritable: true, ...cover }],
  });
  const sources = { variables: [], files };
  const readable = (cover: object, report: JailReport | undefined): readonly string[] =>
    readableSources(sources, undefined, emptyPlaces(secrets(cover), report));
  assert.deepEqual(readable({}, held), [files[2]]);
  // A part of the folder, or a copy of a file, is there for the command; and without the layer all of it.
  for (const cover of [{ keeps: ['key'] }, { keepsOthers: true, entries: [] }, { content: 'YQ==' }])
    assert.deepEqual(readable(cover, held), files);
  assert.deepEqual(readable({}, missed), files);
  assert.deepEqual(readable({}, undefined), files);
});

test('a line says what is hidden only where it is', () => {
  const secrets = {
    covers: [],
    credentials: [],
    hidden: ['~/.ssh'],
    copies: ['~/.yarnrc.yml'],
    replaced: ['~/.npmrc'],
    without: ['~/.netrc (curl, git and others)'],
  };
  const held = { layers: [{ layer: 'files', held: true }] } as const;
  const line = hiddenNote(secrets, held);
  assert.equal(line.trimEnd().split('\n').length, 1);
  for (const part of [
    'hidden: ~/.ssh',
    'without its secrets: ~/.yarnrc.yml',
    'with placeholders: ~/.npmrc',
    'will not work: ~/.netrc',
    '--fs-read',
  ])
    assert.ok(line.includes(part), line);
  assert.equal(hiddenNote(secrets, { layers: [{ layer: 'files', held: false }] }), '');
  assert.equal(hiddenNote({ ...secrets, hidden: [], copies: [], replaced: [], without: [] }, held), '');
});

test('a standard stream that is lost by what is hidden is told in a line of its own', () => {
  const none = { covers: [], credentials: [], hidden: [], copies: [], replaced: [], without: [] };
  const measures = { isPowerful: false, uid: 0, networkStreams: [], inherited: [], ownTerminals: true };
  const lost = (lostStreams: readonly number[]): string => {
    const report = {
      layers: [{ layer: 'files', held: true }],
      measures: { ...measures, reachesOwnAlone: true, lostStreams },
    } as const;
    return hiddenNote(none, report);
  };
  assert.equal(lost([]), '');
  assert.match(
    lost([0, 1]),
    /^upstreamproxy: standard stream 0, 1 is \/dev\/null for the command: [^\n]*\n$/,
  );
});

test('a working folder that would be hidden is refused, with the way to open it', async () => {
  await using folder = await temporaryDirectory();
  const ssh = join(folder.path, '.ssh');
  mkdirSync(ssh);
  const before = process.cwd();
  process.chdir(ssh);
  try {
    const options = { environment: { HOME: folder.path }, identity: undefined, replaces: false };
    assert.throws(() => findRunSecrets({ ...options, fsRead: [] }), { code: 'usage', message: /--fs-read/ });
    assert.deepEqual(
      findRunSecrets({ ...options, fsRead: [ssh] }).hidden.filter((name) => name === '~/.ssh'),
      [],
    );
  } finally {
    process.chdir(before);
  }
});
