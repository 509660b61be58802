// What a person may do with the admin API: four roles, each with all that the one before it may.

export const adminRoles = ['viewer', 'approver', 'operator', 'administrator'] as const;

/**
 * `viewer` looks; `approver` decides requests for access; `operator` ends sessions; `administrator` says who may do what.
 */
export type AdminRole = (typeof adminRoles)[number];

/** Whether somebody with the one role may do what the other is needed for. */
export function coversRole(held: AdminRole, needed: AdminRole): boolean {
  return adminRoles.indexOf(held) >= adminRoles.indexOf(needed);
}
