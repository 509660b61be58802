// `upstreamproxy policy …` as an operator starts it.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { runCommand } from '../../support/command.ts';
import { launcher } from '../../support/program.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { exchange, refused } from '../policy-events.ts';

const policy = (...args: readonly string[]) => runCommand(launcher, ['policy', ...args]);

test('learn, check and replay agree; replay tells a flip and fails where it is asked to; diff says what opens', async () => {
  await withTemporaryDirectory(async (directory) => {
    const file = (name: string): string => join(directory, name);
    const events = [
      exchange({ path: '/x/1' }),
      exchange({ path: '/x/2' }),
      refused({ host: 'b.example.com' }),
    ];
    await writeFile(file('audit.jsonl'), events.map((event) => `${JSON.stringify(event)}\n`).join(''));

    const learnt = await policy('learn', file('audit.jsonl'));
    assert.equal(learnt.code, 0, learnt.stderr);
    await writeFile(file('learnt.yaml'), learnt.stdout);
    const checked = await policy('check', file('learnt.yaml'));
    assert.match(checked.stdout, /^good: 1 rule, version [0-9a-f]{12}\n$/);

    const same = await policy(
      'replay',
      file('learnt.yaml'),
      '--audit',
      file('audit.jsonl'),
      '--fail-on-flip',
    );
    assert.equal(same.code, 0, same.stdout + same.stderr);
    assert.match(same.stdout, /3 decisions replayed, 1 unchanged, 0 flip/);

    await writeFile(file('new.yaml'), 'rules: [{ name: b, hosts: b.example.com }]\n');
    const flipped = await policy(
      'replay',
      file('new.yaml'),
      '--audit',
      file('audit.jsonl'),
      '--fail-on-flip',
    );
    assert.equal(flipped.code, 1, flipped.stderr);
    assert.match(flipped.stdout, /deny → allow: GET https:\/\/b\.example\.com\/\n/);
    assert.equal((await policy('replay', file('new.yaml'), '--audit', file('audit.jsonl'))).code, 0);

    const compared = await policy('diff', file('learnt.yaml'), file('new.yaml'), '--json');
    // Printed by our own command.
    const { opened, closed } = JSON.parse(compared.stdout) as { opened: string[]; closed: string[] };
    assert.deepEqual([opened, closed], [['https://b.example.com'], ['https://a.example.com']]);
  });
});

test('without an audit, a policy or a known word the command says what to write', async () => {
  for (const [args, message] of [
    [['replay'], /which policy\?/],
    [['replay', 'x.yaml'], /./],
    [['learn'], /which audit\?/],
    [['diff', 'one.yaml'], /name two policies/],
    [['constructor'], /check, explain, learn, replay or diff/],
  ] as const) {
    const { code, stderr } = await policy(...args);
    assert.notEqual(code, 0);
    assert.match(stderr, message);
  }
});

test('explain says of a push of git which rule decides about its refs', async () => {
  await withTemporaryDirectory(async (directory) => {
    const file = join(directory, 'policy.yaml');
    await writeFile(
      file,
      `rules: [{ name: agents, hosts: git.example.com, git: { repository: acme/app, operations: [fetch, push], refs: refs/heads/agent/** } }]`,
    );
    const explain = (...args: readonly string[]) => policy('explain', 'git', ...args, '--policy', file);
    const url = 'https://git.example.com/acme/app.git';
    const fetch = await explain('fetch', url);
    assert.equal(fetch.code, 0, fetch.stderr);
    assert.match(fetch.stdout, /^ALLOW GET .*\n {2}decided by: agents[^]*^ALLOW POST /m);
    const push = await explain('push', url, 'refs/heads/agent/x');
    assert.equal(push.code, 0, push.stderr);
    assert.match(
      push.stdout,
      /^ALLOW a push of refs\/heads\/agent\/x to https:\/\/git\.example\.com\/acme\/app$/m,
    );
    const unread = await explain('push', url);
    assert.match(unread.stdout, /then decided again by the refs of the push/);
    for (const args of [
      ['refs/heads/main'],
      ['refs/heads/agent/x', 'refs/heads/main'],
      ['refs/heads/agent/x', '--change', 'delete'],
    ]) {
      const refused = await explain('push', url, ...args);
      assert.equal(refused.code, 77, refused.stdout);
      assert.match(refused.stdout, /^DENY a push of [^]*agents .*is for pushes of other refs/m);
    }
    const short = await explain('push', url, 'main');
    assert.equal(short.code, 64);
    assert.match(short.stderr, /"main"/);
  });
});
