// How long a decision takes in a policy of 5,000 rules, compiled once: for hosts that are spread, and for all
// rules on one host. usage: node bench/policy-decide.ts [--rules N]

import { parseArgs } from 'node:util';
import { HeaderList } from '../src/http/header-list.ts';
import type { AccessRequest, Principal } from '../src/policy/decision.ts';
import type { CompiledPolicy } from '../src/policy/compiled-policy.ts';
import { parsePolicy } from '../src/policy/parse-policy.ts';

const { values } = parseArgs({ options: { rules: { type: 'string', default: '5000' } } });
const count = Number(values.rules);
const samples = 20_000;
const principal: Principal = {
  id: 'i',
  sessionId: 's',
  claims: { repository: 'acme/app', tenant: 't4000' },
  posture: [],
};

function compile(rule: (i: number) => string): { policy: CompiledPolicy; readMs: number } {
  const text = `rules:\n${Array.from({ length: count }, (_, i) => `  - { name: r${i}, ${rule(i)} }\n`).join('')}`;
  const startMs = performance.now();
  const result = parsePolicy([{ file: 'bench', text }]);
  if ('problems' in result) throw new Error(result.problems[0]?.message);
  return { policy: result.policy, readMs: performance.now() - startMs };
}

function request(host: string, path: string, port = 443): AccessRequest {
  const destination = { scheme: 'https', host, port } as const;
  return { depth: 'request', destination, method: 'GET', path, query: '', headers: new HeaderList() };
}

/** Median and 99th percentile of single decisions, in microseconds. */
function measure(policy: CompiledPolicy, accesses: readonly AccessRequest[]): { p50: number; p99: number } {
  const tookUs = new Float64Array(samples);
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < samples; i++) {
      const access = accesses[i % accesses.length];
      if (access === undefined) throw new Error('nothing to decide');
      const startMs = performance.now();
      policy.decide(principal, access, 0);
      tookUs[i] = (performance.now() - startMs) * 1000;
    }
  }
  const sorted = tookUs.toSorted();
  return { p50: sorted[samples / 2] ?? 0, p99: sorted[Math.floor(samples * 0.99)] ?? 0 };
}

function print(name: string, policy: CompiledPolicy, accesses: readonly AccessRequest[]): void {
  const { p50, p99 } = measure(policy, accesses);
  console.log(
    `${name.padEnd(44)} median ${p50.toFixed(2).padStart(7)} µs   p99 ${p99.toFixed(2).padStart(7)} µs`,
  );
}

const numbers = Array.from({ length: 500 }, (_, i) => Math.floor((i * count) / 500));
const spread = compile((i) => {
  const hosts = i % 2 === 0 ? `h${i}.example.com` : `"*.w${i}.example.com"`;
  return `hosts: ${hosts}, methods: [GET, HEAD], paths: ["/a/:x/b", "/c/*"], for: { repository: acme/* }${i % 10 === 0 ? ', deny: true' : ''}`;
});
console.log(`${count} rules, read and checked in ${spread.readMs.toFixed(0)} ms`);
const host = (i: number): string => (i % 2 === 0 ? `h${i}.example.com` : `x.y.w${i}.example.com`);
print(
  'spread hosts, a rule matches',
  spread.policy,
  numbers.map((i) => request(host(i), '/a/1/b')),
);
print(
  'spread hosts, path does not match',
  spread.policy,
  numbers.map((i) => request(host(i), '/d')),
);
print(
  'unknown host',
  spread.policy,
  numbers.map((i) => request(`u${i}.test`, '/')),
);

const apiHost = 'api.example.com';
const shapes: readonly {
  readonly name: string;
  readonly rule: (i: number) => string;
  readonly matching: (i: number) => AccessRequest;
  readonly missing?: (i: number) => AccessRequest;
}[] = [
  {
    name: 'one host, paths differ',
    rule: (i) => `hosts: ${apiHost}, methods: GET, paths: "/r${i}/:x/b"`,
    matching: (i) => request(apiHost, `/r${i}/1/b`),
  },
  {
    name: 'one host, denies, paths differ',
    rule: (i) =>
      i === count - 1
        ? `hosts: ${apiHost}`
        : `hosts: ${apiHost}, paths: "/repos/acme/r${i}/*", deny: "Repository ${i} is closed."`,
    matching: (i) => request(apiHost, `/repos/acme/r${i}/x`),
    missing: (i) => request('other.example.com', `/repos/acme/r${i}/x`),
  },
  {
    name: 'one host, claims differ',
    rule: (i) => `hosts: ${apiHost}, for: { tenant: t${i} }`,
    matching: () => request(apiHost, '/x'),
    missing: () => request(apiHost, '/x', 8443),
  },
  {
    name: 'one host, ports differ',
    rule: (i) => `hosts: ${apiHost}, ports: ${1000 + i}`,
    matching: (i) => request(apiHost, '/x', 1000 + i),
  },
  {
    name: 'one host, paths begin with a name',
    rule: (i) => `hosts: ${apiHost}, paths: "/:owner/repo-${i}/*"`,
    matching: (i) => request(apiHost, `/acme/repo-${i}/x`),
  },
  {
    name: 'one host, names beside texts',
    rule: (i) => `hosts: ${apiHost}, paths: "/:name.x${i}/:b/y"`,
    matching: (i) => request(apiHost, `/a.x${i}/b/y`),
  },
  {
    name: 'one host, conditions on a claim',
    rule: (i) => `hosts: ${apiHost}, when: 'request.port > 0 && claims.tenant == "t${i}"'`,
    matching: () => request(apiHost, '/x'),
    missing: () => request(apiHost, '/x', 8443),
  },
  {
    name: 'one host, conditions on the path',
    rule: (i) => `hosts: ${apiHost}, when: 'request.path.startsWith("/p${i}/")'`,
    matching: (i) => request(apiHost, `/p${i}/x`),
  },
  {
    name: 'one host, conditions that no index tells apart (refused)',
    rule: (i) => `hosts: ${apiHost}, when: '"v${i}" in request.headers["x-tag"]'`,
    matching: () => request(apiHost, '/x'),
  },
  {
    name: 'one wildcard, two readings of the path',
    rule: (i) => `hosts: "*.apps.example.com", paths: "/r${i}/*"`,
    matching: (i) => request('a.b.apps.example.com', `/r${i}/a%2Fb`),
  },
];
for (const { name, rule, matching, missing } of shapes) {
  const { policy, readMs } = compile(rule);
  console.log(`${name}: read and checked in ${readMs.toFixed(0)} ms`);
  print('  a rule decides', policy, numbers.map(matching));
  print('  denied by default', policy, numbers.map(missing ?? ((i) => request(apiHost, `/none${i}`))));
}
