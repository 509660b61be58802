import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { access, nowMs, policyOf, principal, verdict } from './fixture.ts';

const table = (
  policy: string | readonly string[],
  rows: Readonly<Record<string, string>>,
  who = principal(),
): void => {
  const compiled = policyOf(policy);
  for (const [asked, expected] of Object.entries(rows)) {
    test(`${asked} → ${expected}`, () => assert.equal(verdict(compiled, asked, who), expected));
  }
};

describe('hosts, ports and schemes', () => {
  table(
    `
rules:
  - { name: exact, hosts: Registry.Example.com }
  - { name: below, hosts: "*.pkg.example.com", ports: [443, 8443] }
  - { name: clear, hosts: deb.example.com, scheme: [http, https] }
  - { name: literal, hosts: [192.0.2.7, "2001:DB8:0::7"] }
`,
    {
      'GET https://registry.example.com/': 'allow exact',
      'GET https://registry.example.com:8443/': 'deny default-deny',
      'GET http://registry.example.com/': 'deny default-deny',
      'GET http://registry.example.com:443/': 'deny default-deny',
      'GET https://other.registry.example.com/': 'deny default-deny',
      'GET https://xregistry.example.com/': 'deny default-deny',
      'GET https://a.pkg.example.com/': 'allow below',
      'GET https://a.b.pkg.example.com:8443/': 'allow below',
      'GET https://pkg.example.com/': 'deny default-deny',
      'GET https://apkg.example.com/': 'deny default-deny',
      'GET http://deb.example.com/': 'allow clear',
      'GET https://deb.example.com/': 'allow clear',
      'GET http://deb.example.com:443/': 'deny default-deny',
      'GET https://192.0.2.7/': 'allow literal',
      'GET https://192.0.2.8/': 'deny default-deny',
      'GET https://[2001:db8::7]/': 'allow literal',
    },
  );
});

describe('a wildcard never reaches an IP literal, except in a rule that denies', () => {
  table('rules: [{ name: wide, hosts: "*", dangerouslyAllowWideHosts: true }]', {
    'GET https://example.com/': 'allow wide',
    'GET https://192.0.2.7/': 'deny default-deny',
    'GET https://[2001:db8::7]/': 'deny default-deny',
  });
  table(
    'rules: [{ name: listed, hosts: 192.0.2.7 }, { name: none, hosts: "*", for: { a: 1 }, deny: true }]',
    {
      'GET https://192.0.2.7/': 'deny none',
      'GET https://example.com/': 'deny none',
    },
    principal({ claims: { a: 1 } }),
  );
});

describe('methods and paths', () => {
  table(
    `
rules:
  - { name: read, hosts: a.test.example, methods: [GET, HEAD], paths: [/simple/:name/, "/files/*"] }
  - { name: write, hosts: a.test.example, methods: PUT, paths: "/@:scope%2f:name" }
`,
    {
      'GET https://a.test.example/simple/x/': 'allow read',
      'HEAD https://a.test.example/files/a/b/c': 'allow read',
      'GET https://a.test.example/simple/x/y': 'deny default-deny',
      'GET https://a.test.example/simple//': 'deny default-deny',
      'PUT https://a.test.example/files/a': 'deny default-deny',
      'PUT https://a.test.example/@acme%2Ftool': 'allow write',
      'PUT https://a.test.example/@acme/tool': 'deny default-deny',
    },
  );
});

describe('a path with several readings is allowed only if all are, and denied if any is', () => {
  table(
    `
rules:
  - { name: secret, hosts: [a.test.example, b.test.example], paths: "/my%20admin/*", deny: true }
  - { name: one, hosts: a.test.example, paths: /public/:name }
  - { name: all, hosts: b.test.example }
`,
    {
      'GET https://a.test.example/public/a': 'allow one',
      'GET https://a.test.example/public/a%2Fb': 'deny default-deny',
      'GET https://a.test.example/public//a': 'deny default-deny',
      'GET https://a.test.example/public/a;v=1': 'allow one',
      'GET https://b.test.example/x%2Fy//z': 'allow all',
      'GET https://b.test.example/my%20admin/x': 'deny secret',
      'GET https://b.test.example//my%20admin/x': 'deny secret',
      'GET https://b.test.example/my%20admin%2Fx': 'deny secret',
      'GET https://b.test.example/my%20admin;v=1/x': 'deny secret',
      'GET https://b.test.example/my%2520admin/x': 'deny secret',
    },
  );
});

describe('a character that was encoded, once or twice, is the character to a rule that denies, and to one that allows as its author wrote it', () => {
  table(
    `
rules:
  - { name: at, hosts: b.test.example, paths: ["/@evil/*", '/a\\:b', '/c=d,e/*'], deny: true }
  - { name: written, hosts: b.test.example, paths: "/%40closed/*", deny: true }
  - { name: rest, hosts: b.test.example }
  - { name: scoped, hosts: a.test.example, paths: "/@:scope%2F:name" }
  - { name: plain, hosts: a.test.example, paths: ["/users/:name", "/%40me/:x", "/p%3Bq/:x", "/@a/:x"] }
`,
    {
      'GET https://b.test.example/%40evil/a': 'deny at',
      'GET https://b.test.example/%2540evil/a': 'deny at',
      'GET https://b.test.example/a%3Ab': 'deny at',
      'GET https://b.test.example/c%3Dd%2Ce/x': 'deny at',
      'GET https://b.test.example/c%253Dd%2Ce%2Fx': 'deny at',
      'GET https://b.test.example/@closed/x': 'deny written',
      'GET https://b.test.example/%40closed/x': 'deny written',
      'GET https://b.test.example/%2540closed//x': 'deny written',
      'GET https://b.test.example/x%40y': 'allow rest',
      'GET https://a.test.example/@acme%2Ftool': 'allow scoped',
      'GET https://a.test.example/@acme%252Ftool': 'deny default-deny',
      'GET https://a.test.example/@acme%2Fx%2Fy': 'deny default-deny',
      'GET https://a.test.example/users/a%40b.test': 'allow plain',
      'GET https://a.test.example/users/a%252Fb': 'deny default-deny',
      'GET https://a.test.example/%40me/1': 'allow plain',
      'GET https://a.test.example/@me/1': 'deny default-deny',
      'GET https://a.test.example/p%3Bq/1': 'allow plain',
      'GET https://a.test.example/%40a/1': 'deny default-deny',
    },
  );
});

describe('a deny wins over an allow wherever it stands', () => {
  table(
    `
rules:
  - { name: all, hosts: ["*.example.com"] }
  - { name: no-publish, hosts: registry.example.com, methods: [PUT, DELETE], deny: Publishing is for CI. }
  - { name: no-host, hosts: bad.example.com, deny: true }
`,
    {
      'GET https://registry.example.com/x': 'allow all',
      'PUT https://registry.example.com/x': 'deny no-publish',
      'GET https://bad.example.com/': 'deny no-host',
      'GET http://bad.example.com:8080/': 'deny no-host',
      'bad.example.com:22': 'deny no-host',
      'https://bad.example.com': 'deny no-host',
      'https://registry.example.com': 'allow all intercept',
    },
  );
});

describe('of the rules that allow, the first in the order of the files decides', () => {
  test('with its injection, limits and networks', () => {
    const policy = policyOf([
      'rules: [{ name: first, hosts: api.example.com, paths: /a/*, inject: one, limits: { bodyBytes: 1 KiB } }]',
      'rules: [{ name: second, hosts: "*.example.com", inject: two, addresses: 10.0.0.0/8, trust: [internal, lab] }]',
    ]);
    const first = policy.decide(principal(), access('GET https://api.example.com/a/x'), nowMs);
    assert.ok(first.effect === 'allow');
    assert.deepEqual(first.inject, [{ credential: 'one' }]);
    assert.deepEqual(first.limits, { bodyBytes: 1024 });
    assert.deepEqual(first.addresses, []);
    const second = policy.decide(principal(), access('GET https://api.example.com/b'), nowMs);
    assert.ok(second.effect === 'allow');
    assert.deepEqual(second.inject, [{ credential: 'two' }]);
    assert.deepEqual([first.trust, second.trust], [undefined, ['internal', 'lab']]);
    assert.deepEqual(second.addresses, ['10.0.0.0/8']);
    assert.deepEqual(second.rule, { name: 'second', place: 'policy-1.yaml:1' });
  });
});

describe('connections', () => {
  table(
    `
rules:
  - { name: api, hosts: api.example.com, methods: GET, paths: /v1/* }
  - { name: pinned, hosts: "*.pinned.example.com", tls: passthrough }
  - { name: ssh, hosts: git.example.com, scheme: tcp, ports: [22, 5432] }
`,
    {
      'https://api.example.com': 'allow api intercept',
      'api.example.com:443': 'deny default-deny',
      'https://a.pinned.example.com': 'allow pinned passthrough',
      'http://a.pinned.example.com:443': 'deny default-deny',
      'git.example.com:22': 'allow ssh raw',
      'git.example.com:5432': 'allow ssh raw',
      'https://git.example.com:5432': 'allow ssh raw',
      'git.example.com:23': 'deny default-deny',
      'https://unknown.example.com': 'deny default-deny',
      'GET https://a.pinned.example.com/': 'deny default-deny',
      'GET https://git.example.com:22/': 'deny default-deny',
    },
  );

  test('one that is opened carries no network and no credential yet', () => {
    const policy = policyOf('rules: [{ name: a, hosts: a.example.com, inject: x, addresses: 10.0.0.0/8 }]');
    const decision = policy.decide(principal(), access('https://a.example.com'), nowMs);
    assert.ok(decision.effect === 'allow');
    assert.deepEqual([decision.inject, decision.addresses], [[], []]);
  });

  test('one that is passed blindly carries the networks of its rule, for it is dialled at once', () => {
    const policy = policyOf(
      'rules: [{ name: a, hosts: db.example.com, scheme: tcp, ports: 5432, addresses: 10.0.0.0/8, limits: { bytesPerSession: 1 GiB } }]',
    );
    const decision = policy.decide(principal(), access('db.example.com:5432'), nowMs);
    assert.ok(decision.effect === 'allow');
    assert.deepEqual([decision.addresses, decision.limits], [['10.0.0.0/8'], { bytesPerSession: 1024 ** 3 }]);
  });

  test('a deny that looks at requests closes a blind connection for the sessions that it is for', () => {
    const policy = policyOf(`
rules:
  - { name: pinned, hosts: a.example.com, tls: passthrough }
  - { name: no-put, hosts: a.example.com, methods: PUT, for: { team: red }, deny: true }
`);
    assert.equal(verdict(policy, 'https://a.example.com'), 'allow pinned passthrough');
    const red = principal({ claims: { team: 'red' } });
    assert.equal(verdict(policy, 'https://a.example.com', red), 'deny no-put');
  });
});

describe('claims, posture and time', () => {
  const text = `
for: { repository: acme/* }
require: nondumpable
rules:
  - { name: push, hosts: git.example.com, methods: POST, for: { ref: [refs/heads/main] }, inject: token }
  - { name: fetch, hosts: git.example.com, methods: GET }
  - { name: jailed, hosts: a.example.com, require: [jailed, exec-only] }
  - { name: until, hosts: b.example.com, expires: 2030-01-01T00:00:00Z }
  - { name: later, hosts: c.example.com, expires: 2030-01-01T01:00:00+01:00 }
  - { name: still, hosts: d.example.com, expires: 2030-01-01T00:00:01Z }
`;
  const main = { repository: 'acme/app', ref: 'refs/heads/main' };
  table(text, { 'GET https://git.example.com/': 'deny default-deny' });
  table(
    text,
    { 'GET https://git.example.com/': 'deny default-deny' },
    principal({ claims: { repository: 'other/app' } }),
  );
  table(
    text,
    { 'GET https://git.example.com/': 'allow fetch', 'POST https://git.example.com/': 'deny default-deny' },
    principal({ claims: main }),
  );
  table(
    text,
    {
      'POST https://git.example.com/': 'allow push',
      'GET https://a.example.com/': 'deny default-deny',
      'GET https://b.example.com/': 'deny default-deny',
      'GET https://c.example.com/': 'deny default-deny',
      'GET https://d.example.com/': 'allow still',
    },
    principal({ claims: main, posture: ['nondumpable', 'jailed'] }),
  );
  table(
    text,
    { 'GET https://a.example.com/': 'allow jailed' },
    principal({ claims: main, posture: ['jailed', 'execOnly'] }),
  );
});

describe('observe mode', () => {
  const observed = (text: string | readonly string[], asked: string, who = principal()): string => {
    const decision = policyOf(text).decide(who, access(asked), nowMs);
    return `${decision.effect} ${decision.rule.name} ${decision.effect === 'allow' ? String(decision.observed) : ''}`;
  };

  test('of a file lets through and records what nothing allows, without a credential', () => {
    const text = 'mode: observe\nrules: [{ name: a, hosts: a.example.com, inject: x }]';
    assert.equal(observed(text, 'GET https://b.example.com/'), 'allow observe default-deny');
    assert.equal(observed(text, 'GET https://a.example.com/'), 'allow a undefined');
    assert.equal(observed(text, 'https://b.example.com'), 'allow observe default-deny');
    assert.equal(observed(text, 'b.example.com:22'), 'deny default-deny ');
  });

  test('of one file does not loosen another', () => {
    const texts = ['mode: observe', 'rules: [{ name: a, hosts: a.example.com }]'];
    assert.equal(observed(texts, 'GET https://b.example.com/'), 'deny default-deny ');
    const groupsOnly = ['mode: observe', 'groups: { g: { hosts: a.example.com } }'];
    assert.equal(observed(groupsOnly, 'GET https://b.example.com/'), 'allow observe default-deny');
  });

  test('of a file for other sessions does not apply', () => {
    const text = 'mode: observe\nfor: { team: red }';
    assert.equal(observed(text, 'GET https://b.example.com/'), 'deny default-deny ');
    assert.equal(
      observed(text, 'GET https://b.example.com/', principal({ claims: { team: 'red' } })),
      'allow observe default-deny',
    );
  });

  test('of a rule that denies records it and changes nothing else', () => {
    const text = `
rules:
  - { name: all, hosts: a.example.com, inject: x }
  - { name: trial, hosts: a.example.com, methods: PUT, deny: true, mode: observe }
`;
    assert.equal(observed(text, 'PUT https://a.example.com/'), 'allow all trial');
    assert.equal(observed(text, 'GET https://a.example.com/'), 'allow all undefined');
    const alone = 'mode: observe\nrules: [{ name: trial, hosts: a.example.com, deny: true }]';
    assert.equal(observed(alone, 'PUT https://a.example.com/'), 'allow observe trial');
  });

  test('of a rule that allows lets through what only its methods or paths would refuse', () => {
    const text = 'rules: [{ name: a, hosts: a.example.com, methods: GET, inject: x, mode: observe }]';
    assert.equal(observed(text, 'PUT https://a.example.com/'), 'allow observe default-deny');
    assert.equal(observed(text, 'PUT https://b.example.com/'), 'deny default-deny ');
    const decision = policyOf(text).decide(principal(), access('PUT https://a.example.com/'), nowMs);
    assert.deepEqual(decision.effect === 'allow' && decision.inject, []);
  });

  test('is overruled by mode: enforce of a rule', () => {
    const text = 'mode: observe\nrules: [{ name: a, hosts: a.example.com, methods: GET, mode: enforce }]';
    assert.equal(observed(text, 'PUT https://a.example.com/'), 'deny default-deny ');
    assert.equal(observed(text, 'PUT https://b.example.com/'), 'allow observe default-deny');
    const deny = 'mode: observe\nrules: [{ name: a, hosts: a.example.com, deny: true, mode: enforce }]';
    assert.equal(observed(deny, 'GET https://a.example.com/'), 'deny a ');
  });
});

test('capture ports are those of the rules for the session, without 80 and 443', () => {
  const policy = policyOf(`
rules:
  - { name: a, hosts: a.example.com, ports: [443, 8443] }
  - { name: b, hosts: b.example.com, scheme: tcp, ports: [5432, 22] }
  - { name: c, hosts: c.example.com, ports: 9000, for: { team: red } }
  - { name: d, hosts: d.example.com, ports: 25, deny: true }
`);
  assert.deepEqual(policy.capturePorts(principal()), [22, 5432, 8443]);
  assert.deepEqual(policy.capturePorts(principal({ claims: { team: 'red' } })), [22, 5432, 8443, 9000]);
});

describe('properties', () => {
  const label = fc.constantFrom('a', 'b', 'c');
  const host = fc
    .array(label, { minLength: 1, maxLength: 3 })
    .map((labels) => `${labels.join('.')}.example.com`);
  const pattern = fc.oneof(
    host,
    host.map((name) => `*.${name}`),
  );
  const methods = fc.constantFrom('', ', methods: GET', ', methods: [PUT, GET]');
  const paths = fc.constantFrom('', ', paths: /a/*', ', paths: [/a/:x, /b]');
  const rule = fc.record({ pattern, methods, paths, deny: fc.boolean() });
  const asked = fc.tuple(fc.constantFrom('GET', 'PUT'), host, fc.constantFrom('/a/x', '/b', '/a/x/y', '/'));
  const write = (
    rules: readonly { pattern: string; methods: string; paths: string; deny: boolean }[],
  ): string =>
    rules
      .map(
        (one, i) =>
          `  - { name: r${i}, hosts: "${one.pattern}"${one.methods}${one.paths}, for: { n: ${i} }${one.deny ? ', deny: true' : ''} }\n`,
      )
      .join('');
  // A selector of its own keeps each rule from being reported as dead; the session has all the claims.
  const everybody = principal({ claims: { n: Array.from({ length: 20 }, (_, i) => i) } });
  const hostMatches = (one: string, name: string): boolean =>
    one.startsWith('*.') ? name.endsWith(one.slice(1)) : one === name;

  test('the index decides as a walk over all rules would', () => {
    fc.assert(
      fc.property(fc.array(rule, { minLength: 1, maxLength: 12 }), asked, (rules, [method, name, path]) => {
        const policy = policyOf(`rules:\n${write(rules)}`);
        const matching = rules.flatMap((one, i) => {
          const methodOk = one.methods === '' || one.methods.includes(method);
          const pathOk =
            one.paths === '' ||
            (one.paths.includes('/a/*') ? path.startsWith('/a/') : path === '/b' || path === '/a/x');
          return hostMatches(one.pattern, name) && methodOk && pathOk ? [{ ...one, i }] : [];
        });
        const decisive = matching.find(({ deny }) => deny) ?? matching[0];
        const expected =
          decisive === undefined ? 'deny default-deny' : `${decisive.deny ? 'deny' : 'allow'} r${decisive.i}`;
        assert.equal(verdict(policy, `${method} https://${name}${path}`, everybody), expected);
      }),
      { numRuns: 300 },
    );
  });

  test('adding a rule that allows never lifts a denial by a rule', () => {
    fc.assert(
      fc.property(
        fc.array(rule, { minLength: 1, maxLength: 8 }),
        rule,
        asked,
        (rules, extra, [method, name, path]) => {
          const request = `${method} https://${name}${path}`;
          const before = verdict(policyOf(`rules:\n${write(rules)}`), request, everybody);
          if (!before.startsWith('deny r')) return;
          const after = verdict(
            policyOf(`rules:\n${write([...rules, { ...extra, deny: false }])}`),
            request,
            everybody,
          );
          assert.equal(after, before);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('what a rule gives is made once', () => {
  const text = `
rules:
  - { name: plain, hosts: plain.test, limits: { requestsPerSecond: 9 } }
  - { name: paths, hosts: paths.test, paths: /a/**, inject: key }
  - { name: tools, hosts: tools.test, paths: /mcp, mcp: { tools: read } }
  - { name: no-tool, deny: true, hosts: hidden.test, paths: /mcp, mcp: { tools: write } }
  - { name: hidden, hosts: hidden.test }
  - { name: tried, deny: true, mode: observe, hosts: tried.test, methods: POST }
  - { name: rest, hosts: tried.test }
  - { name: here, hosts: "*.many.test" }
  - { name: there, deny: true, hosts: b.many.test, methods: DELETE }
`;
  const asked = [
    'GET https://plain.test/',
    'https://plain.test',
    'GET https://paths.test/a/b',
    'GET https://paths.test/c',
    'POST https://tools.test/mcp',
    'POST https://hidden.test/mcp',
    'GET https://hidden.test/other',
    'GET https://tried.test/',
    'POST https://tried.test/',
    'GET https://a.many.test/',
    'GET https://b.many.test/',
    'DELETE https://b.many.test/',
  ];

  test('whatever was decided before, a decision is as of a policy that has decided nothing yet', () => {
    const options = { credentials: new Set(['key']) };
    const policy = policyOf(text, options);
    for (const one of [...asked, ...asked.toReversed(), ...asked])
      assert.deepEqual(
        policy.decide(principal(), access(one), nowMs),
        policyOf(text, options).decide(principal(), access(one), nowMs),
        one,
      );
  });

  test('two requests get the same one, by the same rule', () => {
    const policy = policyOf(text, { credentials: new Set(['key']) });
    const decide = (one: string): unknown => policy.decide(principal(), access(one), nowMs);
    assert.equal(decide('GET https://plain.test/'), decide('POST https://plain.test/other'));
  });
});
