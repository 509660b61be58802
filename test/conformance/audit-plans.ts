// Searches of the audit, and the index that each of them has to be served by.

import type { AuditFilter } from '../../src/store/audit-statement.ts';
import type { AuditEntry } from '../../src/store/store.ts';
import type { AuditQuery } from '../../src/store/audit-search.ts';
import { foundEntry } from './audit-search.ts';

interface PlannedSearch {
  readonly search: AuditFilter & { readonly beforeId?: string };
  readonly index: string;
}

const searches: readonly PlannedSearch[] = [
  { search: { sessionId: 's1' }, index: 'audit_by_session' },
  {
    search: { sessionId: 's1', host: 'h1.test', verdict: 'deny', kind: 'exchange' },
    index: 'audit_by_session',
  },
  { search: { host: 'h1.test' }, index: 'audit_by_host' },
  { search: { host: 'h1.test', principal: 'p1', beforeId: 'e000900' }, index: 'audit_by_host' },
  { search: { host: 'h1.test', verdict: 'deny' }, index: 'audit_refused_by_host' },
  { search: { host: '.test' }, index: 'audit_by_host' },
  { search: { host: '.test', verdict: 'deny' }, index: 'audit_by_host' },
  { search: { principal: 'p1' }, index: 'audit_by_principal' },
  { search: { principal: 'p1', fromMs: 700 }, index: 'audit_by_principal' },
  { search: { verdict: 'deny' }, index: 'audit_not_allowed' },
  { search: { verdict: 'unknown', beforeId: 'e000900' }, index: 'audit_not_allowed' },
  { search: { kind: 'alarm' }, index: 'audit_no_exchange' },
  { search: { trace: '00000000abcd' }, index: 'audit_by_trace' },
  { search: { trace: 'abcd', host: 'h1.test' }, index: 'audit_by_trace' },
  { search: { fromMs: 700, verdict: 'deny' }, index: 'audit_mark_by_time' },
];

const entries: readonly AuditEntry[] = Array.from({ length: 1000 }, (_, i) =>
  foundEntry(`e${String(i).padStart(6, '0')}`, {
    timeMs: i * 20_000,
    traceId: i.toString(16).padStart(8, '0').padEnd(32, 'abcd'),
    host: `h${i % 50}.test`,
    sessionId: `s${i % 20}`,
    principal: `p${i % 10}`,
    verdict: i % 100 === 0 ? 'deny' : 'allow',
    kind: i % 200 === 1 ? 'alarm' : 'exchange',
  }),
);

const queries: readonly { readonly query: Partial<AuditQuery>; readonly index: string }[] = [
  { query: {}, index: 'audit_pkey' },
  { query: { order: 'newest' }, index: 'audit_pkey' },
  { query: { sinceId: 'e000500' }, index: 'audit_pkey' },
  { query: { sessionId: 's7', order: 'newest' }, index: 'audit_by_session' },
  { query: { sessionId: 's7', verdict: 'deny', sinceId: 'e000500' }, index: 'audit_by_session' },
  { query: { verdict: 'deny', order: 'newest' }, index: 'audit_not_allowed' },
  { query: { verdict: 'error', beforeId: 'e000500' }, index: 'audit_not_allowed' },
  { query: { kind: 'alarm', sinceId: 'e000100' }, index: 'audit_no_exchange' },
];

export const searchPlanTable = { searches, queries, entries };
