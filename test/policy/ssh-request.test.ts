import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readSshCommand, sshCommandText } from '../../src/policy/ssh-request.ts';

const git = (command: string): string => {
  const request = readSshCommand(command);
  return request.kind === 'git' ? `${request.operation} ${request.repository}` : 'a command';
};

test('what git asks for is read to the letter, with and without slash and suffix', () => {
  assert.equal(git("git-upload-pack 'acme/app.git'"), 'fetch acme/app');
  assert.equal(git("git-upload-pack '/acme/app'"), 'fetch acme/app');
  assert.equal(git("git receive-pack 'acme/team/app.git'"), 'push acme/team/app');
});

test('what a shell, git or a server could read in another way is a command', () => {
  for (const command of [
    '',
    'git-upload-pack acme/app',
    'git-upload-pack "acme/app"',
    "git-upload-pack 'acme/app' ",
    " git-upload-pack 'acme/app'",
    "git-upload-pack  'acme/app'",
    "git-upload-pack 'acme/app'\n",
    "git-upload-pack 'acme/app';id",
    "git-upload-pack 'acme/a'\\''b'",
    "git-upload-pack '//acme/app'",
    "git-upload-pack 'acme//app'",
    "git-upload-pack 'acme/app/'",
    "git-upload-pack 'acme/../app'",
    "git-upload-pack './acme/app'",
    "git-upload-pack '-acme/app'",
    "git-upload-pack 'acme/--app'",
    "git-upload-pack '~acme/app'",
    "git-upload-pack 'acme/app.git.git'",
    "git-upload-pack 'acme.git/app'",
    "git-upload-pack '.git'",
    "git-upload-pack --strict 'acme/app'",
    "git-upload-pack 'acme/\u00e4pp'",
    "git-upload-archive 'acme/app'",
    "git-shell 'acme/app'",
  ])
    assert.equal(git(command), 'a command', command);
});

test('what goes to the server is written anew, in one form', () => {
  const anew = (command: string, isAbsolute: boolean): string =>
    sshCommandText(readSshCommand(command), isAbsolute);
  assert.equal(anew("git upload-pack '/acme/app.git'", false), "git-upload-pack 'acme/app.git'");
  assert.equal(anew("git-receive-pack 'acme/app'", true), "git-receive-pack '/acme/app'");
  assert.equal(anew('uptime -p', false), 'uptime -p');
});
