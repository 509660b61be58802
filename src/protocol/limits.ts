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

/** The limits with their reasons. docs/reference/limits.md is checked against this table. */
export const limitTable = {
  ...tunnelLimits,
  ...agentLimits,
  ...sessionLimits,
  ...proxyLimits,
  ...exchangeLimits,
  ...policyLimits,
  ...askLimits,
  ...llmLimits,
  ...understandingLimits,
  ...advisoryLimits,
  ...leakLimits,
  ...deciderLimits,
  ...captureLimits,
  ...cacheLimits,
  ...databaseLimits,
  ...sshLimits,
  ...credentialLimits,
  ...custodyLimits,
  ...networkLimits,
  ...adminLimits,
  ...logInLimits,
  ...docsLimits,
  ...workerLimits,
  ...peerLimits,
  ...storeLimits,
  ...spoolLimits,
  ...telemetryLimits,
  ...noticeLimits,
};

export type LimitName = keyof typeof limitTable;
export type Limits = Readonly<Record<LimitName, number>>;

/** The default limits, frozen. Pass a changed copy to try other values. */
export const defaultLimits: Limits = Object.freeze(
  // The keys of the table are the names; fromEntries forgets that.
  Object.fromEntries(Object.entries(limitTable).map(([name, { value }]) => [name, value])) as Record<
    LimitName,
    number
  >,
);
