import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openStore } from '../../../src/store/open-store.ts';
import { withdrawnToken } from '../../../src/store/store.ts';
import { readLaterFacts } from '../../../src/cli/operator/later-facts.ts';
import { mustRunShared, runShared } from '../../support/command-process.ts';
import { fillStore } from '../../support/filled-store.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { newSession } from '../../conformance/new-session.ts';

function event(action: string, sessionId: string | undefined, details?: Readonly<Record<string, unknown>>) {
  return {
    v: 1,
    id: `${action} ${sessionId}`,
    time: '2026-01-02T03:04:05.000Z',
    kind: 'session',
    action,
    traceId: 't',
    verdict: 'info',
    message: 'so it was',
    sessionId,
    details,
  };
}

const later = [
  event('enrolled', 'new', { tokenKey: 'since', tokenExpires: '2030-01-01T00:00:00.000Z' }),
  event('enrolled', 'waits', { tokenKey: 'waits', tokenExpires: '2030-01-01T00:00:00.000Z' }),
  event('committed', 'new'),
  event('revoked', 'living'),
  event('access_revoked', 'living', { id: 'r' }),
  event('access_denied', 'living', { id: 's' }),
  { ...event('access_granted', 'living', { id: 's' }), time: '2026-01-02T03:04:05.001Z' },
  event('operator_token_revoked', undefined, { id: 't' }),
  event('policy_published', undefined),
];

async function place(
  root: string,
  name: string,
): Promise<{ readonly config: string; readonly store: string }> {
  const config = join(root, `${name}.yaml`);
  await writeFile(
    config,
    `stateDirectory: ${name}\npolicy: policy.yaml\npublicNames: [gateway.example.com]\n`,
  );
  return { config, store: `sqlite:${join(root, name, 'state.db')}` };
}

test('what the audit says of later is read: what ended, was used, was taken back', () =>
  withTemporaryDirectory(async (root) => {
    const file = join(root, 'audit.jsonl');
    await writeFile(file, later.map((one) => `${JSON.stringify(one)}\n`).join(''));
    const { facts, policies, throughMs } = await readLaterFacts([file], { endsAll: false, nowMs: 1 });
    const atMs = Date.parse('2026-01-02T03:04:05.000Z');
    assert.deepEqual(
      facts.endedSessions,
      new Map([['living', { state: 'revoked', reason: 'so it was', atMs }]]),
    );
    assert.deepEqual([...facts.usedTokens.keys()], ['since']);
    assert.deepEqual(facts.committed, new Map([['new', atMs]]));
    assert.deepEqual(facts.closedAccess, new Map([['r', 'revoked']]));
    assert.deepEqual(facts.revokedOperators, new Map([['t', atMs]]));
    assert.deepEqual([policies, throughMs], [1, atMs + 1]);
  }));

test('a token that was taken back since is one that starts nothing, with a session or without', () =>
  withTemporaryDirectory(async (root) => {
    const file = join(root, 'audit.jsonl');
    const token = (tokenKey: string) => ({ tokenKey, tokenExpires: '2030-01-01T00:00:00.000Z' });
    const events = [
      event('session_token_withdrawn', undefined, token('alone')),
      event('session_token_withdrawn', 'began', token('both')),
      event('session_token_withdrawn', undefined, { tokenKey: 'no time' }),
    ];
    await writeFile(file, events.map((one) => `${JSON.stringify(one)}\n`).join(''));
    const { facts } = await readLaterFacts([file], { endsAll: false, nowMs: 1 });
    const expiresMs = Date.parse('2030-01-01T00:00:00.000Z');
    assert.deepEqual(
      facts.usedTokens,
      new Map([
        ['alone', { sessionId: withdrawnToken, expiresMs }],
        ['both', { sessionId: 'began', expiresMs }],
      ]),
    );
  }));

test('in whatever order it comes, as from several gateways and late from a spool: the same', () =>
  withTemporaryDirectory(async (root) => {
    const at = (time: string, ...given: Parameters<typeof event>) => ({ ...event(...given), time });
    const [early, late] = ['2026-01-02T03:00:00.000Z', '2026-01-02T04:00:00.000Z'];
    const token = (tokenKey: string) => ({ tokenKey, tokenExpires: '2030-01-01T00:00:00.000Z' });
    const events = [
      ...later.filter(({ action }) => !action.startsWith('access_')),
      event('ended', 'living'),
      event('enrolled', 'taken away', token('taken away')),
      event('revoked', 'taken away'),
      event('enrolled', 'given up', token('given up')),
      event('ended', 'given up'),
      at(early, 'access_denied', 'living', { id: 'granted after' }),
      at(late, 'access_granted', 'living', { id: 'granted after' }),
      at(early, 'access_granted', 'living', { id: 'taken back' }),
      at(late, 'access_revoked', 'living', { id: 'taken back' }),
      // Clocks of gateways differ.
      at(late, 'access_granted', 'living', { id: 'by another clock' }),
      at(early, 'access_revoked', 'living', { id: 'by another clock' }),
      event('access_granted', 'living', { id: 'at once' }),
      event('access_denied', 'living', { id: 'at once' }),
      event('operator_logged_out', undefined, { id: 'log-in' }),
    ];
    const orders = [
      events,
      events.toReversed(),
      events.toSorted((one, other) => one.action.localeCompare(other.action)),
    ];
    for (const order of orders) {
      const file = join(root, 'audit.jsonl');
      await writeFile(file, order.map((one) => `${JSON.stringify(one)}\n`).join(''));
      const { facts, fromMs, throughMs } = await readLaterFacts([file], { endsAll: false, nowMs: 1 });
      assert.deepEqual([...facts.usedTokens.keys()].toSorted(), ['since', 'taken away']);
      assert.deepEqual(
        new Map(facts.closedAccess),
        new Map([
          ['taken back', 'revoked'],
          ['by another clock', 'revoked'],
          ['at once', 'denied'],
        ]),
      );
      assert.equal(facts.endedSessions.get('living')?.state, 'revoked');
      assert.deepEqual([...facts.revokedOperators.keys()].toSorted(), ['log-in', 't']);
      assert.deepEqual([fromMs, throughMs], [Date.parse(early), Date.parse(late)]);
    }
  }));

test('a backup is made and brought back by commands, which say what a backup cannot know', () =>
  withTemporaryDirectory(async (root) => {
    await writeFile(join(root, 'policy.yaml'), 'rules: []\n');
    const [from, to] = [await place(root, 'from'), await place(root, 'to')];
    await fillStore(await openStore(from.store), 5);
    const [file, audit] = [join(root, 'backup'), join(root, 'audit.jsonl')];
    await writeFile(audit, later.map((one) => `${JSON.stringify(one)}\n`).join(''));
    const wrote = await mustRunShared(['store', 'backup', file, '--config', from.config]);
    assert.match(wrote, /^wrote [^\n]*: 3 sessions, 2 used tokens, 5 events, \d+ rows in all\n$/);
    const unsaid = await runShared(['store', 'restore', file, '--config', to.config]);
    assert.match(
      unsaid.stderr,
      /^upstreamproxy: what happened since the backup\? give --audit FILE[^\n]*\[usage\]\n$/,
    );
    const [none, late] = [join(root, 'none.jsonl'), join(root, 'late.jsonl')];
    await writeFile(none, '');
    await writeFile(
      late,
      `${JSON.stringify({ ...event('committed', 'x'), time: '2999-01-01T00:00:00.000Z' })}\n`,
    );
    const restore = ['store', 'restore', file, '--config', to.config, '--audit'];
    assert.match(
      (await runShared([...restore, none])).stderr,
      /the audit has no event since the backup of [^\n]*--with-gap[^\n]*\[config_invalid\]\n$/,
    );
    assert.match(
      (await runShared([...restore, late])).stderr,
      /the audit begins at 2999-01-01T00:00:00\.000Z, and the backup is of [^\n]*\[config_invalid\]\n$/,
    );
    const other = await place(root, 'other');
    const gap = ['store', 'restore', file, '--config', other.config, '--with-gap', '--audit', late];
    assert.match(
      await mustRunShared(gap),
      /\nthe audit begins at 2999-[^\n]*: what happened between is not known/,
    );
    const said = await mustRunShared(['store', 'restore', file, '--config', to.config, '--audit', audit]);
    assert.match(
      said,
      /asserted again: 1 sessions ended, 1 tokens used, 1 requests and grants closed, 1 tokens of operators revoked/,
    );
    assert.match(said, /\n1 sessions live\nwhat happened after 2026-01-02T03:04:05\.001Z is not known here/);
    assert.match(said, /\n1 versions of policies were published since/);
    {
      await using store = await openStore(to.store);
      assert.equal((await store.sessions.find('living'))?.state, 'revoked');
      const outcome = await store.sessions.enrol(newSession('x', { tokenKey: 'since' }), {
        enrolmentsPerTokenMax: 9,
      });
      assert.equal(outcome.kind, 'token_consumed');
    }
    const again = await runShared(['store', 'restore', file, '--config', to.config, '--end-all']);
    assert.match(again.stderr, /is not empty: session has rows; name a new one \[config_invalid\]\n$/);
    const strange = await runShared(['store', 'copy', to.config, from.config]);
    assert.match(strange.stderr, /FROM is a SQLite store, and TO is one on PostgreSQL \[usage\]\n$/);
  }));
