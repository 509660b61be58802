// Every limit of the product in one table, by what it bounds: name with its unit, value, reason, and the error that it raises.

import { adminLimits } from './limits/admin-limits.ts';
import { agentLimits } from './limits/agent-limits.ts';
import { captureLimits } from './limits/capture-limits.ts';
import { credentialLimits } from './limits/credential-limits.ts';
import { exchangeLimits } from './limits/exchange-limits.ts';
import { leakLimits } from './limits/leak-limits.ts';
import { logInLimits } from './limits/log-in-limits.ts';
import { networkLimits } from './limits/network-limits.ts';
import { peerLimits } from './limits/peer-limits.ts';
import { sessionLimits } from './limits/session-limits.ts';
import { spoolLimits } from './limits/spool-limits.ts';
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
  ...exchangeLimits,
  ...llmLimits,
  ...understandingLimits,
  ...leakLimits,
  ...captureLimits,
  ...credentialLimits,
  ...networkLimits,
  ...adminLimits,
  ...logInLimits,
  ...workerLimits,
  ...peerLimits,
  ...storeLimits,
  ...spoolLimits,
  ...telemetryLimits,
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
