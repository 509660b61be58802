// What the configuration says of callbacks.

import type { ClaimSelector } from '../../policy/claim-selector.ts';
import type { PlainSourceConfig } from '../credentials/sources/source-config.ts';
import { plainSourceSettings } from '../credentials/sources/source-settings.ts';
import type { AdminListen } from './admin-settings.ts';
import type { CallbacksDocument } from './callbacks-schema.ts';

export interface CallbackPerson {
  readonly name: string;
  /** Only sessions with these claims are theirs; absent: all. */
  readonly sees?: ClaimSelector;
}

export interface CallbackSender {
  readonly format: 'webhook' | 'slack';
  readonly secret: PlainSourceConfig;
  /** By the id that they have at the sender. */
  readonly people: ReadonlyMap<string, CallbackPerson>;
}

export interface CallbacksSettings {
  readonly listen: AdminListen;
  readonly senders: ReadonlyMap<string, CallbackSender>;
}

/** None where the file has no `callbacks`. */
export function callbacksSettings(
  document: CallbacksDocument | undefined,
  absolute: (path: string) => string,
): { readonly callbacks?: CallbacksSettings } {
  if (document === undefined) return {};
  const { address = '127.0.0.1', port, certificate, key } = document.listen;
  const tls =
    certificate === undefined || key === undefined
      ? {}
      : { tls: { certificate: absolute(certificate), key: absolute(key) } };
  const senders = Object.entries(document.senders).map(
    ([name, { format, secret, people }]) =>
      [
        name,
        {
          format,
          secret: plainSourceSettings(secret, absolute),
          people: new Map(
            Object.entries(people).map(([id, { name: who, sees }]) => [id, personOf(who, sees)]),
          ),
        },
      ] as const,
  );
  return { callbacks: { listen: { address, port, names: [], ...tls }, senders: new Map(senders) } };
}

function personOf(name: string, sees: ClaimSelector | undefined): CallbackPerson {
  return sees === undefined ? { name } : { name, sees };
}
