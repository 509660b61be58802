// All operations that give one value, by their names.

import type { AdminOperation, StreamingOperation } from '../../api/admin/routes.ts';
import { accessOperations } from './access-operations.ts';
import type { AdminParts, Asked, Handlers } from './admin-parts.ts';
import { capturedOperations } from './captured-operations.ts';
import { eventOperations } from './event-operations.ts';
import { openOperations } from './open-operations.ts';
import { packageOperations } from './package-operations.ts';
import { policyOperations } from './policy-operations.ts';
import { publishedOperations } from './published-operations.ts';
import { replayOperations } from './replay-operations.ts';
import { sessionOperations } from './session-operations.ts';
import { stateOperations } from './state-operations.ts';
import { sessionTokenOperations } from './session-token-operations.ts';
import { tokenOperations } from './token-operations.ts';
import { useOperations } from './use-operations.ts';

const handlers: Handlers<Exclude<AdminOperation, StreamingOperation>> = {
  ...stateOperations,
  ...eventOperations,
  ...openOperations,
  ...capturedOperations,
  ...sessionOperations,
  ...accessOperations,
  ...policyOperations,
  ...publishedOperations,
  ...replayOperations,
  ...tokenOperations,
  ...sessionTokenOperations,
  ...useOperations,
  ...packageOperations,
};

/** Does it. `asked` was read by the schemas of that operation. */
export async function runOperation(
  operation: Exclude<AdminOperation, StreamingOperation>,
  parts: AdminParts,
  asked: Asked<AdminOperation>,
): Promise<unknown> {
  // Which operation goes with which question is known only where it runs.
  const handle = handlers[operation] as (parts: AdminParts, asked: Asked<AdminOperation>) => unknown;
  return await handle(parts, asked);
}
