// Responses that hold a secret, and until when that is good: nothing keeps them for longer.

import type { AdminOperation, OutputOf } from '../../api/admin/routes.ts';

type SecretEnds = { readonly [Operation in AdminOperation]?: (value: OutputOf<Operation>) => string };

const secretEnds: SecretEnds = {
  issueSessionToken: ({ expires }) => expires,
  makeToken: ({ record }) => record.expires,
};

/** Milliseconds since the epoch. `value` is what the operation gave. */
export function secretEndsOf(operation: AdminOperation, value: unknown): number | undefined {
  // Of each operation there is the function of its own output.
  const read = secretEnds[operation] as ((value: unknown) => string) | undefined;
  return read === undefined ? undefined : Date.parse(read(value));
}
