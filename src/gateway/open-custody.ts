// The authority that intercepts, where its key is in a process of its own: the gateway's side.

import type { Readable, Writable } from 'node:stream';
import { serialize } from 'node:v8';
import type { GatewayConfig } from './config/config.ts';
import { authorityPaths, exists } from '../pki/authority-files.ts';
import type { PublishedAuthority } from '../pki/certificate-authority.ts';
import { type LaunchedSigner, SignerClient, type SignerClientOptions } from './custody/signer-client.ts';
import type { Pkcs11Request } from '../system/pkcs11-module.ts';
import type { IdentityPlaces } from './identity/identity-places.ts';

/** What the signer is told when it starts, by who starts it. */
export interface SignerStart {
  readonly config: GatewayConfig;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** What that process has at hand. */
export interface SignerProcess {
  readonly input: Readable;
  readonly output: Writable;
  readonly clock: () => number;
  /** Makes one signature of a token in a process of its own. */
  readonly signPkcs11: (request: Pkcs11Request) => Promise<Uint8Array>;
}

/** Starts that process. It may use the network, and start programs, where `reachesOut`. */
export type LaunchSigner = (options: { readonly reachesOut: boolean }) => LaunchedSigner;

export interface CustodyOptions {
  readonly config: GatewayConfig;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: SignerClientOptions['log'];
  readonly stack: AsyncDisposableStack;
  readonly launchSigner?: LaunchSigner | undefined;
}

/** The same places, with the authority that intercepts by its signer, where the configuration wants one and this process serves. */
export function withCustody(
  places: IdentityPlaces,
  { config, environment, log, stack, launchSigner }: CustodyOptions,
): IdentityPlaces {
  const { separateProcess, signedBy, directory, passphrase = {} } = config.certificateAuthority;
  const isSeparate = separateProcess === true || signedBy !== undefined;
  if (!isSeparate || launchSigner === undefined) return places;
  const start: SignerStart = { config, environment };
  const reachesOut = signedBy !== undefined || 'command' in passphrase || 'vault' in passphrase;
  const launch = (): LaunchedSigner => {
    const signer = launchSigner({ reachesOut });
    signer.input.write(`${serialize(start).toString('base64')}\n`);
    return signer;
  };
  const listeners: (() => void)[] = [];
  let opened: SignerClient | undefined;
  const client = (): SignerClient => {
    if (opened !== undefined) return opened;
    opened = stack.use(new SignerClient({ launch, log, renewsItself: signedBy !== undefined }));
    for (const listener of listeners) opened.watch(listener);
    return opened;
  };
  const open = async (nowMs: number): Promise<PublishedAuthority> => {
    // The signer writes nothing: the first one is made before anybody is served, where it is ours to make.
    const isThere = signedBy !== undefined || (await exists(authorityPaths(directory, 'ca').key));
    if (!isThere) await places.interception.open(nowMs);
    return await client().read();
  };
  return {
    ...places,
    interception: {
      label: 'the signer of the authority',
      open,
      read: async () => await client().read(),
      watch: (listener) => {
        listeners.push(listener);
        opened?.watch(listener);
      },
    },
  };
}
