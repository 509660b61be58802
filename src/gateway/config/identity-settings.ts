// What the configuration says of the keys and authorities that several gateways share.

import { join } from 'node:path';

export interface IdentitySettings {
  /** Where the signing key and the authorities are. `isGiven`: the operator put them there, and no gateway makes any. */
  readonly identity: { readonly directory: string; readonly isGiven: boolean };
  readonly certificateAuthority: { readonly directory: string };
}

interface IdentityDocument {
  readonly identity?: { readonly directory: string } | undefined;
  readonly certificateAuthority?: { readonly directory: string } | undefined;
}

export function identitySettings(
  { identity, certificateAuthority }: IdentityDocument,
  {
    absolute,
    stateDirectory,
  }: { readonly absolute: (path: string) => string; readonly stateDirectory: string },
): IdentitySettings {
  const directory = identity === undefined ? stateDirectory : absolute(identity.directory);
  return {
    identity: { directory, isGiven: identity !== undefined },
    certificateAuthority: { directory: absolute(certificateAuthority?.directory ?? join(directory, 'ca')) },
  };
}
