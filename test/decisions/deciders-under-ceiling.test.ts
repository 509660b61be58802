// Deciders below a ceiling: what they change must not choose another one of its rules, and what is kept of one rule serves no other.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Decider } from '../../src/gateway/deciders/decider.ts';
import { Deciders } from '../../src/gateway/deciders/deciders.ts';
import { HeaderList } from '../../src/http/header-list.ts';
import { bothDeciders, type RuleDecide } from '../../src/policy/decide-rule.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { openOpa } from '../support/opa-server.ts';
import { openScene } from './decider-scene.ts';

test('a rule of the ceiling is chosen by a field that deciders alone set, and gives what the request goes by', async () => {
  let set: Readonly<Record<string, string>> = {};
  await using hook = await openOpa({
    documents: {},
    instead: (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ allow: true, fields: { set } }));
    },
  });
  const said = { 'x-team': 'blue' };
  const searched = ', leaks: { on: block }';
  const small = ', limits: { bodyBytes: 1000 }';
  for (const [ofBlue, ofRest] of [
    ['', ''],
    [searched, ''],
    ['', searched],
    [small, ''],
    ['', small],
  ] as const) {
    await using scene = await openScene({
      settings: { judge: { kind: 'webhook', url: hook.url('x'), ca: [] } },
      decide: '{ by: judge, timeoutMs: 60000, mayAdd: [x-team] }',
      ceiling: (port) => {
        const to = `hosts: api.test, ports: ${String(port)}, addresses: 127.0.0.0/8`;
        return `rules:
  - { name: blue, ${to}, when: '"blue" in request.headers["x-team"]'${ofBlue} }
  - { name: rest, ${to}${ofRest} }
`;
      },
    });
    const isSame = ofBlue === ofRest;
    for (const [theirs, own, status] of [
      // The decider says it, or the workload alone did, whose field is taken out.
      [said, {}, isSame ? 200 : 403],
      [{}, said, isSame ? 200 : 403],
      [said, said, 200],
      [{}, {}, 200],
    ] as const) {
      set = theirs;
      const before = scene.got.length;
      const { status: got, body } = await scene.send({ headers: own });
      const what = JSON.stringify([ofBlue, ofRest, theirs, own]);
      assert.equal(got, status, `${what}: ${body}`);
      assert.equal(scene.got.length - before, status === 200 ? 1 : 0, what);
      if (status === 403)
        assert.match(body, /what the deciders of rule api make of the request is not what it allows/, what);
      else assert.equal(scene.got.at(-1)?.headers['x-team'], theirs === said ? 'blue' : undefined, what);
    }
  }
});

test('what is kept for an hour by one rule is asked anew by one above it that keeps it for a second', async () => {
  let [asked, nowMs] = [0, 0];
  const decider: Decider = {
    ask: () => {
      asked += 1;
      return Promise.resolve({ outcome: 'allowed', set: [], removed: [] });
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  await using deciders = new Deciders(new Map([['judge', decider]]), {
    limits: defaultLimits,
    clock: () => nowMs,
  });
  const hour: RuleDecide = {
    by: 'judge',
    timeoutMs: 60_000,
    body: 'whole',
    cacheMs: 3_600_000,
    mayAdd: [],
    mayRemove: [],
    isOnTrial: false,
  };
  const both = bothDeciders([hour], [{ ...hour, cacheMs: 1000 }]) ?? [];
  const question = {
    rule: 'api',
    policyVersion: 'v',
    principal: { id: 'p', sessionId: 's', claims: {}, posture: [] },
    request: {
      method: 'GET',
      destination: { scheme: 'https', host: 'api.test', port: 443 },
      path: '/',
      query: '',
      headers: new HeaderList([]),
    },
    body: { kind: 'none' },
  } as const;
  const cached = async (): Promise<readonly boolean[]> => {
    const said: boolean[] = [];
    for (const rule of both) {
      const { isCached } = await deciders.ask(rule, question, {
        owner: 's',
        signal: new AbortController().signal,
      });
      said.push(isCached);
    }
    return said;
  };
  assert.deepEqual(await cached(), [false, false]);
  assert.deepEqual(await cached(), [true, true]);
  nowMs = 2000;
  assert.deepEqual(await cached(), [true, false]);
  nowMs = 2999;
  assert.deepEqual(await cached(), [true, true]);
  assert.equal(asked, 3);
});
