// Where a list goes on.

/** Behind which record a list goes on: the record may be gone meanwhile. */
export interface ListPlace {
  /** When it began: `enrolledMs` of a session, `createdMs` of a request for access. */
  readonly ms: number;
  readonly id: string;
}
