// The addresses of this machine.

import { networkInterfaces } from 'node:os';
import { plainAddress } from './address-guard.ts';

export function interfaceAddresses(): ReadonlySet<string> {
  const own = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  return new Set(own.map(({ address }) => plainAddress(address)));
}
