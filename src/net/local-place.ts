// From which addresses of this machine connections go out: fixed ones, or those that an interface has at the moment.

import { networkInterfaces } from 'node:os';
import { isAddressLiteral } from '../http/authority.ts';
import { classifyAddress, plainAddress } from './address-guard.ts';

/** One of each family at most; of a family without one nothing is dialled. */
export interface LocalAddresses {
  readonly ipv4?: string;
  readonly ipv6?: string;
}

/** Asked at each dial, so that what changes counts at once. */
export type LocalPlace = () => LocalAddresses;

type ListInterfaces = () => Readonly<Record<string, readonly { readonly address: string }[] | undefined>>;

export function fixedPlace(addresses: readonly string[]): LocalPlace {
  const place = firstOfEach(addresses);
  return () => place;
}

/** The first address of each family that others can respond to. Link-local ones are no place to go out from. */
export function interfacePlace(name: string, list: ListInterfaces = networkInterfaces): LocalPlace {
  return () => {
    const entries = Object.hasOwn(list(), name) ? (list()[name] ?? []) : [];
    const usable = entries.map(({ address }) => address).filter((address) => !isLinkLocal(address));
    return firstOfEach(usable);
  };
}

/** The local address for a connection to this one; undefined: it has another family. */
export function localAddressFor({ ipv4, ipv6 }: LocalAddresses, address: string): string | undefined {
  return isAddressLiteral(plainAddress(address)) === 4 ? ipv4 : ipv6;
}

function firstOfEach(addresses: readonly string[]): LocalAddresses {
  const ipv4 = addresses.find((address) => isAddressLiteral(address) === 4);
  const ipv6 = addresses.find((address) => isAddressLiteral(address) === 6);
  return { ...(ipv4 === undefined ? {} : { ipv4 }), ...(ipv6 === undefined ? {} : { ipv6 }) };
}

function isLinkLocal(address: string): boolean {
  const found = classifyAddress(address);
  return found === 'link-local' || (found === 'metadata' && address.toLowerCase().startsWith('fe80:'));
}
