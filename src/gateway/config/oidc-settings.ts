// What the configuration says of log-in by OpenID Connect, and what is wrong with it.

import type { AdminRole } from '../../api/admin/roles.ts';
import { asList } from '../../policy/schema-parts.ts';
import type { Report } from '../../policy/yaml-source.ts';
import type { PlainSourceConfig } from '../credentials/sources/source-config.ts';
import { plainSourceSettings } from '../credentials/sources/source-settings.ts';
import type { GatewayConfigDocument } from './config-schema.ts';
import type { OidcDocument } from './oidc-schema.ts';

/** What a group may do. */
export interface GroupRole {
  readonly group: string;
  readonly role: AdminRole;
  /** Only sessions with these claims are theirs; absent: all. */
  readonly sees?: Readonly<Record<string, string | number | boolean>>;
}

export interface OidcSettings {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: PlainSourceConfig;
  /** With `openid`. */
  readonly scopes: readonly string[];
  readonly groupsClaim: string;
  readonly roles: readonly GroupRole[];
  /** Paths of PEM files. */
  readonly ca: readonly string[];
}

export function oidcSettings(oidc: OidcDocument, absolute: (path: string) => string): OidcSettings {
  const {
    issuer,
    clientId,
    clientSecret,
    scopes = ['profile', 'email'],
    groupsClaim = 'groups',
    roles,
    ca,
  } = oidc;
  return {
    issuer,
    clientId,
    clientSecret: plainSourceSettings(clientSecret, absolute),
    scopes: [...new Set(['openid', ...asList(scopes)])],
    groupsClaim,
    roles: roles.map(groupRole),
    ca: asList(ca).map(absolute),
  };
}

function groupRole({ group, role, sees }: OidcDocument['roles'][number]): GroupRole {
  return { group, role, ...(sees === undefined ? {} : { sees }) };
}

/** Its cookies are for TLS and a name alone. */
export function checkOidc({ admin }: Pick<GatewayConfigDocument, 'admin'>, report: Report): void {
  if (admin?.oidc === undefined) return;
  const at = ['admin', 'oidc'];
  if (admin.listen?.certificate === undefined)
    report(at, 'log-in needs a port with TLS; write certificate and key under admin.listen');
  if (asList(admin.listen?.names).length === 0)
    report(at, 'the provider sends people back to a name; write names under admin.listen');
  for (const [i, { group, role, sees }] of admin.oidc.roles.entries()) {
    if (sees !== undefined && role === 'administrator')
      report(
        [...at, 'roles', i, 'sees'],
        'an administrator sees all sessions; write another role, or no sees',
      );
    if (admin.oidc.roles.findIndex((one) => one.group === group) < i)
      report(
        [...at, 'roles', i, 'group'],
        'this group stands above already, and the first counts; keep one of the two',
      );
  }
}
