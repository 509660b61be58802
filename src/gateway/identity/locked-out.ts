// Which gateways could not start again with an identity that is sealed for these keys alone: those that serve, and those that are away
// without having said that they end.

import type { ProxyError } from '../../protocol/error.ts';
import type { GatewayPresence } from '../../store/gateway-store.ts';
import { gatewayNameDigits } from '../changes/confirm-change.ts';
import { unusable } from './sealed-identity.ts';

/** How many of them are named. */
const namedMax = 8;

/** Why the identity is not sealed for these keys alone; undefined where every gateway that serves says that it can open it. */
export function lockedOut(
  processes: readonly GatewayPresence[],
  keyIds: readonly string[],
): ProxyError | undefined {
  return without(processes, keyIds, {
    where: 'on this store',
    force: '--force seals it all the same',
  });
}

/** The same of those that were not heard of lately: a machine that is down, or cut off. One at whose address another process serves was started again. */
export function lockedOutAway(
  { current, away }: Readonly<Record<'current' | 'away', readonly GatewayPresence[]>>,
  keyIds: readonly string[],
): ProxyError | undefined {
  const places = new Set(current.map(({ peerAddress }) => peerAddress));
  const names = new Set(current.map(nameOf));
  const missed = away.filter((one) => {
    const { state, peerAddress } = one;
    const isThere = peerAddress !== undefined && places.has(peerAddress);
    // A worker that was killed has others beside it.
    return state !== 'left' && !isThere && !names.has(nameOf(one));
  });
  return without(missed, keyIds, {
    where: 'on this store, not heard of within the last minutes,',
    force: '--even-if-away seals it where that is given up, or was started again elsewhere',
  });
}

/** How many ended by themselves that could not open it: whoever starts them again has to give them the new key. */
export function endedWithout(away: readonly GatewayPresence[], keyIds: readonly string[]): number {
  return away.filter((one) => one.state === 'left' && !opens(one, keyIds)).length;
}

function nameOf({ incarnation }: GatewayPresence): string {
  return incarnation.slice(0, gatewayNameDigits);
}

function opens({ identityKeys }: GatewayPresence, keyIds: readonly string[]): boolean {
  return identityKeys?.some((id) => keyIds.includes(id)) === true;
}

function without(
  processes: readonly GatewayPresence[],
  keyIds: readonly string[],
  { where, force }: { readonly where: string; readonly force: string },
): ProxyError | undefined {
  const found = new Map<string, string>();
  for (const one of processes) {
    if (opens(one, keyIds)) continue;
    const { peerAddress, identityKeys } = one;
    const gateway = nameOf(one);
    const at = peerAddress === undefined ? '' : ` at ${peerAddress}`;
    const has =
      identityKeys === undefined ? 'does not say which it has' : `has key ${identityKeys.join(' and ')}`;
    found.set(gateway, `${gateway}${at} ${has}`);
  }
  if (found.size === 0) return undefined;
  const named = [...found.values()].slice(0, namedMax).join(', ');
  const more = found.size > namedMax ? `, and ${found.size - namedMax} more` : '';
  const [count, which] = found.size === 1 ? ['1 gateway', 'It'] : [`${found.size} gateways`, 'They'];
  return unusable(
    `${count} ${where} could not start again: the identity would be sealed for key ${keyIds.join(' and ')} alone, and ${named}${more}. ${which} would need the new key as identity.keyEncryptionKey and a start with it first; ${force}`,
  );
}
