// What is told at the end of a run whose gateway is another: what that counted.

import type { UpstreamProxy } from '../../agent/init.ts';
import { asProxyError } from '../../protocol/error.ts';
import { Denials } from './denial-summary.ts';
import { unknownRefusals } from './run-ending.ts';
import { recordOfGateway, writeRunRecord } from './run-record.ts';

export interface GatewaySummaryOptions {
  readonly gatewayUrl: string;
  /** Nothing is printed. */
  readonly quiet: boolean;
  /** The folder of `run --state`, where it is written too. */
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
    if (state !== undefined) await writeRunRecord(state, recordOfGateway(gatewayUrl, told));
    if (told === undefined || quiet) return '';
    const denials = new Denials();
    for (const refusal of told.refusals) denials.add(refusal);
    const before = told.isWhole ? '' : ', with what was refused before the tunnel broke';
    return denials.summary(`the audit of ${gatewayUrl}${before}`, told.others);
  } catch (error) {
    return unknownRefusals(asProxyError(error).message);
  }
}
