// Which gateways could not start again with an identity that is sealed for these keys alone.

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
  const found = new Map<string, string>();
  for (const { incarnation, peerAddress, identityKeys } of processes) {
    if (identityKeys?.some((id) => keyIds.includes(id)) === true) continue;
    const gateway = incarnation.slice(0, gatewayNameDigits);
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
    `${count} on this store could not start again: the identity would be sealed for key ${keyIds.join(' and ')} alone, and ${named}${more}. ${which} would need the new key as identity.keyEncryptionKey and a start with it first; --force seals it all the same`,
  );
}
