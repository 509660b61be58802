// What an earlier dial says of where it led.

import { isAddressLiteral } from '../http/authority.ts';

/** The address of a `DialResult` has the proxy that it went by, too. Where that one resolved the name, no address is known here. */
export function earlierAddress(address: string | undefined): { readonly address?: string } {
  const [known = ''] = (address ?? '').split(' ');
  return isAddressLiteral(known) === 0 ? {} : { address: known };
}
