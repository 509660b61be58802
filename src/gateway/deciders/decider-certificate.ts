// The certificate that the gateway shows to a decider. Its key is the gateway's alone.

import { stat } from 'node:fs/promises';
import { ProxyError } from '../../protocol/error.ts';
import type { DeciderSettings } from '../config/deciders-settings.ts';
import {
  type ClientCertificate,
  type ClientCertificateNeeds,
  clientOf,
} from '../credentials/sources/client-certificate.ts';

/** Undefined where the settings have none. The pair of now, for each connection. @throws ProxyError credential_unavailable */
export async function deciderCertificate(
  name: string,
  settings: DeciderSettings,
  needs: ClientCertificateNeeds,
): Promise<ClientCertificate | undefined> {
  const of = `deciders.${name}.clientCertificate`;
  const { client } = clientOf(of, settings, needs);
  const { clientCertificate } = settings;
  if (client === undefined || clientCertificate === undefined) return undefined;
  const { certificate, key } = clientCertificate;
  const read: ClientCertificate = async () => {
    if ('file' in key) await requirePrivate(of, key.file);
    return await client();
  };
  // What a program prints is asked for where it is used.
  if ('file' in key && 'file' in certificate) await read();
  else if ('file' in key) await requirePrivate(of, key.file);
  return read;
}

/** Of its group are those whom whoever mounted it meant. */
async function requirePrivate(of: string, file: string): Promise<void> {
  const status = await stat(file).catch(() => undefined);
  // That it is not there is told by who reads it.
  if (status !== undefined && (status.mode & 0o007) !== 0)
    throw new ProxyError('credential_unavailable', `${of}.key: others may use ${file}; make it mode 600`);
}
