// What the configuration says of the admin API.

import type { AdminRole } from '../../api/admin/roles.ts';
import { asList } from '../../policy/schema-parts.ts';
import type { GatewayConfigDocument } from './config-schema.ts';
import { oidcSettings, type OidcSettings } from './oidc-settings.ts';

/** A TCP port of the admin API. */
export interface AdminListen {
  readonly address: string;
  /** It is served there too, at the same port, unless this machine has no such address. */
  readonly beside?: string;
  readonly port: number;
  /** Host names that requests may name, beside the address. */
  readonly names: readonly string[];
  /** Requests may not name the address. */
  readonly isByNameAlone?: boolean;
  /** Paths of PEM files. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

export interface AdminSettings {
  /** Path of the Unix socket; undefined: there is none. */
  readonly socket: string | undefined;
  /** What users of this machine may do without a token, by user id. */
  readonly socketRoles: Readonly<Record<string, AdminRole>>;
  readonly listen?: AdminListen;
  /** The least role that may issue session tokens; undefined: nobody may. */
  readonly sessionTokens?: Extract<AdminRole, 'operator' | 'administrator'>;
  /** Log-in at an identity provider. */
  readonly oidc?: OidcSettings;
}

/** Every place of it. */
export function adminPlaces(
  listen: AdminListen | undefined,
): readonly Pick<AdminListen, 'address' | 'port'>[] {
  if (listen === undefined) return [];
  const { address, beside, port } = listen;
  return [address, ...(beside === undefined ? [] : [beside])].map((at) => ({ address: at, port }));
}

/** None where the file has no `admin`. */
export function adminSettings(
  { admin }: GatewayConfigDocument,
  { absolute, socket }: { readonly absolute: (path: string) => string; readonly socket: string },
): { readonly admin?: AdminSettings } {
  if (admin === undefined) return {};
  const { listen } = admin;
  const settings = {
    socket: admin.socket === undefined ? socket : absolute(admin.socket),
    socketRoles: admin.socketRoles ?? {},
    ...(admin.sessionTokens === undefined ? {} : { sessionTokens: admin.sessionTokens }),
    ...(admin.oidc === undefined ? {} : { oidc: oidcSettings(admin.oidc, absolute) }),
  };
  if (listen === undefined) return { admin: settings };
  const { address = '127.0.0.1', port, certificate, key } = listen;
  const names = asList(listen.names).map((name) => name.toLowerCase());
  const files =
    certificate === undefined || key === undefined
      ? {}
      : { tls: { certificate: absolute(certificate), key: absolute(key) } };
  return { admin: { ...settings, listen: { address, port, names, ...files } } };
}
