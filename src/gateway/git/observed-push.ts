// What a push changes that is let through to be learnt from: the audit says it, and no rule has asked.

import type { Readable } from 'node:stream';
import { gitRequestOf } from '../../policy/git-request.ts';
import type { RequestHead } from '../../http/message-head.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { ReadPush } from './git-facts.ts';
import { readPush } from './read-push.ts';

/**
 * Undefined for what is no push, and for one that cannot be read: it goes on as it is. Throws as `readPush` does where
 * nothing is left to go on with.
 */
export async function observedPush(
  client: { readonly body: Readable; sendContinue(): void },
  head: RequestHead,
  limits: Limits,
): Promise<ReadPush | undefined> {
  const request = gitRequestOf(head);
  if (request?.isSmart !== true || !request.carriesCommands) return undefined;
  client.sendContinue();
  try {
    return await readPush(client.body, head.headers, limits);
  } catch (error) {
    if (client.body.destroyed || client.body.readableEnded) throw error;
    return undefined;
  }
}
