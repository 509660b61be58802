// What the configuration says of the admin API.

import type { AdminRole } from '../../api/admin/roles.ts';
import type { GatewayConfigDocument } from './config-schema.ts';

export interface AdminSettings {
  /** Path of the Unix socket. */
  readonly socket: string;
  /** What users of this machine may do without a token, by user id. */
  readonly socketRoles: Readonly<Record<string, AdminRole>>;
}

/** None where the file has no `admin`. `place` gives the absolute path, or that of a file that says nothing. */
export function adminSettings(
  { admin }: GatewayConfigDocument,
  place: (path: string | undefined) => string,
): { readonly admin?: AdminSettings } {
  if (admin === undefined) return {};
  return { admin: { socket: place(admin.socket), socketRoles: admin.socketRoles ?? {} } };
}
