// What is told of a run with a gateway of its own once it has ended: one pass over its audit, in bounded memory and time.

import { refusalOf } from '../../api/refusal-of-event.ts';
import { asProxyError } from '../../protocol/error.ts';
import { readAuditFile } from '../operator/audit-file.ts';
import { Contacts } from './contact-summary.ts';
import { Denials } from './denial-summary.ts';
import type { EmbeddedGateway } from './embedded-gateway.ts';
import { unknownRefusals } from './run-ending.ts';

/**
 * What a run without a policy contacted, and of every run what it was refused; as far as the audit could be read in `withinMs`, which is
 * said. Never throws: the command has ended, and its exit code is what counts.
 */
export async function runSummary(
  { auditFile, policy }: Pick<EmbeddedGateway, 'auditFile' | 'policy'>,
  withinMs: number,
): Promise<string> {
  const denials = new Denials();
  const contacts = new Contacts();
  const late = AbortSignal.timeout(Math.ceil(withinMs));
  let count = 0;
  let fault: string | undefined;
  try {
    for await (const event of readAuditFile(auditFile, late)) {
      count += 1;
      const refusal = refusalOf(event);
      if (refusal !== undefined) denials.add(refusal);
      if (policy === 'observe') contacts.add(event);
    }
  } catch (error) {
    fault = late.aborted ? 'there was no time for more' : asProxyError(error).message;
  }
  const learn = `upstreamproxy policy learn ${auditFile} > policy.yaml`;
  return (
    denials.summary(auditFile) + contacts.summary(learn) + (fault === undefined ? '' : cut(count, fault))
  );
}

function cut(count: number, fault: string): string {
  if (count === 0) return unknownRefusals(fault);
  const read = count === 1 ? 'event' : `${count} events`;
  return `upstreamproxy: this is of the first ${read} of the audit alone: ${fault}\n`;
}
