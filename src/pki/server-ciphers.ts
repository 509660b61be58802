// Which cipher our servers choose in TLS 1.3 (docs/decisions/tls-termination.md).

import { DEFAULT_CIPHERS } from 'node:tls';

const preferred = 'TLS_AES_128_GCM_SHA256';

/** For the options of a server: the ciphers of the runtime, the preferred one first. Under Bun nothing, which chooses by itself. */
export const serverCiphers: { readonly ciphers?: string } =
  process.versions['bun'] === undefined ? { ciphers: preferredFirst(DEFAULT_CIPHERS) } : {};

/** A list without it stays as it is: somebody wanted that. */
export function preferredFirst(ciphers: string): string {
  const names = ciphers.split(':');
  return names.toSorted((a, b) => Number(b === preferred) - Number(a === preferred)).join(':');
}
