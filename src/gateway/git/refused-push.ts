// A push that a decision refused: which of its refs were the reason.

import type { PushCommands } from '../../policy/git-commands.ts';
import type { RequestAccess } from '../../policy/decision.ts';

/** A push that a decision refused. */
export interface RefusedPush {
  readonly commands: PushCommands;
  /** The refs that alone would have been refused too. */
  readonly refused: ReadonlySet<string>;
}

/** Asks about each ref alone, so that git can say which of them were the reason. */
export function refusedPush(
  commands: PushCommands,
  access: RequestAccess,
  isAllowed: (access: RequestAccess) => boolean,
): RefusedPush {
  const refused = commands.updates.filter((one) => !isAllowed({ ...access, pushed: [one] }));
  return { commands, refused: new Set(refused.map(({ ref }) => ref)) };
}
