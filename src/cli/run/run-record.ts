// What `run --state` keeps for `job end`: who decided, and what another gateway told at the end.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { ToldRefusals } from '../../agent/uplink/session-refusals.ts';
import { writeFileAtomically } from '../../system/atomic-file.ts';
import type { PolicyForm } from './embedded-gateway.ts';

/** The file in its folder. */
export const runRecordName = 'run.json';

/** What stands there from when the session stands. */
export interface RunRecord {
  readonly form: PolicyForm | 'gateway';
  /** Absolute paths, as the others. */
  readonly policies: readonly string[];
  readonly config: string | undefined;
  /** Of a gateway of its own. */
  readonly auditFile: string | undefined;
  /** Of another gateway. */
  readonly gatewayUrl: string | undefined;
  /** Absent: that has told nothing, or not yet. */
  readonly told?: ToldRefusals | undefined;
}

/** Of a run whose gateway is another. */
export function recordOfGateway(gatewayUrl: string, told?: ToldRefusals): RunRecord {
  return { form: 'gateway', policies: [], config: undefined, auditFile: undefined, gatewayUrl, told };
}

/** Throws trust_unwritable, and what keeps the folder from being made. */
export async function writeRunRecord(state: string, record: RunRecord): Promise<void> {
  await mkdir(state, { recursive: true, mode: 0o700 });
  await writeFileAtomically(join(state, runRecordName), `${JSON.stringify(record)}\n`, {
    mode: 0o600,
    durable: false,
  });
}
