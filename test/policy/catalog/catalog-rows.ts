// Rows of every-key.test.ts about the catalogue.

import type { Decision } from '../../../src/policy/decision.ts';

const rule = (keys: string): string => `rules: [{ name: r, ${keys} }]`;
const denied = 'deny default-deny';

const tracker =
  'catalog: { tracker: { title: T, version: 1, checked: 2026-11-28, sources: [https://example.com/], credentials: { api: { kind: bearer } }, parts: [{ name: read, access: read, credential: api, hosts: a.example.com, methods: GET }, { name: write, access: write, hosts: a.example.com, methods: POST }] } }';
const tenants = tracker
  .replace('title: T,', 'title: T, tenant: the name before .example.com,')
  .replaceAll('a.example.com', '"{tenant}.example.com"');

export const catalogRows = [
  {
    key: 'catalog',
    with: `${tracker}\n${rule('include: catalog/tracker')}`,
    without: `${tracker}\n${rule('hosts: b.example.com')}`,
    expected: ['allow r/read', denied],
  },
  {
    key: 'rules[].catalog',
    asked: 'POST https://a.example.com/',
    with: `${tracker}\n${rule('include: catalog/tracker, catalog: { access: write }')}`,
    without: `${tracker}\n${rule('include: catalog/tracker')}`,
    expected: ['allow r/write', denied],
  },
  {
    key: 'rules[].catalog.access',
    asked: 'POST https://a.example.com/',
    with: `${tracker}\n${rule('include: catalog/tracker, catalog: { access: [read, write] }')}`,
    without: `${tracker}\n${rule('include: catalog/tracker, catalog: { access: read }')}`,
    expected: ['allow r/write', denied],
  },
  {
    key: 'rules[].catalog.tenant',
    with: `${tenants}\n${rule('include: catalog/tracker, catalog: { tenant: a }')}`,
    without: `${tenants}\n${rule('include: catalog/tracker, catalog: { tenant: b }')}`,
    expected: ['allow r/read', denied],
  },
  {
    key: 'rules[].catalog.inject',
    sees: (decision: Decision) =>
      decision.effect === 'allow' && decision.inject.map(({ credential }) => credential),
    with: `${tracker}\n${rule('include: catalog/tracker, catalog: { inject: { api: key } }')}`,
    without: `${tracker}\n${rule('include: catalog/tracker')}`,
    expected: [['key'], []],
  },
] as const;
