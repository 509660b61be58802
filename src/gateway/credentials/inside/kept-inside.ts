// A token of a log-in as it is sealed into its row.

import { z } from 'zod';
import { type TokenKind, tokenKinds } from './token-members.ts';
import { revocationSchema } from './token-revocation.ts';

const keptSchema = z.strictObject({
  logIn: z.string(),
  kind: z.enum(tokenKinds),
  origin: z.string(),
  token: z.string().min(1),
  /** Absent: nobody takes it back. */
  revocation: revocationSchema.optional(),
});

export type KeptInside = z.infer<typeof keptSchema> & { readonly kind: TokenKind };

/** How rows are sealed. */
export interface TokenSeal {
  seal(id: string, value: object): Promise<string>;
  /** Undefined for what was sealed for another row, by another key, or was changed. */
  open(id: string, sealed: string): Promise<unknown>;
}

/** Undefined: it is none. */
export function keptInside(value: unknown): KeptInside | undefined {
  const read = keptSchema.safeParse(value);
  return read.success ? read.data : undefined;
}
