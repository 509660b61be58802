// The kept bodies of a gateway, as its configuration says, for the gateway itself and for the commands beside it.

import { asProxyError } from '../protocol/error.ts';
import type { CapturedSettings } from './config/captured-settings.ts';
import { openCredentialSource } from './credentials/sources/credential-source.ts';
import { CapturedBodies, type CapturedBodiesOptions } from './captured/captured-bodies.ts';
import { keyFromText, keyOfFile } from './captured/day-keys.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface CapturedNeeds extends Pick<
  CapturedBodiesOptions,
  'clock' | 'onLimit' | 'onFault' | 'isOnDuty'
> {
  readonly environment: Environment;
  /** How many processes share the folder. */
  readonly place?: { readonly workers: number } | undefined;
}

/** @throws ProxyError config_invalid for a source with something else than a key, which would be noticed with the first body only */
export async function openCaptured(
  { directory, keepDays, keepBytes, key }: CapturedSettings,
  { environment, place, clock, onLimit, onFault, isOnDuty }: CapturedNeeds,
): Promise<CapturedBodies> {
  /** A source that is away may be there when a body comes. */
  const refuseOrTell = (error: unknown): void => {
    const { code } = asProxyError(error);
    if (code === 'config_invalid') throw error;
    onFault(asProxyError(error));
  };
  const gatewayKey = async () => {
    if ('file' in key) return await keyOfFile(key.file);
    const secret = await openCredentialSource('of captured', key.source, environment).read(clock());
    return keyFromText(secret.reveal());
  };
  if ('source' in key) await gatewayKey().catch(refuseOrTell);
  return new CapturedBodies({
    directory,
    keepDays,
    keepBytes: Math.floor(keepBytes / (place?.workers ?? 1)),
    gatewayKey,
    clock,
    onLimit,
    onFault,
    ...(isOnDuty === undefined ? {} : { isOnDuty }),
  });
}
