import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { findServices, gitRemotes } from '../../../src/cli/gateway/found-services.ts';
import { policyText } from '../../../src/cli/gateway/init-files.ts';
import { askedRequest } from '../../../src/gateway/policies/asked-access.ts';
import { parsePolicy } from '../../../src/policy/parse-policy.ts';
import { policyOf, principal } from '../../policy/fixture.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

const remotes = `[core]
\turl = https://github.com/not/a-remote
[remote "origin"]
\turl = https://x-access-token:ghs_secret@github.com/acme/app.git
\tfetch = +refs/heads/*:refs/remotes/origin/*
[remote "other"]
  url=git@gitlab.com:group/sub/lib.git
[branch "main"]
\turl = https://github.com/not/this
`;

test('remotes of git are found in each of their forms, and nothing of a token', () => {
  assert.deepEqual(gitRemotes(remotes), [
    { host: 'github.com', repository: 'acme/app' },
    { host: 'gitlab.com', repository: 'group/sub/lib' },
  ]);
  const urls = [
    ['ssh://git@github.com:22/acme/app', 'acme/app'],
    ['https://github.com/acme/app/', 'acme/app'],
    ['https://github.com/acme', undefined],
    ['https://github.com/acme/../other', undefined],
    ['https://github.com/acme/a b', undefined],
    ['https://github.com/acme/"]\\n', undefined],
    ['/srv/git/app.git', undefined],
    ['ext::sh -c id', undefined],
    ['--upload-pack=id', undefined],
    ['http://github.com/acme/app', undefined],
  ] as const;
  for (const [url, repository] of urls)
    assert.deepEqual(
      gitRemotes(`[remote "o"]\nurl = ${url}\n`).map((one) => one.repository),
      repository === undefined ? [] : [repository],
      url,
    );
});

test('services are found by lock files, remotes and names of variables; values of variables are in nothing', async () => {
  await withTemporaryDirectory(async (folder) => {
    assert.deepEqual(await findServices(folder, {}), []);
    await mkdir(join(folder, '.git'));
    await writeFile(join(folder, '.git', 'config'), remotes);
    for (const name of ['package-lock.json', 'Cargo.lock']) await writeFile(join(folder, name), '');
    const environment = { GITHUB_TOKEN: 'ghp_value', OPENAI_API_KEY: 'sk-value', ANTHROPIC_API_KEY: '' };
    const found = await findServices(folder, environment);
    assert.deepEqual(
      found.map(({ entry, by }) => [entry, ...by]),
      [
        ['crates', 'Cargo.lock'],
        ['github', 'github.com/acme/app', 'GITHUB_TOKEN'],
        ['gitlab', 'gitlab.com/group/sub/lib'],
        ['npm', 'package-lock.json'],
        ['openai', 'OPENAI_API_KEY'],
      ],
    );
    assert.doesNotMatch(JSON.stringify(found), /value|secret/);
  });
});

describe('the first policy has what was found', () => {
  const services = [
    { entry: 'github', title: 'GitHub', by: ['github.com/acme/app'], repositories: ['acme/app'] },
    { entry: 'openai', title: 'OpenAI', by: ['OPENAI_API_KEY'], repositories: [] },
  ];
  const gateway = { name: 'localhost', port: 8443, stateFolder: 'state' } as const;
  const effectOf = (text: string, line: string): string => {
    const [method = '', url = ''] = line.split(' ');
    return policyOf(text).decide(principal(), askedRequest(method, url, []), Date.now()).effect;
  };
  const refs = (name: string): string =>
    `GET https://github.com/${name}.git/info/refs?service=git-upload-pack`;

  test('as rules that let reads through, where that is chosen', () => {
    const text = policyText({ ...gateway, start: 'found' }, { services });
    assert.deepEqual(
      [
        refs('acme/app'),
        refs('acme/other'),
        'GET https://api.openai.com/v1/models',
        'DELETE https://api.openai.com/v1/files/1',
      ].map((line) => effectOf(text, line)),
      ['allow', 'deny', 'allow', 'deny'],
    );
    assert.doesNotMatch(text, /^ *inject:/m);
  });

  test('as comments elsewhere, which are rules once their marks are gone', () => {
    for (const start of ['observe', 'npm', 'nothing'] as const) {
      const text = policyText({ ...gateway, start }, { services });
      const [, proposed = ''] = text.split('without the marks:\n');
      const rules = `rules:\n${proposed.replaceAll(/^#/gm, '')}`;
      assert.equal(effectOf(rules, refs('acme/app')), 'allow', rules);
      const plain = policyText({ ...gateway, start }, { services: [] });
      assert.ok(text.startsWith(plain) && !plain.includes('marks:'));
    }
  });

  test('and is good where nothing was found, or no tool tells the hosts', () => {
    const npm = { entry: 'npm', title: 'Packages of npm', by: ['package-lock.json'], repositories: [] };
    const untold = new Set(['npm']);
    for (const found of [[], [npm], [npm, ...services], [...services, npm]]) {
      const text = policyText({ ...gateway, start: 'found' }, { services: found, untold });
      assert.ok(!('problems' in parsePolicy([{ file: 'p', text }])), text);
      assert.equal(text.includes('\n  #- name: npm\n'), found.includes(npm), text);
    }
  });
});
