// What is told at the end of a run whose gateway is another: what that counted.

import { join } from 'node:path';

import type { UpstreamProxy } from '../../agent/init.ts';
import { asProxyError } from '../../protocol/error.ts';
import type { SessionRefusals } from '../../protocol/session-refusals.ts';
import { writeFileAtomically } from '../../system/atomic-file.ts';
import { Denials } from './denial-summary.ts';
import { unknownRefusals } from './run-ending.ts';

/** The file in the folder of `run --state`, for `job end`. */
export const toldName = 'refusals.json';

/** What stands there. */
export interface ToldFile {
  readonly gatewayUrl: string;
  /** Absent: the gateway told nothing. */
  readonly told?: SessionRefusals | undefined;
}

export interface GatewaySummaryOptions {
  readonly gatewayUrl: string;
  /** Nothing is printed. */
  readonly quiet: boolean;
  /** Where it is written too. */
  readonly state: string | undefined;
}

/** Never throws: the command has ended, and its exit code is what counts. */
export async function gatewaySummary(
  { refusals }: Pick<UpstreamProxy, 'refusals'>,
  { gatewayUrl, quiet, state }: GatewaySummaryOptions,
): Promise<string> {
  if (quiet && state === undefined) return '';
  try {
    const told = await refusals();
    if (state !== undefined) await writeTold(state, { gatewayUrl, told });
    if (told === undefined || quiet) return '';
    const denials = new Denials();
    for (const refusal of told.refusals) denials.add(refusal);
    const before = told.isWhole ? '' : ', with what was refused before the tunnel broke';
    return denials.summary(`the audit of ${gatewayUrl}${before}`, told.others);
  } catch (error) {
    return unknownRefusals(asProxyError(error).message);
  }
}

async function writeTold(state: string, told: ToldFile): Promise<void> {
  await writeFileAtomically(join(state, toldName), `${JSON.stringify(told)}\n`, {
    mode: 0o600,
    durable: false,
  });
}
