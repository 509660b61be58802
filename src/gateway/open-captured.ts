// The kept bodies of a gateway, as its configuration says, for the gateway itself and for the commands beside it.

import { asProxyError } from '../protocol/error.ts';
import type { CapturedSettings } from './config/captured-settings.ts';
import { openCredentialSource } from './credentials/sources/credential-source.ts';
import { CapturedBodies, type CapturedBodiesOptions } from './captured/captured-bodies.ts';
import { keyFromText, keyOfFile, type SealingKey } from './captured/day-keys.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface CapturedNeeds extends Pick<
  CapturedBodiesOptions,
  'clock' | 'onLimit' | 'onFault' | 'isOnDuty'
> {
  readonly environment: Environment;
  /** How many processes share the folder. */
  readonly place?: { readonly workers: number } | undefined;
}

/** Of a gateway. @throws ProxyError config_invalid for a source with something else than a key, which would be noticed with the first body only */
export async function openCaptured(
  settings: CapturedSettings,
  needs: CapturedNeeds,
): Promise<CapturedBodies> {
  /** A source that is away may be there when a body comes. */
  const refuseOrTell = (error: unknown): void => {
    const fault = asProxyError(error);
    if (fault.code === 'config_invalid') throw fault;
    needs.onFault(fault);
  };
  if ('source' in settings.key) await keyOf(settings, needs).catch(refuseOrTell);
  return capturedBodies(settings, needs);
}

/** Its key is asked for when something is kept or read. */
export function capturedBodies(settings: CapturedSettings, needs: CapturedNeeds): CapturedBodies {
  const { directory, keepDays, keepBytes } = settings;
  const { place, clock, onLimit, onFault, isOnDuty } = needs;
  return new CapturedBodies({
    directory,
    keepDays,
    keepBytes: Math.floor(keepBytes / (place?.workers ?? 1)),
    gatewayKey: () => keyOf(settings, needs),
    clock,
    onLimit,
    onFault,
    ...(isOnDuty === undefined ? {} : { isOnDuty }),
  });
}

async function keyOf(
  { key }: CapturedSettings,
  { environment, clock }: Pick<CapturedNeeds, 'environment' | 'clock'>,
): Promise<SealingKey> {
  if ('file' in key) return await keyOfFile(key.file);
  // As several lines, which are no key: `config check` says the same.
  const secret = await openCredentialSource('of captured', key.source, environment, 'pem').read(clock());
  return keyFromText(secret.reveal());
}
