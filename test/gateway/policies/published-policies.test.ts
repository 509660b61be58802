import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { embeddedConfig } from '../../../src/gateway/config/config.ts';
import { startGateway } from '../../../src/gateway/gateway.ts';
import { PublishedPolicies } from '../../../src/gateway/policies/published-policies.ts';
import { versionOf } from '../../../src/gateway/policies/policy-version.ts';
import { GrantedPolicy } from '../../../src/policy/granted-policy.ts';
import { formatProblem } from '../../../src/policy/problem.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { openStore } from '../../../src/store/open-store.ts';
import type { NewPolicyVersion, PolicyVersion } from '../../../src/store/policy-store.ts';
import type { Store } from '../../../src/store/store.ts';
import type { Policy, Principal } from '../../../src/policy/decision.ts';
import { waitUntil } from '../../support/program.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { access, principal } from '../../policy/fixture.ts';

const bounds = { policiesMax: 100, policyVersionsMax: 100 };
const rule = (host: string): string => `rules: [{ name: r-${host}, hosts: ${host} }]\n`;

function allows(policy: Policy, host: string, who: Principal = principal()): boolean {
  return policy.decide(who, access(`GET https://${host}/`), 0).effect === 'allow';
}

interface Scene extends AsyncDisposable {
  readonly store: Store;
  readonly told: string[];
  open(): Promise<PublishedPolicies>;
  publish(text: string | undefined, changes?: Partial<NewPolicyVersion>): Promise<PolicyVersion>;
  nowMs: number;
  /** Counts down with each policy that is read; the one at which it gets to 0 fails, as when a thread ends. */
  failAt: number;
}

async function scene(): Promise<Scene> {
  const store = await openStore('sqlite::memory:');
  const told: string[] = [];
  const opened: PublishedPolicies[] = [];
  const clock = { nowMs: 1000 };
  const names = { failAt: 0 };
  const credentials: Iterable<string> = {
    [Symbol.iterator]: () => {
      names.failAt -= 1;
      if (names.failAt === 0) throw new Error('the thread ended');
      return ['known'].values();
    },
  };
  return {
    store,
    told,
    get nowMs() {
      return clock.nowMs;
    },
    set nowMs(value: number) {
      clock.nowMs = value;
    },
    get failAt() {
      return names.failAt;
    },
    set failAt(value: number) {
      names.failAt = value;
    },
    open: async () => {
      const one = await PublishedPolicies.open({
        store: store.policies,
        names: { credentials },
        gatewayId: 'g1',
        clock: () => clock.nowMs,
        onFault: ({ message }) => told.push(`fault ${message}`),
        onTaken: ({ policy, number, isWithdrawn }) =>
          told.push(`${isWithdrawn ? 'withdrawn' : 'taken'} ${policy}@${number}`),
        onRefused: ({ policy, number }, problems) =>
          told.push(`refused ${policy}@${number}`, ...problems.map(formatProblem)),
      });
      opened.push(one);
      return one;
    },
    publish: async (text, changes = {}) => {
      const { policy = 'main' } = changes;
      const heads = await store.policies.published();
      const seen = heads.find((one) => one.policy === policy)?.number ?? 0;
      const files = text === undefined ? [] : [{ name: 'p.yaml', text }];
      const version = versionOf(files.map((file) => ({ ...file, file: file.name })));
      const outcome = await store.policies.publish(
        { policy, files, version, publishedMs: clock.nowMs, publishedBy: 'ada', ...changes },
        seen,
        bounds,
      );
      assert.ok(outcome.kind === 'published');
      return outcome.version;
    },
    [Symbol.asyncDispose]: async () => {
      for (const one of opened) await one.close();
      await store.close();
    },
  };
}

test('an empty store denies everything; what is published is taken, and places say which version they are of', async () => {
  await using at = await scene();
  const policies = await at.open();
  assert.equal(allows(policies.current, 'a.example.com'), false);
  assert.deepEqual(at.told, []);
  await at.publish(rule('a.example.com'));
  await policies.look();
  assert.equal(allows(policies.current, 'a.example.com'), true);
  // As `policy check` calls the same text.
  assert.equal(
    policies.current.version,
    versionOf([{ file: 'elsewhere.yaml', text: rule('a.example.com') }]),
  );
  const decision = policies.current.decide(principal(), access('GET https://a.example.com/'), 0);
  assert.equal(decision.rule.place, 'main@1/p.yaml:1');
  assert.deepEqual(at.told, ['taken main@1']);
  const [{ state, reason } = {}] = await at.store.policies.outcomes('main', 1);
  assert.deepEqual([state, reason], ['taken', undefined]);
  await policies.look();
  assert.deepEqual(at.told, ['taken main@1']);
});

test('a bad version leaves what was in force, is refused once with every reason, and a good one follows it', async () => {
  await using at = await scene();
  await at.publish(rule('a.example.com'));
  const policies = await at.open();
  const heard: string[] = [];
  policies.onChange(({ version }) => heard.push(version));
  at.nowMs = 5000;
  await at.publish('rules: [{ name: x, hosts: a.example.com, inject: unknown }, { nam: y }]');
  await policies.look();
  await policies.look();
  assert.equal(allows(policies.current, 'a.example.com'), true);
  assert.equal(at.told.filter((one) => one === 'refused main@2').length, 1);
  const [{ state, reason = '' } = {}] = await at.store.policies.outcomes('main', 2);
  assert.equal(state, 'refused');
  assert.match(reason, /^main@2\/p\.yaml:1:\d+: error: /);
  assert.deepEqual(heard, []);
  const [refused] = policies.refused;
  assert.deepEqual([refused?.version.number, refused?.sinceMs], [2, 5000]);
  await at.publish(rule('b.example.com'));
  await policies.look();
  assert.deepEqual(
    [allows(policies.current, 'a.example.com'), allows(policies.current, 'b.example.com')],
    [false, true],
  );
  assert.deepEqual(policies.refused, []);
  assert.deepEqual(heard, [policies.current.version]);
});

test('a gateway that starts goes back to the newest version that it can take, and says what it could not', async () => {
  await using at = await scene();
  for (const text of [rule('a.example.com'), rule('b.example.com'), 'rules: {', 'no: 1'])
    await at.publish(text);
  const policies = await at.open();
  assert.equal(allows(policies.current, 'b.example.com'), true);
  assert.equal(allows(policies.current, 'a.example.com'), false);
  assert.equal(policies.refused[0]?.version.number, 4);
  assert.equal(at.told.at(-1), 'taken main@2');
});

test('of a store with nothing but what cannot be taken everything is denied', async () => {
  await using at = await scene();
  await at.publish('rules: {');
  const policies = await at.open();
  assert.equal(allows(policies.current, 'a.example.com'), false);
  assert.deepEqual(policies.held, []);
});

test('several policies are one: bound by claims, under the ceiling, and none once it is withdrawn', async () => {
  await using at = await scene();
  const ofWeb = principal({ claims: { team: 'web' } });
  await at.publish(rule('a.example.com'));
  await at.publish(rule('b.example.com'), { policy: 'web', binding: { team: 'web' } });
  const policies = await at.open();
  const seen = (who?: Principal): readonly boolean[] =>
    ['a', 'b'].map((name) => allows(policies.current, `${name}.example.com`, who));
  assert.deepEqual(
    [seen(), seen(ofWeb)],
    [
      [true, false],
      [false, true],
    ],
  );
  const version = policies.current.version;
  await at.publish(rule('a.example.com'), { policy: 'ceiling' });
  await policies.look();
  assert.deepEqual(
    [seen(), seen(ofWeb)],
    [
      [true, false],
      [false, false],
    ],
  );
  assert.notEqual(policies.current.version, version);
  await at.publish(undefined, { policy: 'ceiling' });
  await at.publish(undefined, { policy: 'web', binding: { team: 'web' } });
  await policies.look();
  assert.deepEqual(seen(ofWeb), [true, false]);
  await at.publish(undefined);
  await policies.look();
  assert.deepEqual(seen(), [false, false]);
});

test('a change of whom a policy is for is a change of what decides', async () => {
  await using at = await scene();
  await at.publish(rule('a.example.com'), { policy: 'web', binding: { team: 'web' } });
  const policies = await at.open();
  const before = policies.current.version;
  await at.publish(rule('a.example.com'), { policy: 'web', binding: { team: 'other' } });
  await policies.look();
  assert.notEqual(policies.current.version, before);
  assert.equal(allows(policies.current, 'a.example.com', principal({ claims: { team: 'web' } })), false);
});

const unreadable = 'rules: [{ name: x, hosts: a.example.com, inject: unknown }]';
const both = 'rules: [{ name: both, hosts: [a.example.com, b.example.com] }]';
/** Read on a thread of its own. */
const aside = (text: string): string => `# discover\n${text}`;

test('where no ceiling can be read everything is denied, grants too, until one is published that can', async () => {
  await using at = await scene();
  await at.publish(rule('a.example.com'));
  await at.publish(unreadable, { policy: 'ceiling' });
  const policies = await at.open();
  const granted = new GrantedPolicy(
    policies.current,
    [
      {
        id: 'g',
        subject: { sessionId: principal().sessionId },
        scheme: 'https',
        host: 'other.example.com',
        port: 443,
        endsMs: 9e15,
      },
    ],
    {},
  );
  for (const host of ['a.example.com', 'other.example.com']) assert.equal(allows(granted, host), false);
  const denial = policies.current.decide(principal(), access('GET https://a.example.com/'), 0);
  assert.ok(denial.effect === 'deny');
  assert.deepEqual(denial.rule, { name: 'unread-policy', policy: 'ceiling' });
  assert.match(
    denial.operatorReason,
    /ceiling cannot be read here.*policy history --name ceiling.*configuration/,
  );
  await at.publish(rule('a.example.com'), { policy: 'ceiling' });
  await policies.look();
  assert.equal(allows(policies.current, 'a.example.com'), true);
});

test('a running gateway that cannot read its first ceiling, or the first after one was withdrawn, denies everything; one that has a ceiling keeps it', async () => {
  await using at = await scene();
  await at.publish(rule('a.example.com'));
  const policies = await at.open();
  const heard: string[] = [];
  policies.onChange(({ version }) => heard.push(version));
  const seen = async (): Promise<readonly boolean[]> => {
    await policies.look();
    return ['a', 'b'].map((name) => allows(policies.current, `${name}.example.com`));
  };
  await at.publish(unreadable, { policy: 'ceiling' });
  assert.deepEqual(await seen(), [false, false]);
  assert.deepEqual(heard, [policies.current.version]);
  await at.publish(both, { policy: 'ceiling' });
  assert.deepEqual(await seen(), [true, false]);
  await at.publish(unreadable, { policy: 'ceiling' });
  assert.deepEqual(await seen(), [true, false]);
  await at.publish(rule('b.example.com'));
  assert.deepEqual(await seen(), [false, true]);
  await at.publish(undefined, { policy: 'ceiling' });
  assert.deepEqual(await seen(), [false, true]);
  await at.publish(unreadable, { policy: 'ceiling' });
  assert.deepEqual(await seen(), [false, false]);
});

test('a ceiling that cannot be read for a passing reason is not replaced by an older one that bounds less', async () => {
  await using at = await scene();
  await at.publish(both);
  await at.publish(both, { policy: 'ceiling' });
  await at.publish(aside(rule('a.example.com')), { policy: 'ceiling' });
  const seen = (policies: PublishedPolicies): readonly boolean[] =>
    ['a', 'b'].map((name) => allows(policies.current, `${name}.example.com`));
  at.failAt = 1;
  const policies = await at.open();
  assert.deepEqual(seen(policies), [false, false]);
  assert.equal(policies.refused[0]?.version.number, 2);
  await policies.look();
  assert.deepEqual(seen(policies), [true, false]);
  // It looks by itself too, and would take the failure that is meant for the other one.
  await policies.close();
  // Nor is an earlier one left out for a passing reason, when the newest cannot be taken.
  await at.publish(unreadable, { policy: 'ceiling' });
  at.failAt = 2;
  const other = await at.open();
  assert.deepEqual(seen(other), [false, false]);
  await other.look();
  assert.deepEqual(seen(other), [true, false]);
});

test('sessions of a policy that cannot be read are not judged by a wider main, and others go on', async () => {
  await using at = await scene();
  const [ofWeb, ofOps] = ['web', 'ops'].map((team) => principal({ claims: { team } }));
  await at.publish(rule('a.example.com'));
  await at.publish(unreadable, { policy: 'web', binding: { team: 'web' } });
  const policies = await at.open();
  const seen = async (): Promise<readonly boolean[]> => {
    await policies.look();
    return [undefined, ofWeb, ofOps].map((who) => allows(policies.current, 'a.example.com', who));
  };
  assert.deepEqual(await seen(), [true, false, true]);
  await at.publish(rule('a.example.com'), { policy: 'web', binding: { team: 'web' } });
  assert.deepEqual(await seen(), [true, true, true]);
  // What it was for keeps what it had; whom it is for now as well waits.
  await at.publish(unreadable, { policy: 'web', binding: { team: '*' } });
  assert.deepEqual(await seen(), [true, true, false]);
  await at.publish(undefined, { policy: 'web', binding: { team: '*' } });
  assert.deepEqual(await seen(), [true, true, true]);
  await at.publish(unreadable, { policy: 'web', binding: { team: 'web' } });
  assert.deepEqual(await seen(), [true, false, true]);
});

test('a ceiling that would count is refused', async () => {
  await using at = await scene();
  await at.publish('rules: [{ name: x, hosts: a.example.com, limits: { requestsPerSecond: 5 } }]', {
    policy: 'ceiling',
  });
  const policies = await at.open();
  assert.match(at.told.join('\n'), /ceiling@1\/p\.yaml:1:1: error: the ceiling counts nothing/);
  assert.deepEqual(policies.held, []);
});

test('while the store is away what was taken decides, and a store that went back is followed and said', async () => {
  await using at = await scene();
  await at.publish(rule('a.example.com'));
  await at.publish(rule('b.example.com'));
  let isAway = false;
  let isBack = false;
  const inner = at.store.policies;
  const policies = await PublishedPolicies.open({
    store: {
      ...inner,
      published: async () => {
        if (isAway) throw new ProxyError('store_unavailable', 'away');
        const first = await inner.find('main', 1);
        return isBack && first !== undefined ? [first] : await inner.published();
      },
      history: (query) => inner.history(query),
      files: (hash) => inner.files(hash),
      note: () => Promise.reject(new ProxyError('store_unavailable', 'away')),
    } as typeof inner,
    names: {},
    gatewayId: 'g2',
    clock: () => 1,
    onFault: ({ message }) => at.told.push(message),
    onTaken: () => undefined,
    onRefused: () => undefined,
  });
  isAway = true;
  await policies.look();
  assert.equal(allows(policies.current, 'b.example.com'), true);
  isAway = false;
  isBack = true;
  await policies.look();
  assert.equal(allows(policies.current, 'a.example.com'), true);
  assert.ok(
    at.told.some((one) => one.startsWith('the store went back from version 2 of the policy main to 1')),
  );
  await policies.close();
});

test('gateways on one store follow what is published: each takes it, or keeps what it had with an alarm', async () => {
  await withTemporaryDirectory(async (directory) => {
    const url = `sqlite:${join(directory, 'state.db')}`;
    const logged: string[] = [];
    const start = (name: string) =>
      startGateway(
        {
          ...embeddedConfig(join(directory, name)),
          store: url,
          policy: { mode: 'store', paths: [] },
        },
        { log: (_, message) => logged.push(message) },
      );
    await using one = await start('one');
    await using other = await start('other');
    assert.ok(
      logged.some((line) => /everything is denied; publish one: upstreamproxy policy publish/.test(line)),
    );
    await using store = await openStore(url);
    const publish = (text: string, seen: number) =>
      store.policies.publish(
        {
          policy: 'main',
          files: [{ name: 'p.yaml', text }],
          version: versionOf([{ file: '', text }]),
          publishedMs: Date.now(),
          publishedBy: 'ada',
        },
        seen,
        bounds,
      );
    await publish(rule('a.example.com'), 0);
    for (const gateway of [one, other])
      await waitUntil('it follows', () => allows(gateway.policy(), 'a.example.com'));
    await publish('rules: {', 1);
    await waitUntil('both refuse', async () => (await store.policies.outcomes('main', 2)).length === 2);
    for (const gateway of [one, other]) assert.ok(allows(gateway.policy(), 'a.example.com'));
    await waitUntil('both alarm', async () => {
      const events = await store.audit.query({ limit: 100 });
      return (
        events.filter(({ action, kind }) => action === 'policy_refused' && kind === 'alarm').length === 2
      );
    });
    const taken = (await store.audit.query({ limit: 100 })).filter(({ action }) => action === 'policy_taken');
    assert.deepEqual(
      taken.map(({ details }) => details?.['number']),
      [1, 1],
    );
  });
});

test('a version that is called otherwise than its files, or that cannot be read, is refused alone', async () => {
  await using at = await scene();
  await at.publish(rule('a.example.com'));
  await at.publish(rule('c.example.com'), { policy: 'web', binding: { team: 'web' } });
  const policies = await at.open();
  await at.publish(rule('b.example.com'), { version: 'forged' });
  await at.publish(rule('c.example.com'), { policy: 'web', binding: { team: Infinity } });
  await policies.look();
  assert.equal(allows(policies.current, 'a.example.com'), true);
  assert.equal(allows(policies.current, 'b.example.com'), false);
  assert.ok(
    at.told.some((line) => /its files are version [0-9a-f]{12}, not forged; publish it again/.test(line)),
  );
  assert.ok(at.told.some((line) => /something else in its column binding; publish it again/.test(line)));
  await at.publish(rule('d.example.com'));
  await policies.look();
  assert.equal(allows(policies.current, 'd.example.com'), true);
});
