// The keys of `packages`, each with a policy that has it and one that has it not, for every-key.test.ts.

import { sourceOf } from '../../src/policy/known-package.ts';
import type { Decision, RequestAccess } from '../../src/policy/decision.ts';
import { nowMs } from './fixture.ts';

const rule = (keys: string): string => `rules: [{ name: r, ${keys} }]`;
const host = 'hosts: a.example.com';
const [allowed, denied] = ['allow r', 'deny default-deny'];
const archive = 'GET https://a.example.com/x/-/x-1.0.0.tgz';
const exception = (name: string, days: number): string =>
  `{ package: ${name}, reason: a fix, until: "${new Date(nowMs + days * 86_400_000).toISOString()}" }`;

interface PackageRow {
  readonly key: string;
  readonly with: string;
  readonly without: string;
  readonly asked?: string;
  readonly read?: Pick<RequestAccess, 'package' | 'advisories' | 'publication' | 'provenance'>;
  readonly sees?: (decision: Decision) => unknown;
  readonly expected: readonly [withKey: unknown, withoutKey: unknown];
}

const source = sourceOf(
  { registry: 'npm', root: undefined },
  { scheme: 'https', host: 'a.example.com', port: 443 },
);

/** One advisory of moderate severity about all of `x`. */
const advisories = {
  covers: () => true,
  find: (_: unknown, name: string) =>
    name === 'x' ? ([{ ids: ['GHSA-1'], level: 'moderate' }] as const) : [],
};

const published = (name: string): RequestAccess['publication'] => ({
  source,
  read: { operation: 'publish', name, version: '1.0.0' },
});

/** Of what was built from one repository, as one issuer says. */
const builtBy = (repository: string, issuer: string): Pick<RequestAccess, 'provenance'> => ({
  provenance: {
    source,
    of: () => ({ kind: 'verified', by: [{ repository, issuer, digest: 'sha512-x' }] }),
  },
});

export const packageKeyRows: readonly PackageRow[] = [
  {
    key: 'rules[].packages.publish',
    with: rule(`${host}, packages: { registry: npm, publish: { allow: x } }`),
    without: rule(`${host}, packages: { registry: npm }`),
    asked: 'PUT https://a.example.com/x',
    read: { publication: published('x') },
    expected: [allowed, denied],
  },
  {
    key: 'rules[].packages.publish.allow',
    with: rule(`${host}, packages: { registry: npm, publish: { allow: x } }`),
    without: rule(`${host}, packages: { registry: npm, publish: { allow: y } }`),
    asked: 'PUT https://a.example.com/x',
    read: { publication: published('x') },
    expected: [allowed, denied],
  },
  {
    key: 'rules[].packages.publish.operations',
    with: rule(`${host}, packages: { registry: npm, publish: { allow: x, operations: tag } }`),
    without: rule(`${host}, packages: { registry: npm, publish: { allow: x } }`),
    asked: 'PUT https://a.example.com/-/package/x/dist-tags/latest',
    expected: [allowed, denied],
  },
  {
    key: 'rules[].packages.provenance',
    with: rule(`${host}, packages: { registry: npm, provenance: required }`),
    without: rule(`${host}, packages: { registry: npm }`),
    asked: archive,
    read: { provenance: { source, of: () => ({ kind: 'none', why: 'has none' }) } },
    expected: [denied, allowed],
  },
  {
    key: 'rules[].packages.provenance.repository',
    with: rule(
      `${host}, packages: { registry: npm, provenance: { repository: "https://github.com/acme/*" } }`,
    ),
    without: rule(`${host}, packages: { registry: npm, provenance: required }`),
    asked: archive,
    read: builtBy('https://github.com/other/lib', 'https://issuer.test'),
    expected: [denied, allowed],
  },
  {
    key: 'rules[].packages.provenance.issuer',
    with: rule(`${host}, packages: { registry: npm, provenance: { issuer: "https://a.test" } }`),
    without: rule(`${host}, packages: { registry: npm, provenance: required }`),
    asked: archive,
    read: builtBy('https://github.com/other/lib', 'https://issuer.test'),
    expected: [denied, allowed],
  },
  {
    key: 'rules[].packages.advisories',
    with: rule(`${host}, packages: { registry: npm, advisories: { deny: low } }`),
    without: rule(`${host}, packages: { registry: npm }`),
    asked: archive,
    read: { advisories },
    expected: [denied, allowed],
  },
  {
    key: 'rules[].packages.advisories.deny',
    with: rule(`${host}, packages: { registry: npm, advisories: { deny: moderate } }`),
    without: rule(`${host}, packages: { registry: npm, advisories: { deny: high } }`),
    asked: archive,
    read: { advisories },
    expected: [denied, allowed],
  },
  {
    key: 'rules[].packages.malware',
    with: rule(`${host}, packages: { registry: npm, malware: deny }`),
    without: rule(`${host}, packages: { registry: npm }`),
    asked: archive,
    // Nobody knows.
    read: {},
    expected: [denied, allowed],
  },
  {
    key: 'rules[].packages.exceptions[].advisory',
    with: rule(
      `${host}, packages: { registry: npm, advisories: { deny: low }, exceptions: [${exception('x, advisory: GHSA-1', 2)}] }`,
    ),
    without: rule(
      `${host}, packages: { registry: npm, advisories: { deny: low }, exceptions: [${exception('x, advisory: GHSA-2', 2)}] }`,
    ),
    asked: archive,
    read: { advisories },
    expected: [allowed, denied],
  },
  {
    key: 'rules[].packages',
    with: rule(`${host}, packages: { registry: npm }`),
    without: rule(host),
    asked: 'PUT https://a.example.com/x',
    expected: [denied, allowed],
  },
  {
    key: 'rules[].packages.registry',
    with: rule(`${host}, packages: { registry: npm }`),
    without: rule(`${host}, packages: { registry: go }`),
    expected: [allowed, denied],
  },
  {
    key: 'rules[].packages.index',
    with: rule(`${host}, packages: { registry: npm, index: "https://a.example.com/npm/" }`),
    without: rule(`${host}, packages: { registry: npm }`),
    expected: [denied, allowed],
  },
  {
    key: 'rules[].packages.allow',
    with: rule(`${host}, packages: { registry: npm, allow: y }`),
    without: rule(`${host}, packages: { registry: npm }`),
    expected: [denied, allowed],
  },
  {
    key: 'rules[].packages.deny',
    with: rule(`${host}, packages: { registry: npm, deny: x }`),
    without: rule(`${host}, packages: { registry: npm }`),
    expected: [denied, allowed],
  },
  {
    key: 'rules[].packages.minAge',
    with: rule(`${host}, packages: { registry: npm, minAge: 3d }`),
    without: rule(`${host}, packages: { registry: npm }`),
    asked: archive,
    read: { package: { source, timeOf: () => nowMs - 86_400_000 } },
    expected: [denied, allowed],
  },
  {
    key: 'rules[].packages.integrity',
    with: rule(`${host}, packages: { registry: npm, integrity: required }`),
    without: rule(`${host}, packages: { registry: npm }`),
    asked: archive,
    sees: (decision) => (decision.effect === 'allow' ? decision.package?.integrity : undefined),
    expected: ['required', undefined],
  },
  {
    key: 'rules[].packages.installScripts',
    with: rule(`${host}, packages: { registry: npm, installScripts: tell }`),
    without: rule(`${host}, packages: { registry: npm }`),
    asked: archive,
    sees: (decision) => decision.package?.tellsScripts,
    expected: [true, undefined],
  },
  {
    key: 'rules[].packages.exceptions',
    with: rule(`${host}, packages: { registry: npm, minAge: 3d, exceptions: [${exception('x', 2)}] }`),
    without: rule(`${host}, packages: { registry: npm, minAge: 3d }`),
    asked: archive,
    read: { package: { source, timeOf: () => nowMs - 86_400_000 } },
    expected: [allowed, denied],
  },
  {
    key: 'rules[].packages.exceptions[].package',
    with: rule(`${host}, packages: { registry: npm, minAge: 3d, exceptions: [${exception('x', 2)}] }`),
    without: rule(`${host}, packages: { registry: npm, minAge: 3d, exceptions: [${exception('y', 2)}] }`),
    asked: archive,
    read: { package: { source, timeOf: () => nowMs - 86_400_000 } },
    expected: [allowed, denied],
  },
  {
    key: 'rules[].packages.exceptions[].reason',
    with: rule(`${host}, packages: { registry: npm, minAge: 3d, exceptions: [${exception('x', 2)}] }`),
    without: rule(`${host}, packages: { registry: npm, minAge: 3d }`),
    asked: archive,
    read: { package: { source, timeOf: () => nowMs - 86_400_000 } },
    expected: [allowed, denied],
  },
  {
    key: 'rules[].packages.exceptions[].until',
    with: rule(`${host}, packages: { registry: npm, minAge: 3d, exceptions: [${exception('x', 2)}] }`),
    without: rule(`${host}, packages: { registry: npm, minAge: 3d, exceptions: [${exception('x', 0)}] }`),
    asked: archive,
    read: { package: { source, timeOf: () => nowMs - 86_400_000 } },
    expected: [allowed, denied],
  },
];
