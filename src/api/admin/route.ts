// What an operation of the admin API is.

import { z } from 'zod';
import type { AdminRole } from './roles.ts';

export type AdminMethod = 'GET' | 'POST' | 'DELETE';

/** What an operation takes and gives. A part in braces of `path` is one segment, given as a parameter. */
export interface AdminRoute {
  readonly method: AdminMethod;
  readonly path: string;
  /** The least role for it. */
  readonly role: AdminRole;
  readonly summary: string;
  /** It only asks, though it has a body: nothing is remembered of it. */
  readonly asks?: true;
  /** Nobody is asked who they are. */
  readonly isOpen?: true;
  /** It says something of all sessions together, so nobody who sees only some of them has it. */
  readonly ofAll?: true;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** Of the success. `stream`: server-sent events, each with such an object. */
  readonly output: z.ZodType;
  readonly form?: 'json' | 'stream' | 'text';
  readonly status?: 200 | 201;
}

/** Some of a list. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item).readonly(), next: z.string().optional() }).readonly();
