// Which changes of the store this process has taken, over all that follows some of them.

import type { Store } from '../store/store.ts';
import type { GatewayAccess } from './access/open-access.ts';
import { TakenChanges } from './changes/taken-changes.ts';
import type { Start } from './gateway-start.ts';
import type { Policies } from './policies/open-policies.ts';
import type { SessionService } from './sessions/session-service.ts';

/** What follows the store has read it; from here on it is said how far. */
export async function openChanges(
  { stack, onFault }: Start,
  following: {
    readonly store: Store;
    readonly sessions: SessionService;
    readonly policies: Policies;
    readonly access: GatewayAccess;
  },
): Promise<TakenChanges> {
  const { store, sessions, policies, access } = following;
  const followers = [sessions.watch, policies, access].map((one) => () => one.taken());
  return stack.use(await TakenChanges.open({ store, followers, onFault }));
}
