// What the configuration says of deciders.

import { asList } from '../../policy/schema-parts.ts';
import type { YamlPath } from '../../policy/yaml-source.ts';
import type { PlainSourceConfig } from '../credentials/sources/source-config.ts';
import { plainSourceSettings } from '../credentials/sources/source-settings.ts';
import type { ClientCertificateSettings } from '../credentials/sources/client-certificate.ts';
import { clientCertificateSettings } from './client-certificate.ts';
import type { DecidersDocument } from './deciders-schema.ts';

export interface DeciderSettings {
  readonly kind: DecidersDocument[string]['kind'];
  readonly url: string;
  /** Paths of PEM files; empty: what the gateway's own services are verified against. */
  readonly ca: readonly string[];
  readonly clientCertificate?: ClientCertificateSettings;
  /** Of a token that it is shown. */
  readonly source?: PlainSourceConfig;
}

export function decidersSettings(
  document: DecidersDocument = {},
  absolute: (path: string) => string,
): Readonly<Record<string, DeciderSettings>> {
  return Object.fromEntries(
    Object.entries(document).map(([name, { kind, url, ca, source, clientCertificate }]) => [
      name,
      {
        kind,
        url,
        ca: asList(ca).map(absolute),
        ...clientCertificateSettings(clientCertificate, absolute),
        ...(source === undefined ? {} : { source: plainSourceSettings(source, absolute) }),
      },
    ]),
  );
}

/** What the URL of a kind has to be. */
export function checkDeciders(
  document: DecidersDocument = {},
  report: (path: YamlPath, message: string) => void,
): void {
  for (const [name, { kind, url, clientCertificate }] of Object.entries(document)) {
    const { pathname, protocol } = new URL(url);
    if (clientCertificate !== undefined && protocol !== 'https:')
      report(['deciders', name, 'clientCertificate'], 'shown over TLS alone; write a URL with https://');
    const at = ['deciders', name, 'url'];
    if (kind === 'opa' && !pathname.startsWith('/v1/data/'))
      report(at, 'not a document of Open Policy Agent; write its path, such as /v1/data/gateway/allow');
    if (kind === 'ext-authz' && pathname !== '/')
      report(at, 'the protocol says which path is asked; write the URL without one');
  }
}
