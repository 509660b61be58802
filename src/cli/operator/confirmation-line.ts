// Which gateways have taken what a command changed, as a line of its output.

import { type ChangeConfirmation, confirmationText } from '../../gateway/changes/confirm-change.ts';
import { harmlessText } from '../terminal/text-table.ts';

/** Addresses are what gateways say of themselves. */
export function confirmationLine(confirmation: ChangeConfirmation | undefined): string {
  if (confirmation === undefined) return '';
  return `${harmlessText(confirmationText(confirmation))}\n`;
}
