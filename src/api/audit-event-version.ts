// The version of the audit event. It grows when a field goes, or comes to mean something else; a field that is new and optional needs none.

/** Version of the events that this program writes. What was written before there was one counts as 0. */
export const auditEventVersion = 1;
