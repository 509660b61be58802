// Random trees of sessions on two gateways that share a store: whatever ends one ends all below it, at both, and nothing else.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  sessionCommitPath,
  sessionNarrowPath,
  sessionPath,
  tunnelPath,
} from '../../src/protocol/session-messages.ts';
import {
  createAgentKey,
  openTestSessions,
  origin,
  proofOf,
  type TestAgent,
  type TestSessions,
} from '../gateway/session-fixture.ts';
import { seededBelow } from '../support/seeded.ts';

const trees = process.env['DECISIONS_RUNS'] === undefined ? 4 : 60;
const policy = 'rules: [{ name: all, hosts: a.test }]';

async function childOf(sessions: TestSessions, parent: TestAgent): Promise<TestAgent> {
  const key = createAgentKey();
  const body = { key: key.jwk, policy, confined: false, agent: { version: '0.2.0' } };
  const response = await sessions.service.narrow(parent.request('POST', sessionNarrowPath), body);
  const accessToken = response.access_token;
  const nowMs = sessions.nowMs();
  return {
    sessionId: response.session_id,
    accessToken,
    key,
    request: (method, path) => ({
      authorization: `DPoP ${accessToken}`,
      proof: proofOf(key, { method, url: `${origin}${path}`, nowMs, accessToken }),
      method,
      url: `${origin}${path}`,
      nowMs,
    }),
  };
}

interface Node {
  readonly agent: TestAgent;
  readonly above: readonly number[];
}

test('ending a session at one gateway ends all below it at both, in random trees', async () => {
  const limits = { childSessionsMax: 40, narrowingsPerSecondMax: 1_000 };
  for (let seed = 1; seed <= trees; seed += 1) {
    const draw = seededBelow(seed);
    await using one = await openTestSessions({ limits });
    await using other = await openTestSessions({ limits, store: one.store, signingKey: one.signingKey });
    const told = new Set<string>();
    other.service.onEnded((id) => told.add(id));
    const root = await one.enrol(one.token());
    await one.service.commit(root.request('POST', sessionCommitPath));
    const nodes: Node[] = [{ agent: root, above: [] }];
    for (let count = 0; count < 10; count += 1) {
      const at = draw(nodes.length);
      const parent = nodes[at];
      assert.ok(parent !== undefined);
      if (parent.above.length === 4) continue;
      const agent = await childOf(draw(2) === 0 ? one : other, parent.agent);
      nodes.push({ agent, above: [...parent.above, at] });
    }
    const target = draw(nodes.length);
    const ended = nodes[target];
    assert.ok(ended !== undefined);
    if (draw(2) === 0) await one.service.revoke(ended.agent.sessionId, 'drawn');
    else await one.service.end(ended.agent.request('DELETE', sessionPath));
    await other.service.watch.look();
    for (const [at, { agent, above }] of nodes.entries()) {
      const isOver = at === target || above.includes(target);
      const where = `seed ${seed}: ${at} below ${above.join(' ')}, ended ${target}`;
      assert.equal(told.has(agent.sessionId), isOver, where);
      for (const gateway of [one, other]) {
        const asked = gateway.service.authenticate(agent.request('GET', tunnelPath));
        if (!isOver) await asked;
        else await assert.rejects(asked, /over|ended|revoked/, where);
      }
    }
  }
});
