// Why nothing is shown of the bodies of an exchange, and where it may be.

import type { AuditEvent } from '../../api/audit-event.ts';
import { printable } from '../../protocol/printable.ts';

/** `machine`: the one that was looked at. */
export function whyNoBodies({ captured }: Pick<AuditEvent, 'captured'>, machine: string): string {
  if (captured === undefined) return 'no bodies of that event are kept: no rule asked for it';
  if (captured.dropped === true)
    return 'no bodies of that event are kept: a rule asked for it, and there was no room';
  const { machine: keeper } = captured;
  if (keeper !== undefined && keeper !== machine)
    return `its bodies are kept by the gateway on the machine ${printable(keeper)}, and this is ${printable(machine)}: ask there`;
  return 'its bodies are not kept here any more: they have expired, or another gateway of this machine has them';
}
