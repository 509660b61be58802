import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { beyondCeilingSteps } from '../../src/policy/check-ceiling.ts';
import { CompiledPolicy } from '../../src/policy/compiled-policy.ts';
import { diffPolicies, diffSteps, diffText, type PolicyDiff } from '../../src/policy/diff-policy.ts';
import { formatHostPattern, hostCovers } from '../../src/policy/host-pattern.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { policyOf } from './fixture.ts';

const diff = (before: string, after: string): PolicyDiff => diffPolicies(policyOf(before), policyOf(after));
const rules = (...list: readonly string[]): string =>
  `rules: [${list.map((one) => `{ ${one} }`).join(', ')}]`;

test('the same policy written otherwise has no difference in meaning', () => {
  const text = diffText(
    diff(
      rules('name: a, hosts: a.example.com'),
      '# comment\nrules:\n  - name: a\n    scheme: https\n    hosts: [A.example.com]\n    ports: 443\n',
    ),
  );
  assert.equal(text, 'no difference in meaning\n');
});

test('that refs may be deleted now is said', () => {
  const git = (changes: string): string =>
    rules(`name: a, hosts: a.example.com, git: { repository: a/b, operations: push${changes} }`);
  const text = diffText(diff(git(''), git(', changes: [create, update, delete]')));
  assert.match(text, /changes create, update → push; repository a\/b; any change \(widened\)/);
});

describe('what a change of one key does to what can be reached', () => {
  const rows: readonly (readonly [string, string, string])[] = [
    ['methods: GET', 'methods: [GET, HEAD]', 'methods widened'],
    ['methods: GET', '', 'methods widened'],
    ['paths: /a/*', 'paths: /a/b', 'paths narrowed'],
    ['paths: /a/*', 'paths: /b/*', 'paths changed'],
    ['', 'when: request.port > 1', 'when narrowed'],
    ['for: { team: a }', '', 'for widened'],
    ['require: jailed', 'require: [jailed, untraced]', 'require narrowed'],
    ['expires: 2031-01-01T00:00:00Z', 'expires: 2032-01-01T00:00:00Z', 'expires widened'],
    ['', 'ports: [443, 8443]', 'ports widened'],
    ['', 'inject: token', 'inject widened'],
    ['', 'addresses: 10.0.0.0/8', 'addresses widened'],
    ['', 'limits: { bodyBytes: 10 }', 'limits narrowed'],
    ['limits: { bodyBytes: 10 }', 'limits: { bodyBytes: 20 }', 'limits widened'],
    ['', 'mode: observe', 'mode widened'],
    ['', 'tls: passthrough', 'tls widened'],
    ['deny: true', 'deny: true, methods: PUT', 'methods widened'],
    ['deny: true, methods: PUT', 'deny: true, methods: [PUT, POST]', 'methods narrowed'],
    ['', 'deny: true', 'deny narrowed'],
  ];
  for (const [before, after, expected] of rows) {
    test(`${before || 'nothing'} → ${after || 'nothing'}: ${expected}`, () => {
      const base = 'name: r, hosts: a.example.com';
      const { changed } = diff(
        rules(before === '' ? base : `${base}, ${before}`),
        rules(after === '' ? base : `${base}, ${after}`),
      );
      const keys = (changed[0]?.keys ?? []).map(({ key, direction }) => `${key} ${direction}`);
      assert.ok(keys.includes(expected), keys.join());
    });
  }
});

test('hosts that open and close, credentials that reach others, rules added, removed and moved', () => {
  const result = diff(
    rules(
      'name: one, hosts: a.example.com, inject: token',
      'name: two, hosts: old.example.com',
      'name: three, hosts: c.example.com, paths: /x',
    ),
    rules(
      'name: three, hosts: c.example.com, paths: /x',
      'name: one, hosts: [a.example.com, "*.new.example.com"], inject: token',
      'name: four, hosts: db.example.com, scheme: tcp, ports: 5432',
    ),
  );
  assert.deepEqual(result.opened, ['https://*.new.example.com', 'tcp db.example.com:5432']);
  assert.deepEqual(result.closed, ['https://old.example.com']);
  assert.deepEqual(result.credentialsGained, [{ credential: 'token', host: '*.new.example.com' }]);
  assert.deepEqual(
    [result.added.map(({ name }) => name), result.removed.map(({ name }) => name)],
    [['four'], ['two']],
  );
  assert.equal(result.moved.length, 1);
  const text = diffText(result);
  assert.match(text, /credentials that reach new hosts:\n {2}token to \*\.new\.example\.com\n/);
  assert.match(
    text,
    /allow one \(policy\.yaml:1\): widened\n {6}hosts: a\.example\.com → a\.example\.com, \*\.new\.example\.com \(widened\)/,
  );
});

test('a host below a wildcard that was open before does not open', () => {
  const { opened } = diff(
    rules('name: w, hosts: "*.example.com"'),
    rules('name: w, hosts: "*.example.com"', 'name: a, hosts: b.example.com, ports: 8443'),
  );
  assert.deepEqual(opened, ['https://b.example.com:8443']);
});

test('a file that begins to observe is told', () => {
  assert.deepEqual(diff('rules: []', 'mode: observe').modes, ['files for every session: enforce → observe']);
});

/** Each host of the one with each of the other: slow, and plain. */
function openedByPairs(before: CompiledPolicy, after: CompiledPolicy): readonly string[] {
  const openings = ({ rules: all }: CompiledPolicy) =>
    all
      .filter(({ effect }) => effect === 'allow')
      .flatMap(({ hosts, schemes, ports }) =>
        hosts.flatMap((host) =>
          [...schemes].flatMap((scheme) =>
            [...(ports ?? [scheme === 'http' ? 80 : 443])].map((port) => ({ host, scheme, port })),
          ),
        ),
      );
  const had = openings(before);
  const only = openings(after).filter(
    ({ host, scheme, port }) =>
      !had.some((one) => one.scheme === scheme && one.port === port && hostCovers(one.host, host)),
  );
  const texts = only.map(({ host, scheme, port }) => {
    const isUsual = scheme !== 'tcp' && port === (scheme === 'http' ? 80 : 443);
    const start = scheme === 'tcp' ? 'tcp ' : `${scheme}://`;
    return `${start}${formatHostPattern(host)}${isUsual ? '' : `:${port}`}`;
  });
  return [...new Set(texts)].toSorted();
}

function gainedByPairs(before: CompiledPolicy, after: CompiledPolicy): readonly string[] {
  const pairs = ({ rules: all }: CompiledPolicy) =>
    all.flatMap(({ hosts, inject }) =>
      hosts.flatMap((host) => inject.map((credential) => ({ host, credential }))),
    );
  const had = pairs(before);
  const only = pairs(after).filter(
    ({ host, credential }) => !had.some((one) => one.credential === credential && hostCovers(one.host, host)),
  );
  return [
    ...new Set(only.map(({ host, credential }) => `${credential} ${formatHostPattern(host)}`)),
  ].toSorted();
}

const someRule = fc.record({
  hosts: fc.uniqueArray(
    fc.constantFrom('a.example.com', '*.example.com', 'b.a.example.com', '*.a.example.com', '*', '192.0.2.1'),
    { minLength: 1, maxLength: 4 },
  ),
  how: fc.constantFrom(
    '',
    'scheme: [http, https]',
    'ports: [443, 8443]',
    'scheme: [https, http], ports: [80, 443]',
    'scheme: tcp, ports: [22, 443]',
    'inject: one',
    'inject: [one, two]',
    'deny: true',
  ),
});
/** Rules are read alone, so that what is wrong between them does not matter. */
const somePolicy = fc.array(someRule, { maxLength: 6 }).map((list) => {
  const read = list.flatMap(({ hosts, how }, i) => {
    const wide = how.startsWith('deny') ? '' : ', dangerouslyAllowWideHosts: true';
    const said = how === '' ? '' : `, ${how}`;
    try {
      return policyOf(rules(`name: r${i}, hosts: ${JSON.stringify(hosts)}${said}${wide}`)).rules;
    } catch {
      // Keys that do not go together.
      return [];
    }
  });
  return new CompiledPolicy({ version: '', rules: read, files: [] });
});

test('what opens, closes and is reached by credentials is what comparing each pair of hosts says', () => {
  let found = 0;
  fc.assert(
    fc.property(somePolicy, somePolicy, (before, after) => {
      const { opened, closed, credentialsGained, credentialsLost } = diffPolicies(before, after);
      const texts = (list: PolicyDiff['credentialsGained']): readonly string[] =>
        list.map(({ credential, host }) => `${credential} ${host}`);
      assert.deepEqual(opened, openedByPairs(before, after));
      assert.deepEqual(closed, openedByPairs(after, before));
      assert.deepEqual(texts(credentialsGained), gainedByPairs(before, after));
      assert.deepEqual(texts(credentialsLost), gainedByPairs(after, before));
      found += opened.length * closed.length + credentialsGained.length;
    }),
    { numRuns: 300, seed: 7 },
  );
  assert.ok(found > 100, `${found} differences`);
});

/** As many hosts, of which none is in a list of another letter. */
const hostsOf = (letter: string, count: number): string =>
  Array.from({ length: count }, (_, i) => `${letter}${i}.example.com`).join(', ');

const large = {
  'one rule with many hosts': (letter: string, count: number) =>
    rules(`name: r, hosts: [${hostsOf(letter, count)}], inject: token`),
  'many rules': (letter: string, count: number) =>
    rules(
      ...Array.from(
        { length: count / 4 },
        (_, i) => `name: r${i}, hosts: ${letter}${i}.example.com, inject: t`,
      ),
    ),
};

describe('a comparison grows as the policies do', () => {
  for (const [name, text] of Object.entries(large)) {
    test(name, () => {
      const policies = (count: number) => [policyOf(text('a', count)), policyOf(text('b', count))] as const;
      // The clock of a thread's processor time may tick no finer than 10 ms, so it is read over many comparisons.
      const cost = ([before, after]: ReturnType<typeof policies>): number => {
        const start = process.threadCpuUsage();
        for (let times = 1; ; times += 1) {
          diffPolicies(before, after);
          diffPolicies(before, before);
          const { user, system } = process.threadCpuUsage(start);
          if (user + system >= 200_000) return (user + system) / times;
        }
      };
      const [small, big] = [policies(300), policies(4_800)];
      cost(small);
      const growth = cost(big) / cost(small);
      // In proportion it is 16, in pairs it is 256: a busy machine makes neither of them the other.
      assert.ok(growth <= 64, `${growth.toFixed(1)} times as much at sixteen times the size`);
    });
  }
});

test('it is done in steps, none of which is more than a rule or a host', () => {
  const [before, after] = [policyOf(large['many rules']('a', 800)), policyOf(large['many rules']('b', 800))];
  for (const steps of [diffSteps(before, after), beyondCeilingSteps(after, before)]) {
    const weights = [...steps];
    assert.ok(weights.length > 400, `${weights.length} steps`);
    assert.ok(weights.every((weight) => weight <= 200));
  }
});

test('a long list is in order', () => {
  const { opened } = diff('rules: []', rules(`name: r, hosts: [${hostsOf('a', 1_700)}]`));
  assert.equal(opened.length, 1_700);
  assert.deepEqual(opened, opened.toSorted());
});

test('where hosts times ports are too many, it says so in place of a list', () => {
  const ports = Array.from({ length: 2_001 }, (_, i) => 10_000 + i).join(', ');
  const text = rules(`name: r, hosts: [${hostsOf('a', 50)}], scheme: tcp, ports: [${ports}]`);
  const result = diff(rules('name: r, hosts: a.example.com'), text);
  assert.deepEqual([result.opened, result.closed, result.changed.length], [[], [], 1]);
  assert.match(result.notCompared ?? '', /^rules name 100050 pairs .*policyReachComparedMax/);
  assert.match(diffText(result), /^not compared, hosts and credentials:\n {2}rules name/);
  const steps = beyondCeilingSteps(policyOf(text), policyOf('rules: []'));
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  assert.match(String(step.value), /not compared with the ceiling/);
  const most = `hosts: [${hostsOf('a', 50)}], inject: t, ports: [${ports.split(', ').slice(2).join()}]`;
  assert.equal(50 * 2_000, defaultLimits.policyReachComparedMax);
  assert.equal(diff('rules: []', rules(`name: r, ${most}`)).notCompared, undefined);
});

test('two rules with many paths are compared by what is written', () => {
  const paths = (start: string): string =>
    Array.from({ length: 200 }, (_, i) => `/${start}${i}/*`).join(', ');
  const rule = (list: string): string => rules(`name: r, hosts: a.example.com, paths: [${list}]`);
  const direction = (before: string, after: string): string | undefined =>
    diff(rule(before), rule(after)).changed[0]?.direction;
  assert.equal(direction(paths('a'), `${paths('a')}, /b`), 'widened');
  assert.equal(direction(`${paths('a')}, /b`, paths('a')), 'narrowed');
  assert.equal(direction(paths('a'), `/a*, ${paths('b')}`), 'changed');
});
