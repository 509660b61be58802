// How long a decision takes in a policy of 5,000 rules, compiled once: for hosts that are spread, and for the worst
// case of all rules on one host. usage: node bench/policy-decide.ts [--rules N]

import { parseArgs } from 'node:util';
import { HeaderList } from '../src/http/header-list.ts';
import type { AccessRequest, Principal } from '../src/policy/decision.ts';
import type { CompiledPolicy } from '../src/policy/compiled-policy.ts';
import { parsePolicy } from '../src/policy/parse-policy.ts';

const { values } = parseArgs({ options: { rules: { type: 'string', default: '5000' } } });
const count = Number(values.rules);
const samples = 20_000;
const principal: Principal = { id: 'i', sessionId: 's', claims: { repository: 'acme/app' }, posture: [] };

function compile(rule: (i: number) => string): { policy: CompiledPolicy; readMs: number } {
  const text = `rules:\n${Array.from({ length: count }, (_, i) => `  - { name: r${i}, ${rule(i)} }\n`).join('')}`;
  const startMs = performance.now();
  const result = parsePolicy([{ file: 'bench', text }]);
  if ('problems' in result) throw new Error(result.problems[0]?.message);
  return { policy: result.policy, readMs: performance.now() - startMs };
}

function request(host: string, path: string): AccessRequest {
  const destination = { scheme: 'https', host, port: 443 } as const;
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

const crowded = compile((i) => `hosts: api.example.com, methods: GET, paths: "/r${i}/:x/b"`);
console.log(`${count} rules on one host, read and checked in ${crowded.readMs.toFixed(0)} ms`);
print(
  'one host, a rule matches',
  crowded.policy,
  numbers.map((i) => request('api.example.com', `/r${i}/1/b`)),
);
