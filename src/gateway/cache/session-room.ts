// Room for octets in the budget of a session, for what goes another way where there is none.

import { ProxyError } from '../../protocol/error.ts';
import type { HeldOctets, Reservation } from '../../protocol/held-octets.ts';

/** Undefined: there is none. */
export function sessionRoom(
  held: Pick<HeldOctets, 'reserve'>,
  sessionId: string,
  octets: number,
): (Reservation & Disposable) | undefined {
  try {
    const room = held.reserve(sessionId, octets);
    return { ...room, [Symbol.dispose]: () => room.release() };
  } catch (error) {
    if (error instanceof ProxyError) return undefined;
    throw error;
  }
}
