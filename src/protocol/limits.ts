// Every limit of the product in one table, by what it bounds: name with its unit, value, reason, and the error that it raises.

import { adminLimits } from './limits/admin-limits.ts';
import { advisoryLimits } from './limits/advisory-limits.ts';
import { agentLimits } from './limits/agent-limits.ts';
import { askLimits } from './limits/ask-limits.ts';
import { cacheLimits } from './limits/cache-limits.ts';
import { captureLimits } from './limits/capture-limits.ts';
import { credentialLimits } from './limits/credential-limits.ts';
import { custodyLimits } from './limits/custody-limits.ts';
import { databaseLimits } from './limits/database-limits.ts';
import { docsLimits } from './limits/docs-limits.ts';
import { deciderLimits } from './limits/decider-limits.ts';
import { exchangeLimits } from './limits/exchange-limits.ts';
import { leakLimits } from './limits/leak-limits.ts';
import { logInLimits } from './limits/log-in-limits.ts';
import { networkLimits } from './limits/network-limits.ts';
import { noticeLimits } from './limits/notice-limits.ts';
import { peerLimits } from './limits/peer-limits.ts';
import { policyLimits } from './limits/policy-limits.ts';
import { proxyLimits } from './limits/proxy-limits.ts';
import { sessionLimits } from './limits/session-limits.ts';
import { spoolLimits } from './limits/spool-limits.ts';
import { sshLimits } from './limits/ssh-limits.ts';
import { storeLimits } from './limits/store-limits.ts';
import { telemetryLimits } from './limits/telemetry-limits.ts';
import { tunnelLimits } from './limits/tunnel-limits.ts';
import { llmLimits } from './limits/llm-limits.ts';
import { understandingLimits } from './limits/understanding-limits.ts';
import { workerLimits } from './limits/worker-limits.ts';
import type { LimitRow } from './limits/limit-row.ts';

const tables = [
  tunnelLimits,
  agentLimits,
  sessionLimits,
  proxyLimits,
  exchangeLimits,
  policyLimits,
  askLimits,
  llmLimits,
  understandingLimits,
  advisoryLimits,
  leakLimits,
  deciderLimits,
  captureLimits,
  cacheLimits,
  databaseLimits,
  sshLimits,
  credentialLimits,
  custodyLimits,
  networkLimits,
  adminLimits,
  logInLimits,
  docsLimits,
  workerLimits,
  peerLimits,
  storeLimits,
  spoolLimits,
  telemetryLimits,
  noticeLimits,
] as const;

type Table = (typeof tables)[number];
/** The keys of each of them. */
type NamesOf<T> = T extends unknown ? keyof T : never;

export type LimitName = NamesOf<Table>;
export type Limits = Readonly<Record<LimitName, number>>;

/**
 * An empty table, without a prototype: V8 keeps such a one as a dictionary. For each property of a usual object it makes another shape, which took 8 ms
 * of each start.
 */
function filled<V>(): Record<LimitName, V> {
  // What is returned is filled by who asks.
  return Object.create(null) as Record<LimitName, V>;
}

/** The limits with their reasons. docs/reference/limits.md is checked against this table. */
export const limitTable: Readonly<Record<LimitName, LimitRow>> = (() => {
  const table = filled<LimitRow>();
  for (const part of tables) Object.assign(table, part);
  return Object.freeze(table);
})();

/** The default limits, frozen. */
export const defaultLimits: Limits = (() => {
  const limits = filled<number>();
  for (const name of limitNames(limitTable)) limits[name] = limitTable[name].value;
  return Object.freeze(limits);
})();

/** The default limits but for what is named, frozen: for what serves, which reads them all the time, and so with a shape. */
export function limitsWith(changes: Partial<Limits> = {}): Limits {
  return Object.freeze({ ...defaultLimits, ...changes });
}

function limitNames(table: object): readonly LimitName[] {
  // Its keys are the names.
  return Object.keys(table) as LimitName[];
}
