// `upstreamproxy policy …` as an operator starts it.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { runShared } from '../../support/command-process.ts';
import { temporaryDirectory, withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { exchange, refused } from '../policy-events.ts';

const policy = (...args: readonly string[]) => runShared(['policy', ...args]);

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
    [['diff', 'one.yaml'], /name NEW, .*: upstreamproxy policy diff OLD NEW/],
    [
      ['constructor'],
      /check, explain, learn, replay, diff, publish, history, show, rollback, withdraw, pins, uses or prove/,
    ],
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

test('pins are made of the pages of a list, as JSON or as events, and of nothing less', async () => {
  await using folder = await temporaryDirectory();
  const write = async (name: string, text: string): Promise<string> => {
    const file = join(folder.path, name);
    await writeFile(file, text);
    return file;
  };
  const page = (tools: readonly object[], more: object = {}): string =>
    JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools, ...more } });
  const [search, other] = [
    { name: 'search', inputSchema: { type: 'object' } },
    { name: 'a: b', inputSchema: {} },
  ];
  const one = await write('one', page([search], { nextCursor: 'x' }));
  const two = await write('two', `event: message\nid: 1\ndata: ${page([other])}\n\n`);
  const good = await policy('pins', one, two);
  assert.equal(good.code, 0, good.stderr);
  // By sha256sum of {"inputSchema":{"type":"object"},"name":"search"}.
  const digest = `sha256:${createHash('sha256').update('{"inputSchema":{"type":"object"},"name":"search"}').digest('hex')}`;
  assert.match(good.stdout, new RegExp(`^pins:\\n  search: ${digest}\\n  "a: b": sha256:[0-9a-f]{64}\\n$`));
  const json = JSON.parse((await policy('pins', '--json', one, two)).stdout) as {
    pins: Record<string, string>;
  };
  assert.equal(json.pins['search'], digest);
  const changed = await write('changed', page([{ ...search, description: 'x' }]));
  for (const [files, told] of [
    [[one], /goes on behind its last page/],
    [[one, changed], /"search" a second time/],
    [[await write('none', '{"jsonrpc":"2.0","id":1,"result":{}}')], /no response to tools\/list/],
    [[await write('twice', '{"result":{"tools":[],"tools":[]}}')], /a second time/],
    [[], /name the files/],
  ] as const) {
    const refused = await policy('pins', ...files);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, told);
    assert.equal(refused.stdout, '');
  }
});

test('check and explain say the same as JSON', async () => {
  await withTemporaryDirectory(async (directory) => {
    const file = (name: string): string => join(directory, name);
    await writeFile(
      file('policy.yaml'),
      `rules:
  - { name: old, hosts: old.example.com, expires: 2020-01-01T00:00:00Z }
  - { name: reads, hosts: api.example.com, methods: GET }
`,
    );
    const checked = await policy('check', file('policy.yaml'), '--json');
    assert.equal(checked.code, 0, checked.stderr);
    const { version, ...found } = JSON.parse(checked.stdout) as Record<string, unknown>;
    assert.match(String(version), /^[0-9a-f]{12}$/);
    const message =
      'the rule old expired at 2020-01-01T00:00:00.000Z and does nothing; remove it, or give it more time';
    const problem = { severity: 'warning', message, file: file('policy.yaml'), line: 2 };
    assert.deepEqual(found, { ok: true, rules: 2, problems: [problem] });
    const strict = await policy('check', file('policy.yaml'), '--json', '--fail-on-warning');
    assert.deepEqual([strict.code, JSON.parse(strict.stdout).ok], [1, false]);
    const text = await policy('check', file('policy.yaml'));
    assert.match(text.stdout, new RegExp(`^${file('policy.yaml')}:2: warning: ${message}\ngood: 2 rules`));

    await writeFile(file('bad.yaml'), 'rules: [{ name: x, hosts: a.example.com, nothing: 1 }]\n');
    const bad = await policy('check', file('bad.yaml'), '--json');
    const { ok, problems } = JSON.parse(bad.stdout) as { ok: boolean; problems: Record<string, unknown>[] };
    assert.deepEqual([bad.code, bad.stderr, ok, problems.length], [78, '', false, 1]);
    assert.deepEqual(
      [
        problems[0]?.['file'],
        problems[0]?.['line'],
        problems[0]?.['severity'],
        typeof problems[0]?.['column'],
      ],
      [file('bad.yaml'), 1, 'error', 'number'],
    );
    assert.equal((await policy('check', file('bad.yaml'))).code, 78);

    const explain = async (method: string) => {
      const { code, stdout } = await policy(
        'explain',
        method,
        'https://api.example.com/x',
        '--json',
        '--policy',
        file('policy.yaml'),
      );
      const { request, decision, steps } = JSON.parse(stdout) as {
        request: string;
        decision: { effect: string; rule: { name: string } };
        steps: { rule: string; outcome: string }[];
      };
      return [
        code,
        request,
        decision.effect,
        decision.rule.name,
        steps.map(({ rule, outcome }) => `${rule} ${outcome}`),
      ];
    };
    assert.deepEqual(await explain('GET'), [
      0,
      'GET https://api.example.com/x',
      'allow',
      'reads',
      ['reads decides'],
    ]);
    assert.deepEqual(await explain('PUT'), [
      77,
      'PUT https://api.example.com/x',
      'deny',
      'default-deny',
      ['reads does not match'],
    ]);
  });
});
