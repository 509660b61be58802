// Which gateways have taken what a command changed, as a line of its output.

import { type ChangeConfirmation, confirmationText } from '../../gateway/changes/confirm-change.ts';
import { asProxyError } from '../../protocol/error.ts';
import type { CommonValues } from '../definition/command-definition.ts';
import { note, tellDone } from '../terminal/notes.ts';
import { harmlessText } from '../terminal/text-table.ts';

/**
 * Asks when the change is done. That nobody can be asked then is a note on standard error, and no fault of the command: who is told that it
 * failed does it again.
 */
export async function askedConfirmation(
  ask: () => Promise<ChangeConfirmation | undefined>,
): Promise<ChangeConfirmation | undefined> {
  try {
    return await ask();
  } catch (error) {
    noteUnknown('which gateways have taken it', error);
    return undefined;
  }
}

/** What each gateway made of a change that is done; the same where it cannot be asked. */
export async function outcomesIfKnown<Outcome>(
  ask: () => Promise<readonly Outcome[]>,
): Promise<readonly Outcome[]> {
  try {
    return await ask();
  } catch (error) {
    noteUnknown('what gateways made of it', error);
    return [];
  }
}

function noteUnknown(what: string, error: unknown): void {
  const { message, code } = asProxyError(error);
  process.stderr.write(
    `upstreamproxy: it is done; ${what} is not known: ${harmlessText(message)} [${code}]\n`,
  );
}

/** Who wants to know nothing of what was done is told of the gateways that have not taken it. */
export function tellConfirmation(
  options: Pick<CommonValues, 'quiet'>,
  confirmation: ChangeConfirmation | undefined,
): void {
  if (confirmation === undefined) return;
  const text = confirmationText(confirmation);
  if (options.quiet && confirmation.missing.length > 0) note(text);
  // Addresses are what gateways say of themselves.
  else tellDone(options, `${harmlessText(text)}\n`);
}
