// What is said of an address that the guard does not let through: to the workload without the address, and what would open it.

import { ProxyError } from '../protocol/error.ts';
import type { AddressClass, AddressVerdict } from './address-guard.ts';

type Refusal = Extract<AddressVerdict, { allowed: false }>;

/** `address_denied`; the address and the reason are in the cause, for the operator. */
export function deniedAddress(host: string, address: string, { reason, never }: Refusal): ProxyError {
  const subject =
    host === address ? `The address ${host} is` : `The name ${host} leads to an address that is`;
  const cause = new Error(`${address}: ${reason}`);
  if (never === undefined)
    return new ProxyError('address_denied', `${subject} not public, and the rule does not open it.`, {
      cause,
    });
  const message = `${subject} never dialled, whatever a rule says.`;
  return new ProxyError('address_denied', message, { cause, next: nextOf(never) });
}

function nextOf(never: AddressClass): string {
  return never === 'metadata'
    ? 'What hands out credentials to machines is no destination of a workload, and no rule opens it. The operator can give the rule of the host that needs a credential one by `inject`.'
    : 'No rule opens such an address. Ask for the host that is meant by a name or an address to which a connection can be made.';
}
