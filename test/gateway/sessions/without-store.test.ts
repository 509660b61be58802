// Sessions while the store is away: what runs goes on, by what its access token says and what the gateway knows of those that ended.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { sessionCommitPath, sessionPath, tunnelPath } from '../../../src/protocol/session-messages.ts';
import { createSigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { askedStore, StoreOutage } from '../../../src/store/store-outage.ts';
import {
  openTestSessions,
  startMs,
  type TestAgent,
  type TestSessions,
  proofOf,
  origin,
} from '../session-fixture.ts';

const minuteMs = 60_000;
const outageMs = 60 * minuteMs;

interface Gateways extends AsyncDisposable {
  readonly one: TestSessions;
  readonly other: TestSessions;
  /** Nothing reaches the store from now on, at either of them. */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
  /** For both. */
  advance(milliseconds: number): void;
  /** A gateway that starts now. */
  start(): Promise<TestSessions>;
}

async function gateways(): Promise<Gateways> {
  const stack = new AsyncDisposableStack();
  const store = stack.use(await openStore('sqlite::memory:'));
  let isAway = false;
  let passedMs = 0;
  const signingKey = createSigningKey();
  const outages: StoreOutage[] = [];
  const all: TestSessions[] = [];
  const start = async (): Promise<TestSessions> => {
    const outage = stack.use(
      new StoreOutage({
        probe: async () => {
          if (isAway) throw new ProxyError('store_unavailable', 'away');
        },
        outageMs,
        clock: () => startMs + passedMs,
        ticks: () => passedMs,
      }),
    );
    const sessions = await openTestSessions({
      store: { ...askedStore(store, outage), close: async () => undefined },
      signingKey,
      limits: { storeOutageMs: outageMs },
      absence: outage,
    });
    stack.defer(() => sessions.service.close());
    sessions.advance(passedMs);
    outages.push(outage);
    all.push(sessions);
    return sessions;
  };
  const [one, other] = [await start(), await start()];
  return {
    one,
    other,
    start,
    goAway: async () => {
      isAway = true;
      for (const outage of outages) {
        await outage.ask(async () => undefined);
        await outage.confirm();
      }
    },
    comeBack: async () => {
      isAway = false;
      while (outages.some(({ sinceMs }) => sinceMs !== undefined))
        await new Promise((resolve) => setTimeout(resolve, 10));
    },
    advance: (milliseconds) => {
      passedMs += milliseconds;
      for (const sessions of all) sessions.advance(milliseconds);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function committed({ one }: Gateways, claims = { repository: 'acme/app' }): Promise<TestAgent> {
  const agent = await one.enrol(one.token(claims));
  const { access_token: given } = await one.service.commit(agent.request('POST', sessionCommitPath));
  return renewed(agent, given, one);
}

/** The agent as it is with a token that it got later. */
function renewed(agent: TestAgent, accessToken: string, sessions: TestSessions): TestAgent {
  return {
    ...agent,
    accessToken,
    request: (method, path) => {
      const nowMs = sessions.nowMs();
      const url = `${origin}${path}`;
      return {
        authorization: `DPoP ${accessToken}`,
        proof: proofOf(agent.key, { method, url, nowMs, accessToken }),
        method,
        url,
        nowMs,
      };
    },
  };
}

test('a session comes back at any gateway, as the same as with the store', async () => {
  await using all = await gateways();
  const agent = await committed(all);
  const before = await all.one.service.authenticate(agent.request('GET', tunnelPath));
  await all.goAway();
  for (const { service } of [all.one, all.other]) {
    assert.deepEqual(await service.authenticate(agent.request('GET', tunnelPath)), before);
    await service.requireAlive(agent.sessionId);
  }
  assert.equal(before.principal.claims['repository'], 'acme/app');
  assert.ok(before.principal.posture.includes('nondumpable'));
});

test('a session is renewed without the store, again and again, and never beyond the time that it may be away', async () => {
  await using all = await gateways();
  let agent = await committed(all);
  await all.goAway();
  const lives: number[] = [];
  for (let minutes = 0; minutes < 59; minutes += 10) {
    all.advance(10 * minuteMs);
    // One after the other renews what the other one gave.
    const sessions = minutes % 20 === 0 ? all.one : all.other;
    const response = await sessions.service
      .renew(agent.request('POST', sessionPath))
      .catch((error: unknown) => {
        assert.equal((error as ProxyError).code, 'store_unavailable');
        return undefined;
      });
    if (response === undefined) break;
    lives.push(response.expires_in);
    agent = renewed(agent, response.access_token, all.one);
  }
  assert.deepEqual(lives, [900, 900, 900, 900, 600]);
  all.advance(minuteMs);
  for (const { service } of [all.one, all.other])
    await assert.rejects(service.authenticate(agent.request('GET', tunnelPath)), {
      code: /token_expired|store_unavailable/,
    });
  assert.equal(all.one.audit.events.at(-1)?.action, 'renewed');
  assert.deepEqual(all.one.audit.events.at(-1)?.details, { storeAwaySince: new Date(startMs).toISOString() });
  await all.comeBack();
  const response = await all.one.service.renew(agent.request('POST', sessionPath));
  assert.equal(response.expires_in, 900);
});

test('what ended before the store went away stays out at every gateway, also at one that started in between', async () => {
  await using all = await gateways();
  const [ended, revoked] = [await committed(all), await committed(all)];
  // It looks at an interval.
  const heard = endOf(all.other, revoked.sessionId);
  await all.one.service.end(ended.request('DELETE', sessionPath));
  await all.one.service.revoke(revoked.sessionId, 'test');
  const late = await all.start();
  await heard;
  await all.goAway();
  for (const { service } of [all.one, all.other, late])
    for (const agent of [ended, revoked]) {
      await assert.rejects(service.authenticate(agent.request('GET', tunnelPath)), {
        code: 'session_revoked',
      });
      await assert.rejects(service.renew(agent.request('POST', sessionPath)), { code: 'session_revoked' });
      await assert.rejects(service.requireAlive(agent.sessionId), { code: 'session_revoked' });
    }
});

async function endOf({ service }: TestSessions, sessionId: string): Promise<void> {
  const told = Promise.withResolvers<void>();
  const unlisten = service.onEnded((id) => {
    if (id === sessionId) told.resolve();
  });
  await told.promise;
  unlisten();
}

test('a proof counts once, also across the moment in which the store goes away', async () => {
  await using all = await gateways();
  const agent = await committed(all);
  const before = agent.request('GET', tunnelPath);
  await all.one.service.authenticate(before);
  await all.goAway();
  await assert.rejects(all.one.service.authenticate(before), { code: 'proof_invalid' });
  const during = agent.request('GET', tunnelPath);
  await all.one.service.authenticate(during);
  await assert.rejects(all.one.service.authenticate(during), { code: 'proof_invalid' });
});

test('a token that had expired before the store went away, one of another key and a changed one bring nobody back', async () => {
  await using all = await gateways();
  const agent = await committed(all);
  all.advance(17 * minuteMs);
  await all.goAway();
  await assert.rejects(all.one.service.authenticate(agent.request('GET', tunnelPath)), {
    code: 'token_expired',
  });
  await assert.rejects(all.one.service.renew(agent.request('POST', sessionPath)), {
    code: 'store_unavailable',
  });
  const [head = '', body = '', signature = ''] = agent.accessToken.split('.');
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString());
  claims.ses.end += outageMs;
  const changed = `${head}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`;
  await assert.rejects(all.one.service.renew(renewed(agent, changed, all.one).request('POST', sessionPath)), {
    code: 'token_invalid',
  });
});

test('past the time nothing is served, and a session whose own time is over ends before that', async () => {
  await using all = await gateways();
  const agent = await committed(all);
  await all.goAway();
  all.advance(10 * minuteMs);
  await all.one.service.authenticate(agent.request('GET', tunnelPath));
  all.advance(51 * minuteMs);
  await assert.rejects(all.one.service.requireAlive(agent.sessionId), { code: 'store_unavailable' });
  await assert.rejects(all.one.service.renew(agent.request('POST', sessionPath)), {
    code: 'store_unavailable',
  });
});

test('an enrolment waits for the store, and its token is as good as before', async () => {
  await using all = await gateways();
  const token = all.one.token();
  await all.goAway();
  await assert.rejects(all.one.enrol(token), { code: 'store_unavailable', retryAfterSeconds: 5 });
  await all.comeBack();
  const agent = await all.one.enrol(token);
  await all.one.service.commit(agent.request('POST', sessionCommitPath));
});

test('a session with more in its claims than a token carries waits for the store', async () => {
  await using all = await gateways();
  const agent = await committed(all, { repository: 'x'.repeat(5000) });
  await all.one.service.authenticate(agent.request('GET', tunnelPath));
  await all.goAway();
  await assert.rejects(all.one.service.authenticate(agent.request('GET', tunnelPath)), {
    code: 'store_unavailable',
    retryAfterSeconds: 5,
  });
});

test('a session that was not committed in time is not let in by its access token, and is not called unknown; one that was has another', async () => {
  await using all = await gateways();
  const left = await all.one.enrol(all.one.token());
  const agent = await all.one.enrol(all.one.token());
  const { access_token: given } = await all.one.service.commit(agent.request('POST', sessionCommitPath));
  const committedAgent = renewed(agent, given, all.other);
  await all.goAway();
  for (const one of [left, agent, committedAgent])
    await all.other.service.authenticate(one.request('GET', tunnelPath));
  all.advance(defaultLimits.commitTimeoutMs);
  for (const one of [left, agent])
    for (const ask of [
      () => all.other.service.authenticate(one.request('GET', tunnelPath)),
      () => all.other.service.renew(one.request('POST', sessionPath)),
    ])
      await assert.rejects(ask(), { code: 'store_unavailable' });
  await all.other.service.authenticate(committedAgent.request('GET', tunnelPath));
  const { access_token: later } = await all.other.service.renew(committedAgent.request('POST', sessionPath));
  await all.other.service.authenticate(renewed(agent, later, all.other).request('GET', tunnelPath));
});
